"""What the rest of the house knows of models that embed."""

from dataclasses import dataclass

from letta_site.core.errors import AppError
from letta_site.core.providers import ProviderEntry


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A model that embeds. `dim` is 0 until it is known: it is asked from the model itself."""

    handle: str
    name: str
    provider: ProviderEntry
    dim: int = 0


class EmbeddingError(AppError):
    """A model did not embed. `refused`: it will not take this input, however often it is asked.

    `wait_s` is how long it wants to be left alone, 0 if it did not say.
    """

    code = "EMBEDDING_ERROR"

    def __init__(self, what: str, *, todo: str = "", refused: bool = False, wait_s: float = 0.0):
        super().__init__(what, todo=todo)
        self.refused = refused
        self.wait_s = wait_s
