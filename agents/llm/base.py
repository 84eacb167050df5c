"""What the rest of the house knows of a model."""

from dataclasses import dataclass

from letta_site.core.providers import ProviderEntry


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A chat model that can be named in a handle. Windows in tokens."""

    handle: str
    name: str
    provider: ProviderEntry
    window_tokens: int
    max_output_tokens: int | None = None
