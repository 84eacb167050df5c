"""What the rest of the house knows of a provider and its models."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """A kind of provider, as data. `key_names` and `url_names` are environment variables.

    `url_suffix` is added to a URL from the environment that lacks it. A provider counts as
    configured when it has a key, or, if it needs none, when its URL was given.
    """

    name: str
    provider_type: str
    base_url: str = ""
    key_names: tuple[str, ...] = ()
    url_names: tuple[str, ...] = ()
    url_suffix: str = ""
    needs_key: bool = True


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """A provider of this server: a row with its URL and key filled in."""

    id: str
    name: str
    provider_type: str
    base_url: str
    api_key: str
    category: str = "base"
    needs_key: bool = True
    key_hint: str = ""

    @property
    def configured(self) -> bool:
        """Whether a call to it can be tried."""
        return bool(self.base_url) and (bool(self.api_key) or not self.needs_key)


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that can be named in a handle. Windows in tokens; dim is 0 for chat models."""

    handle: str
    name: str
    provider: ProviderEntry
    window_tokens: int
    model_type: str = "llm"
    embedding_dim: int = 0
    max_output_tokens: int | None = None
