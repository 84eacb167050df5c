"""Tool calls that a model writes into its text, as many local ones do. Pure."""

import json
import re
import uuid
from collections.abc import Collection, Iterator
from typing import Any

from agents.llm.tolerant import known_name, read_object
from agents.types import ToolCall

_TAGGED = re.compile(r"<(tool_call|function_call)>(.*?)(?:</\1>|\Z)", re.DOTALL)
_FENCED = re.compile(r"```(?:json|tool_call|tool)\s*\n(.*?)(?:```|\Z)", re.DOTALL)
_BRACKETED = re.compile(r"\[TOOL_CALLS\]\s*(.*)\Z", re.DOTALL)
_FUNCTION = re.compile(r"<function=([\w.-]+)>(.*?)(?:</function>|\Z)", re.DOTALL)
_SHAPES = (_TAGGED, _FENCED, _BRACKETED)
_MARKS = ("<tool_call>", "<function_call>", "<function=", "[TOOL_CALLS]", "```json", "```tool")
_LONGEST_MARK = max(map(len, _MARKS))


def calls_in_text(text: str, known: Collection[str]) -> tuple[str, tuple[ToolCall, ...]]:
    """Return the text without the calls in it, and the calls.

    Only calls of tools in `known` are taken; what merely looks like a call stays text.
    """
    if not known or not any(mark in text for mark in ("{", "<function=")):
        return text, ()
    calls: list[ToolCall] = []
    for shape in _SHAPES:
        text = shape.sub(lambda found: _take(found, found[found.re.groups], known, calls), text)
    text = _FUNCTION.sub(lambda found: _take_named(found, known, calls), text)
    if not calls:
        text = _take_bare(text, known, calls)
    return text, tuple(calls)


def _take(found: re.Match[str], body: str, known: Collection[str], calls: list[ToolCall]) -> str:
    made = [call for value in _values(body) if (call := _call_of(value, known))]
    calls.extend(made)
    return "" if made else found[0]


def _take_named(found: re.Match[str], known: Collection[str], calls: list[ToolCall]) -> str:
    call = _call_of({"name": found[1], "arguments": found[2].strip() or "{}"}, known)
    calls.extend([call] if call else [])
    return "" if call else found[0]


def _take_bare(text: str, known: Collection[str], calls: list[ToolCall]) -> str:
    """Take a text that is nothing but a call, or a list of calls."""
    stripped = text.strip()
    if not stripped.startswith(("{", "[")):
        return text
    made = [_call_of(value, known) for value in _values(stripped)]
    if not made or None in made:
        return text
    calls.extend(call for call in made if call)
    return ""


def _values(body: str) -> Iterator[Any]:
    """Yield the values of a list, or the one object that `body` is."""
    inner = body.strip()
    wrapped = read_object('{"all": ' + inner + "}") if inner.startswith("[") else None
    if wrapped and isinstance(wrapped.get("all"), list):
        yield from wrapped["all"]
    elif inner:
        yield read_object(inner)


def _call_of(value: Any, known: Collection[str]) -> ToolCall | None:
    if not isinstance(value, dict):
        return None
    inner = value.get("function")
    if isinstance(inner, dict):
        value = inner
    name = value.get("name") or (inner if isinstance(inner, str) else None)
    given = next((value[key] for key in ("arguments", "parameters") if key in value), None)
    if not isinstance(name, str) or given is None or known_name(name, known) not in known:
        return None
    text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    return ToolCall(f"call_{uuid.uuid4().hex[:8]}", known_name(name, known), text)


class Holdback:
    """Keeps back the part of a streamed text that may turn out to be a call."""

    def __init__(self) -> None:
        self.passed = ""
        self._held = ""
        self._holding = False

    def feed(self, text: str) -> str:
        """Take the next piece; return what can be shown now."""
        self._held += text
        if self._holding:
            return ""
        at = self._start_of_call()
        self._holding = at is not None
        shown = self._held[: len(self._held) - self._maybe() if at is None else at]
        self._held = self._held[len(shown) :]
        self.passed += shown
        return shown

    def rest(self, whole: str) -> str:
        """Return what of the whole text, calls taken out, was not shown."""
        return whole.removeprefix(self.passed) if whole.startswith(self.passed) else ""

    def _start_of_call(self) -> int | None:
        if not self.passed.strip() and self._held.lstrip()[:1] in ("{", "["):
            return len(self._held) - len(self._held.lstrip())
        found = [at for mark in _MARKS if (at := self._held.find(mark)) >= 0]
        return min(found, default=None)

    def _maybe(self) -> int:
        """Return the length of the end that may be the beginning of a mark."""
        for length in range(min(_LONGEST_MARK, len(self._held)), 0, -1):
            tail = self._held[-length:]
            if any(mark.startswith(tail) for mark in _MARKS):
                return length
        return 0
