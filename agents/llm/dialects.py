"""How servers differ from OpenAI's, as rows, and what to do with a request one of them refuses.

A server that is not OpenAI's own is only known by what its makers document and its users report;
what no row knows is learnt from the refusal itself, see `give_in`. Pure.
"""

import re
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from agents.types import Json

OPENAI_HOST = "api.openai.com"
# Names of models that take `max_completion_tokens` and no temperature.
_REASONING_MODELS = ("o1", "o3", "o4", "gpt-5")
_ESSENTIAL = frozenset(("model", "messages", "tools", "stream"))
_LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a kind of server takes.

    `never`: keys of the body it refuses. `any_call`: its word for "call some tool", empty if it
    has none. `named_call`: whether a call of one tool can be demanded. `formats`: the response
    formats it takes, best first. `names`: whether messages may carry a name. `strict_roles`: one
    system message at the head, then user and assistant in turn. `thinking`: where settings for
    thinking go in the body: "body", "google", or empty for nowhere. `effort`: whether it takes an
    effort for models of any name. `tool_text`: models may write their calls, and
    their thoughts, into the text.
    """

    never: frozenset[str] = frozenset()
    any_call: str = "required"
    named_call: bool = True
    formats: tuple[str, ...] = ("json_schema", "json_object")
    names: bool = True
    strict_roles: bool = False
    thinking: str = ""
    effort: bool = True
    tool_text: bool = True


_OPENAI = Dialect(effort=False, tool_text=False)
_COMPATIBLE = Dialect()
_LOCAL = Dialect(names=False, strict_roles=True)

# By the type of the provider; a type that is not named here speaks the common tongue.
DIALECTS: dict[str, Dialect] = {
    "openai": _OPENAI,
    "azure": _OPENAI,
    "anthropic": Dialect(
        formats=(), names=False, strict_roles=True, thinking="body", tool_text=False
    ),
    "google_ai": Dialect(
        never=frozenset(("parallel_tool_calls", "frequency_penalty")),
        names=False,
        strict_roles=True,
        thinking="google",
        tool_text=False,
    ),
    # Refuses every key that it does not know, and a user right behind a tool.
    "mistral": Dialect(
        never=frozenset(("stream_options", "frequency_penalty", "reasoning_effort", "verbosity")),
        any_call="any",
        named_call=False,
        names=False,
        strict_roles=True,
    ),
    # Its thinking models refuse a demanded call.
    "deepseek": Dialect(
        never=frozenset(("parallel_tool_calls",)),
        any_call="",
        named_call=False,
        formats=("json_object",),
    ),
    "zai": Dialect(
        never=frozenset(("parallel_tool_calls",)),
        any_call="",
        named_call=False,
        formats=("json_object",),
        thinking="body",
    ),
    "ollama": replace(_LOCAL, never=frozenset(("parallel_tool_calls",)), any_call=""),
    "lmstudio": replace(
        _LOCAL,
        never=frozenset(("parallel_tool_calls",)),
        named_call=False,
        formats=("json_schema",),
    ),
    "lmstudio_openai": replace(_LOCAL, named_call=False, formats=("json_schema",)),
    "llamacpp": replace(_LOCAL, named_call=False),
    "vllm": _LOCAL,
    "sglang": _LOCAL,
}


def dialect_of(provider_type: str, base_url: str) -> Dialect:
    """Return the row for a server. Whoever else answers for OpenAI gets more patience than it."""
    if provider_type == "openai" and urlsplit(base_url).hostname != OPENAI_HOST:
        return _COMPATIBLE
    return DIALECTS.get(provider_type, _COMPATIBLE)


def reasons(model: str) -> bool:
    """Tell by its name whether a model is one of OpenAI's reasoning models."""
    return model.rsplit("/", 1)[-1].startswith(_REASONING_MODELS)


def refused_key(body: Json, complaint: str) -> str | None:
    """Return the optional key of `body` that a refusal speaks of, if it speaks of one."""
    keys = (key for key in body if key not in _ESSENTIAL)
    return next((key for key in keys if _mentions(complaint, key)), None)


def _mentions(complaint: str, key: str) -> bool:
    return re.search(rf"\b{re.escape(key)}\b", complaint) is not None


def give_in(body: Json, key: str, *, again: bool = False) -> Json:
    """Return a body that asks for the same without `key`, or with less of it.

    A limit moves to its other name, a JSON schema becomes any JSON, a demanded call a free one;
    `again` tells that this was tried before.
    """
    rest = {name: value for name, value in body.items() if name != key}
    value = body.get(key)
    if key in _LIMITS and not again:
        return {**rest, _LIMITS[key]: value}
    if key == "response_format" and isinstance(value, dict) and value.get("type") == "json_schema":
        return {**rest, key: {"type": "json_object"}}
    if key == "tool_choice" and value != "auto":
        return {**rest, key: "auto"}
    return rest
