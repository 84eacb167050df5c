"""Mending of a history before it is sent. Providers refuse one with a call and no return."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from agents.types import (
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCall,
    ToolReturn,
)

INTERRUPTED = (
    "This call was interrupted before it returned. Whether it had an effect is not known; look "
    "before you repeat it."
)

NOT_RUN = "This call was not carried out: it needed an approval, which was not given."
EMPTY = "[This message is empty.]"
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_UNFIT = re.compile(r"[^a-zA-Z0-9_-]")

Slot = tuple[int, str]  # index of the message that makes a call, and the call's id


def mend(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return a history that any provider accepts, with the same words in the same order.

    Every call is followed at once by its return (an error when it has none), returns without a
    call are gone, as are assistant messages that say nothing and messages that are there twice; an
    empty message of a user says so; no NUL, no lone surrogate and no unfit tool name is left. A
    request for approval becomes one message with what was said and called beside it.
    """
    whole = _joined(_once(messages))
    clean = [one if _spotless(one) else _distinct(_clean(one)) for one in whole]
    returns = _match(clean)
    mended: list[Message] = []
    for at, message in enumerate(clean):
        if message.role == "tool":
            continue
        if message.role == "approval":
            mended.append(replace(message, role="assistant"))
        elif message.role != "assistant" or not _says_nothing(message):
            mended.append(_filled(message))
        mended.extend(_answers(message, at, returns))
    return tuple(mended)


def _joined(messages: Sequence[Message]) -> list[Message]:
    """Turn requests for approval into the assistant's own words; answers to them are no words.

    A request that nobody has answered keeps its role: nothing of it was carried out.
    """
    joined: list[Message] = []
    asked = -1
    for message in messages:
        if message.role != "approval":
            joined.append(message)
        elif message.tool_calls:
            asked = _join(joined, message)
        elif asked >= 0:
            joined[asked] = replace(joined[asked], role="assistant")
    return joined


def _join(joined: list[Message], request: Message) -> int:
    """Put a request at the end, with the message of the same reply in it; return where it is."""
    before = joined[-1] if joined else None
    if before and before.role == "assistant" and before.step_id == request.step_id:
        calls = (*before.tool_calls, *request.tool_calls)
        joined[-1] = replace(before, role="approval", tool_calls=calls)
    else:
        joined.append(request)
    return len(joined) - 1


def clean_text(text: str) -> str:
    """Return `text` with NUL and lone surrogates replaced by U+FFFD; pairs become characters."""
    if text.isascii():
        return text.replace("\0", "\ufffd")
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", "\ufffd")


def _once(messages: Sequence[Message]) -> list[Message]:
    """Return messages without repetitions. Tool messages are told apart by their returns."""
    seen: set[str] = set()
    first: list[Message] = []
    for message in messages:
        if message.role == "tool" or message.id not in seen:
            first.append(message)
        if message.role != "tool":
            seen.add(message.id)
    return first


def _filled(message: Message) -> Message:
    if message.role == "user" and _says_nothing(message):
        return replace(message, parts=(TextPart(EMPTY),))
    return message


def _match(messages: Sequence[Message]) -> dict[Slot, tuple[Message, ToolReturn]]:
    """Pair each return with the latest unanswered call of its id: some servers reuse ids."""
    pending: dict[str, int] = {}
    matched: dict[Slot, tuple[Message, ToolReturn]] = {}
    for at, message in enumerate(messages):
        for one in message.tool_returns:
            if one.tool_call_id in pending:
                matched[pending.pop(one.tool_call_id), one.tool_call_id] = (message, one)
        pending |= {call.id: at for call in message.tool_calls}
    return matched


def _answers(
    message: Message, at: int, returns: dict[Slot, tuple[Message, ToolReturn]]
) -> Iterable[Message]:
    """Yield the tool messages that answer `message`, in the order of its calls."""
    carrier: Message | None = None
    carried: list[ToolReturn] = []
    for call in message.tool_calls:
        source, given = returns.get((at, call.id)) or (_stand_in(message), _closed(call, message))
        if carrier is not None and source.id != carrier.id:
            yield replace(carrier, role="tool", tool_returns=tuple(carried))
            carried = []
        carrier = source
        carried.append(given)
    if carrier is not None:
        yield replace(carrier, role="tool", tool_returns=tuple(carried))


def _stand_in(message: Message) -> Message:
    return Message(id=message.id, role="tool", created_at=message.created_at, is_err=True)


def _closed(call: ToolCall, message: Message) -> ToolReturn:
    text = NOT_RUN if message.role == "approval" else INTERRUPTED
    return ToolReturn(call.id, call.name, text, status="error")


def _says_nothing(message: Message) -> bool:
    pictures = any(isinstance(part, ImagePart) for part in message.parts)
    return not (message.tool_calls or message.approvals or pictures or message.text.strip())


def _distinct(message: Message) -> Message:
    calls: dict[str, ToolCall] = {}
    for call in message.tool_calls:
        calls.setdefault(call.id, call)
    if len(calls) == len(message.tool_calls):
        return message
    return replace(message, tool_calls=tuple(calls.values()))


def clean_name(name: str) -> str:
    """Return the name of a tool with what providers do not allow in one replaced."""
    return name if _NAME.fullmatch(name) else _UNFIT.sub("_", name)[:64] or "unnamed"


def _spotless(message: Message) -> bool:
    """Tell quickly, for most messages, that nothing is to be cleaned."""
    texts = [part.text for part in message.parts if not isinstance(part, ImagePart)]
    if message.tool_calls:
        texts += [text for one in message.tool_calls for text in (one.id, one.arguments)]
        ids = {call.id for call in message.tool_calls}
        named = all(_NAME.fullmatch(call.name) for call in message.tool_calls)
        if len(ids) < len(message.tool_calls) or not named:
            return False
    texts += [text for one in message.tool_returns for text in (one.tool_call_id, one.text)]
    return all(text.isascii() and "\0" not in text for text in texts)


def _clean(message: Message) -> Message:
    parts = tuple(_clean_part(part) for part in message.parts)
    calls = tuple(
        ToolCall(clean_text(call.id), clean_name(call.name), clean_text(call.arguments))
        for call in message.tool_calls
    )
    returns = tuple(
        replace(one, tool_call_id=clean_text(one.tool_call_id), text=clean_text(one.text))
        for one in message.tool_returns
    )
    if (parts, calls, returns) == (message.parts, message.tool_calls, message.tool_returns):
        return message
    return replace(message, parts=parts, tool_calls=calls, tool_returns=returns)


def _clean_part(part: Part) -> Part:
    if isinstance(part, TextPart | ReasoningPart):
        return replace(part, text=clean_text(part.text))
    return part
