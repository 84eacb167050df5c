"""Shortening what a request shows of the window. The history itself stays whole. PURE."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from agents.types import Message, Part, ReasoningPart, TextPart, ToolCall, ToolReturn

_GAP = "\n[...]\n"


@dataclass(frozen=True, slots=True)
class Clip:
    """Which texts are shortened to how many characters.

    Tool returns of messages numbered below `before_seq` to `return_chars`; every text of every
    message to `text_chars`, if set. A rule, not a state: the same window always reads the same.
    """

    before_seq: int = 0
    return_chars: int = 0
    text_chars: int | None = None


NO_CLIP = Clip()


def squeeze(text: str, limit_chars: int) -> str:
    """Return `text` in at most `limit_chars`, the middle left out.

    The beginning tells the topic and the end what came of it.
    """
    if len(text) <= limit_chars:
        return text
    room = limit_chars - len(_GAP)
    if room <= 0:
        return text[: max(0, limit_chars)]
    head = room // 3
    return text[:head] + _GAP + text[len(text) - (room - head) :]


def clip_messages(messages: Iterable[Message], clip: Clip) -> list[Message]:
    """Return messages as a request shows them."""
    if clip == NO_CLIP:
        return list(messages)
    return [clip_message(message, clip) for message in messages]


def clip_message(message: Message, clip: Clip) -> Message:
    """Return one message as a request shows it; itself when nothing of it is too long."""
    if message.tool_returns and 0 < message.seq < clip.before_seq:
        message = _with_returns(message, clip.return_chars)
    if clip.text_chars is None:
        return message
    message = _with_returns(message, clip.text_chars)
    limit = clip.text_chars
    return replace(
        message,
        parts=tuple(_part(part, limit) for part in message.parts),
        tool_calls=tuple(_call(call, limit) for call in message.tool_calls),
    )


def _with_returns(message: Message, limit: int) -> Message:
    if all(len(one.text) <= limit for one in message.tool_returns):
        return message
    return replace(message, tool_returns=tuple(_return(one, limit) for one in message.tool_returns))


def _return(one: ToolReturn, limit: int) -> ToolReturn:
    return replace(one, text=squeeze(one.text, limit))


def _part(part: Part, limit: int) -> Part:
    if isinstance(part, TextPart | ReasoningPart) and len(part.text) > limit:
        return replace(part, text=squeeze(part.text, limit))
    return part


def _call(call: ToolCall, limit: int) -> ToolCall:
    """Keep arguments JSON: some providers parse those of earlier calls."""
    if len(call.arguments) <= limit:
        return call
    return replace(call, arguments=json.dumps({"shortened": squeeze(call.arguments, limit)}))
