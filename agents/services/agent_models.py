"""Which model an agent thinks with, and how that is stored."""

from dataclasses import dataclass

from agents.llm.base import ModelEntry
from agents.llm.catalog import resolve
from agents.types import Json
from letta_site.core.errors import Invalid, NotFound
from letta_site.core.types import Actor
from memory.embeddings import catalog

DEFAULT_WINDOW_TOKENS = 128_000

# Window in tokens up to which -> (files open at once, characters shown of each).
_FILE_LIMITS = (
    (8_000, 3, 5_000),
    (32_000, 5, 15_000),
    (128_000, 10, 25_000),
    (200_000, 10, 40_000),
)
_MOST_FILES = (15, 40_000)
# What a client may say of its model in an old-style config, beside the model itself.
_CONFIG_KEYS = (
    "temperature",
    "max_tokens",
    "parallel_tool_calls",
    "reasoning_effort",
    "enable_reasoner",
    "max_reasoning_tokens",
    "put_inner_thoughts_in_kwargs",
    "frequency_penalty",
    "verbosity",
    "response_format",
)
# The same of an embedding model. Its dimension is its own to tell, not the client's.


@dataclass(frozen=True, slots=True)
class ModelWish:
    """What a client says of the model. None: nothing said. `settings` hold only what was said."""

    handle: str | None = None
    settings: Json | None = None
    llm_config: Json | None = None
    window_tokens: int | None = None
    max_tokens: int | None = None
    parallel_tool_calls: bool | None = None

    @property
    def wanted_handle(self) -> str | None:
        """The handle, also out of an old-style config."""
        if self.handle is not None or not self.llm_config:
            return self.handle
        config = self.llm_config
        prefix = config.get("provider_name") or config.get("model_endpoint_type")
        return config.get("handle") or f"{prefix}/{config.get('model')}"


def model_columns(actor: Actor, wish: ModelWish, *, before: Json | None = None) -> Json:
    """Return the columns of an agent that `wish` sets; `before` are those it has already.

    May ask the provider for its models, so call it outside of a transaction. Raises Invalid when
    no model is named, or the handle has no slash; NotFound when it names nothing.
    """
    before = before or {}
    handle = wish.wanted_handle
    if handle is None and not before:
        raise Invalid("Must specify either model or llm_config in request")
    columns: Json = {}
    if handle is not None:
        entry = _entry(actor, handle)
        columns |= {"model": entry.handle, "llm_config": _config(entry, wish)}
        columns["context_window_limit"] = min(entry.window_tokens, DEFAULT_WINDOW_TOKENS)
    window = wish.window_tokens
    if window is None:
        window = (wish.llm_config or {}).get("context_window")
    if window is not None:
        columns["context_window_limit"] = _check_window(window)
    settings = _settings(wish, before.get("model_settings") or {})
    if settings is not None:
        columns["model_settings"] = settings
        columns |= _effort(settings, columns.get("llm_config") or before.get("llm_config") or {})
    return columns


def check_handle(actor: Actor, handle: str) -> None:
    """Raise what naming this model for an agent raises. May ask the provider for its models."""
    _entry(actor, handle)


def _entry(actor: Actor, handle: str) -> ModelEntry:
    if handle and "/" not in handle:
        raise Invalid("The model handle should be in the format provider/model-name")
    if not handle:
        raise NotFound("Handle  not found: the model is empty.", todo="Name one, e.g. letta/demo.")
    return resolve(actor.org_id, handle)


def _check_window(window: int) -> int:
    if window < 1:
        raise Invalid(f"The context window is {window} tokens; it must be at least 1.")
    return window


def _config(entry: ModelEntry, wish: ModelWish) -> Json:
    said = wish.llm_config or {}
    return {
        "model": entry.name,
        "handle": entry.handle,
        "model_endpoint_type": entry.provider.provider_type,
        "model_endpoint": entry.provider.base_url,
        "provider_name": entry.provider.name,
        "provider_category": entry.provider.category,
    } | {key: said[key] for key in _CONFIG_KEYS if said.get(key) is not None}


def _settings(wish: ModelWish, before: Json) -> Json | None:
    settings = dict(wish.settings if wish.settings is not None else before)
    if wish.max_tokens is not None:
        settings["max_output_tokens"] = wish.max_tokens
    if wish.parallel_tool_calls is not None:
        settings["parallel_tool_calls"] = wish.parallel_tool_calls
    return settings if settings != before or not before else None


def _effort(settings: Json, config: Json) -> Json:
    effort = (settings.get("reasoning") or {}).get("reasoning_effort")
    return {"llm_config": {**config, "reasoning_effort": effort}} if effort else {}


def embedding_columns(actor: Actor, handle: str | None, config: Json | None = None) -> Json:
    """Return the columns for an embedding model, which is optional; none when none is named.

    May ask the provider for its models, so call it outside of a transaction. Raises Invalid, with
    the known ones, when the handle or the old-style config names no model of this server.
    """
    return catalog.columns(actor.org_id, handle, config)


def file_columns(window_tokens: int) -> Json:
    """Return how many files an agent may have open, and how much it sees of each."""
    for tokens, files, chars in _FILE_LIMITS:
        if window_tokens <= tokens:
            return {"max_files_open": files, "per_file_view_window_char_limit": chars}
    return {"max_files_open": _MOST_FILES[0], "per_file_view_window_char_limit": _MOST_FILES[1]}
