"""Models on the wire: one item is both eras' item."""

from typing import Protocol

from agents.types import Json

# The contract's name for the kinds of provider whose own name is another word there.
_PROVIDER_TYPES = {"lmstudio": "lmstudio_openai"}


# What an old-style config says when nobody said anything.
CONFIG_DEFAULTS: Json = {
    "display_name": None,
    "model_wrapper": None,
    "put_inner_thoughts_in_kwargs": False,
    "temperature": 1.0,
    "max_tokens": None,
    "enable_reasoner": False,
    "reasoning_effort": None,
    "max_reasoning_tokens": 0,
    "effort": None,
    "frequency_penalty": None,
    "compatibility_type": None,
    "verbosity": None,
    "tier": None,
    "parallel_tool_calls": False,
    "response_format": None,
    "strict": False,
    "return_logprobs": False,
    "top_logprobs": None,
    "return_token_ids": False,
    "tool_call_parser": None,
}


class Provider(Protocol):
    """Where a model is."""

    @property
    def name(self) -> str: ...
    @property
    def provider_type(self) -> str: ...
    @property
    def base_url(self) -> str: ...
    @property
    def category(self) -> str: ...


class Entry(Protocol):
    """A model of the catalog."""

    @property
    def handle(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def provider(self) -> Provider: ...
    @property
    def window_tokens(self) -> int: ...
    @property
    def max_output_tokens(self) -> int | None: ...


def provider_type(entry: Entry) -> str:
    """Return the contract's name for the kind of provider."""
    kind = entry.provider.provider_type
    return _PROVIDER_TYPES.get(kind, kind)


def encode_model(entry: Entry) -> Json:
    """Return a Model that is an LLMConfig too."""
    return CONFIG_DEFAULTS | {
        "handle": entry.handle,
        "name": entry.name,
        "display_name": entry.name,
        "provider_type": provider_type(entry),
        "provider_name": entry.provider.name,
        "model_type": "llm",
        "max_context_window": entry.window_tokens,
        "model": entry.name,
        "model_endpoint_type": _endpoint_type(entry),
        "model_endpoint": entry.provider.base_url,
        "provider_category": entry.provider.category,
        "context_window": entry.window_tokens,
        "max_tokens": entry.max_output_tokens,
    }


def _endpoint_type(entry: Entry) -> str:
    """Return a type that the strict clients know: the demo speaks like an OpenAI server."""
    kind = entry.provider.provider_type
    return "openai" if kind == "letta" else kind
