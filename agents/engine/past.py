"""Messages of the past, as a caller gives them, turned into a history. PURE."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from agents.engine.prompt import say_through_tool
from agents.engine.strategies import Strategy
from agents.types import ImagePart, Message, Part, Role, Status, TextPart, ToolCall, ToolReturn
from letta_site.core.errors import Malformed
from letta_site.core.ids import new_id


@dataclass(frozen=True, slots=True)
class PastMessage:
    """Something that was said before. `created_at` None: now. Role tool answers `tool_call_id`."""

    role: Role
    parts: tuple[Part, ...] = ()
    name: str | None = None
    otid: str | None = None
    created_at: datetime | None = None
    in_context: bool = False
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    status: Status = "success"

    @property
    def text(self) -> str:
        """All words of it."""
        return "\n".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def is_empty(self) -> bool:
        """Nothing is said, shown or called."""
        pictures = any(isinstance(part, ImagePart) for part in self.parts)
        return not (self.text.strip() or pictures or self.tool_calls)


@dataclass(frozen=True, slots=True)
class Insertion:
    """Past messages for a conversation, oldest first; None is the agent's default one."""

    messages: tuple[PastMessage, ...]
    conversation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What one given message became: itself first, then what must stand beside it."""

    messages: tuple[Message, ...]
    in_context: bool


@dataclass(slots=True)
class _Open:
    """Calls that have no return yet, and the place of the message that made them."""

    at: int = -1
    in_context: bool = False
    calls: dict[str, ToolCall] = field(default_factory=dict)


def write_past(
    given: Sequence[PastMessage], strategy: Strategy, *, now: datetime
) -> tuple[Written, ...]:
    """Return the messages as they are to be stored, one entry for each that was given.

    Calls and their returns stay together: a return is in the window if its call is. Raises
    Malformed that names the index of a message which says nothing, or would break the history:
    no provider takes a call without its return, or a return without its call.
    """
    written: list[Written] = []
    open_calls = _Open()
    for index, one in enumerate(given):
        _check(index, one)
        if one.role == "tool":
            written.append(_returned(index, one, open_calls, now))
            continue
        _check_closed(open_calls)
        _take_calls(index, one, open_calls)
        written.append(Written(_message(one, strategy, now), one.in_context))
    _check_closed(open_calls)
    return tuple(written)


def _refusal(index: int, what: str, todo: str = "") -> Malformed:
    return Malformed(f"messages[{index}]: {what}", todo=todo, index=index)


def _check(index: int, one: PastMessage) -> None:
    if one.tool_calls and one.role != "assistant":
        raise _refusal(index, f"a message of role {one.role} cannot make tool calls")
    if (one.tool_call_id is None) is (one.role == "tool"):
        raise _refusal(index, "tool_call_id is for messages of role tool, and they need one")
    if one.role != "tool" and one.is_empty:
        raise _refusal(index, "its content is empty")


def _check_closed(open_calls: _Open) -> None:
    if open_calls.calls:
        raise _refusal(
            open_calls.at,
            f"nothing answers its tool calls {', '.join(open_calls.calls)}",
            "Put a message of role tool for each call right behind it.",
        )


def _take_calls(index: int, one: PastMessage, open_calls: _Open) -> None:
    calls = {call.id: call for call in one.tool_calls}
    if len(calls) < len(one.tool_calls):
        raise _refusal(index, "two of its tool calls have the same id")
    open_calls.at, open_calls.in_context, open_calls.calls = index, one.in_context, calls


def _returned(index: int, one: PastMessage, open_calls: _Open, now: datetime) -> Written:
    call = open_calls.calls.pop(one.tool_call_id or "", None)
    if call is None:
        raise _refusal(index, f"it returns a call {one.tool_call_id!r} that nobody made before it")
    given = ToolReturn(call.id, call.name, one.text, one.status)
    message = replace(_base(one, now), parts=(), tool_returns=(given,))
    return Written((message,), open_calls.in_context)


def _message(one: PastMessage, strategy: Strategy, now: datetime) -> tuple[Message, ...]:
    base = _base(one, now)
    plain = one.role == "assistant" and not one.tool_calls
    if not (plain and strategy.reply == "send_message"):
        return (base,)
    said, returned = say_through_tool(one.text, "", base.created_at)
    thoughts = tuple(part for part in one.parts if not isinstance(part, TextPart))
    return replace(base, parts=thoughts, tool_calls=said.tool_calls), returned


def _base(one: PastMessage, now: datetime) -> Message:
    return Message(
        id=new_id("message"),
        role=one.role,
        created_at=one.created_at or now,
        parts=one.parts,
        tool_calls=one.tool_calls,
        name=one.name,
        otid=one.otid,
        is_err=one.role == "tool" and one.status == "error",
    )
