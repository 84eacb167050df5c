"""Reading tool calls that are not quite what the protocol asks for. Pure.

Only what has one meaning is mended. Anything else is left as it is, so that the model is told and
writes it again: a call with guessed arguments does damage, a repeated one costs a second.
"""

import ast
import json
import re
import warnings
from collections.abc import Collection
from typing import Any

from agents.engine.arguments import (
    MAX_ARGUMENT_CHARS,
    SPEAKING_TOOL,
    cut_arguments,
    is_too_deep,
)
from agents.engine.repair import clean_text
from agents.types import Json, ToolCall

MAX_CALLS = 16
MAX_ID_CHARS = 40  # OpenAI refuses longer ones in a history
MAX_NAME_CHARS = 64
_MAX_LITERAL_CHARS = 10_000
_BAD_IN_NAME = re.compile(r"[^a-zA-Z0-9_-]+")
_PREFIXES = ("functions.", "function.", "default_api.", "tools.", "tool.")
_FENCE = re.compile(r"\A\s*```[a-zA-Z_]*\s*\n?(.*?)\n?\s*```\s*\Z", re.DOTALL)
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|\s+|[^"{}\[\],\s]+|.', re.DOTALL)
_LEFT_OVER = re.compile(r"[\s}\]]*(?:</?[a-z_]+>|```)?\s*")
_CLOSERS = {"{": "}", "[": "]"}


def known_name(name: str, known: Collection[str]) -> str:
    """Return the tool that `name` means, or the name with nothing in it that a server refuses."""
    stripped = name.strip()
    for prefix in _PREFIXES:
        stripped = stripped.removeprefix(prefix)
    if name in known or stripped in known:
        return name if name in known else stripped
    same = [one for one in known if one.lower() == stripped.lower()]
    return same[0] if len(same) == 1 else safe_name(stripped)


def safe_name(name: str) -> str:
    """Return a name that every server takes in a history."""
    return _BAD_IN_NAME.sub("_", name)[:MAX_NAME_CHARS] or "unknown_tool"


def tidy_call(call: ToolCall, known: Collection[str], *, whole: bool) -> ToolCall:
    """Return a call with its name and arguments mended where they can be.

    `whole` is False when the answer was cut at its limit: then what is missing is not guessed.
    """
    name = known_name(clean_text(call.name), known)
    if len(call.arguments) > MAX_ARGUMENT_CHARS:
        return ToolCall(call.id, name, cut_arguments(call.arguments))
    deep = is_too_deep(call.arguments)
    values = None if deep else read_object(call.arguments, whole=whole)
    if values is None:
        return ToolCall(call.id, name, clean_text(call.arguments))
    return ToolCall(call.id, name, _written(name, values, call.arguments))


def _written(name: str, values: Json, before: str) -> str:
    clean = _clean(values)
    if name == SPEAKING_TOOL and isinstance(clean.get("message"), dict | list):
        # A reply of a prescribed shape: the words of such an agent are that JSON.
        clean["message"] = json.dumps(clean["message"], ensure_ascii=False)
    return before if clean == _strict(before) else json.dumps(clean, ensure_ascii=False)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, dict):
        return {clean_text(key): _clean(one) for key, one in value.items()}
    return value


def read_object(text: str, *, whole: bool = True) -> Json | None:
    """Return the JSON object that `text` stands for, or None when it is not clear which.

    Understood: objects wrapped in a string or a fence, written twice, followed by closers too
    many, with a comma too many, written as Python, or, if `whole`, without their last closers.
    """
    if not text.strip():
        return {}
    fenced = _FENCE.match(text)
    inner = fenced[1] if fenced else text.strip()
    for read in (_strict, _wrapped, _first, _closed if whole else _nothing, _python):
        found = read(inner)
        if isinstance(found, dict):
            return found
    return None


def _nothing(_text: str) -> None:
    return None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(strict=False, parse_constant=_no_constant)


def _strict(text: str) -> Any:
    try:
        return _decoder.decode(text)
    except (ValueError, RecursionError):
        return None


def _wrapped(text: str) -> Any:
    inner = _strict(text)
    return _strict(inner) if isinstance(inner, str) else None


def _first(text: str) -> Any:
    """Read an object that is there twice, or behind an empty one, or before leftovers."""
    found: list[Json] = []
    at = 0
    while at < len(text) and text[at] == "{":
        try:
            value, at = _decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return None
        if isinstance(value, dict) and value and value not in found:
            found.append(value)
        at += len(text[at:]) - len(text[at:].lstrip())
    if at == 0 or len(found) > 1 or not _LEFT_OVER.fullmatch(text[at:]):
        return None
    return found[0] if found else {}


def _closed(text: str) -> Any:
    """Read an object with commas too many or closers too few, if it ends behind a whole value."""
    if not text.startswith("{") or not text.endswith(('"', "}", "]", "e", "l")):
        return None
    mended = _balanced(text)
    return None if mended is None else _strict(mended)


def _balanced(text: str) -> str | None:
    """Return `text` with the closers that it lacks and without commas before a closer.

    None when it ends inside a string or its brackets do not match.
    """
    closers: list[str] = []
    kept: list[str] = []
    for piece in _TOKENS.findall(text):
        if piece in _CLOSERS:
            closers.append(_CLOSERS[piece])
        elif piece in ("}", "]"):
            if not closers or closers.pop() != piece:
                return None
            _drop_comma(kept)
        elif piece == '"':  # a string that does not end
            return None
        kept.append(piece)
    return "".join([*kept, *reversed(closers)])


def _drop_comma(kept: list[str]) -> None:
    at = len(kept) - 1
    while at >= 0 and kept[at].isspace():
        at -= 1
    if at >= 0 and kept[at] == ",":
        del kept[at]


def _python(text: str) -> Any:
    """Read an object written as a Python value; the literals of a small text only."""
    if len(text) > _MAX_LITERAL_CHARS or not text.startswith("{"):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python does not know
            value = ast.literal_eval(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    plain = isinstance(value, dict) and all(isinstance(key, str) for key in value)
    return value if plain else None
