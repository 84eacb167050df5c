"""Editing a stored message. What it was before is kept as a version."""

import json
from dataclasses import dataclass, replace
from typing import Literal

from agents.engine.prompt import unwrap_user_text
from agents.engine.strategies import strategy_of
from agents.models import Message, MessageVersion
from agents.services.messages import Home, columns_of, index_again, to_type
from agents.types import Message as MessageValue
from agents.types import Part, ReasoningPart, TextPart, ToolCall
from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.errors import Invalid, NotFound
from letta_site.core.types import Actor

EditKind = Literal["system_message", "user_message", "assistant_message", "reasoning_message"]
SPEAKING_TOOL, SPEAKING_ARGUMENT = "send_message", "message"
_ROLES = {
    "system_message": ("system",),
    "user_message": ("user",),
    "assistant_message": ("assistant",),
    "reasoning_message": ("assistant", "approval"),
}


@dataclass(frozen=True, slots=True)
class MessageChange:
    """New words, or new parts, for what a client sees as a message of type `kind`."""

    kind: EditKind
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """All words of it."""
        return "\n".join(part.text for part in self.parts if isinstance(part, TextPart))


def edit_message(
    actor: Actor, agent_id: str, message_id: str, change: MessageChange, *, agent_type: str
) -> MessageValue:
    """Change the words of a message, keep the old ones, and return it as it is now.

    A run that is under way goes on with what it has read. Raises NotFound, or Invalid when the
    message has nothing of that kind in it.
    """
    with write():
        rows = Message.objects.of(actor).filter(agent_id=agent_id, pk=message_id)
        row: Message | None = rows.select_for_update(of=("self",)).first()
        if row is None:
            raise NotFound(f"No message found with id '{message_id}' for agent '{agent_id}'.")
        before = to_type(row)
        after = _changed(before, change, speaks=strategy_of(agent_type).reply == "send_message")
        if after == before:
            return before
        _keep_version(actor, row)
        for name, value in columns_of(after).items():
            setattr(row, name, value)
        row.updated_at, row.last_updated_by_id = now(), actor.id
        row.save(update_fields=["content", "tool_calls", "updated_at", "last_updated_by_id"])
        index_again(after, Home(row.org_id, agent_id, row.conversation_id))
    return after


def _keep_version(actor: Actor, row: Message) -> None:
    MessageVersion.objects.create(
        message=row,
        n=MessageVersion.objects.filter(message=row).count() + 1,
        content=row.content,
        tool_calls=row.tool_calls,
        actor_kind=actor.kind,
        actor_id=actor.id,
    )


def _changed(message: MessageValue, change: MessageChange, *, speaks: bool) -> MessageValue:
    if message.role not in _ROLES[change.kind]:
        raise _other_kind(message, change)
    if change.kind == "reasoning_message":
        return _with_reasoning(message, change)
    if change.kind == "assistant_message":
        return _with_reply(message, change, speaks=speaks)
    if change.kind == "user_message" and unwrap_user_text(message.text) != message.text:
        return replace(message, parts=(TextPart(_wrapped_again(message.text, change.text)),))
    return replace(message, parts=change.parts)


def _with_reasoning(message: MessageValue, change: MessageChange) -> MessageValue:
    at = next((n for n, one in enumerate(message.parts) if isinstance(one, ReasoningPart)), None)
    if at is None:
        raise _other_kind(message, change)
    old = message.parts[at]
    # The provider signed the old words; with new ones its signature would be refused.
    new = ReasoningPart(change.text, None, old.native if isinstance(old, ReasoningPart) else True)
    return replace(message, parts=(*message.parts[:at], new, *message.parts[at + 1 :]))


def _with_reply(message: MessageValue, change: MessageChange, *, speaks: bool) -> MessageValue:
    calls = message.tool_calls
    at = next((n for n, call in enumerate(calls) if call.name == SPEAKING_TOOL), None)
    thoughts = tuple(part for part in message.parts if isinstance(part, ReasoningPart))
    if not speaks and len(thoughts) < len(message.parts):
        return replace(message, parts=(*thoughts, *change.parts))
    if at is None:
        raise _other_kind(message, change)
    said = _with_argument(calls[at], change.text)
    return replace(message, tool_calls=(*calls[:at], said, *calls[at + 1 :]))


def _with_argument(call: ToolCall, text: str) -> ToolCall:
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        arguments = {}
    known = arguments if isinstance(arguments, dict) else {}
    return replace(
        call, arguments=json.dumps({**known, SPEAKING_ARGUMENT: text}, ensure_ascii=False)
    )


def _wrapped_again(old: str, text: str) -> str:
    return json.dumps({**json.loads(old), "message": text}, ensure_ascii=False)


def _other_kind(message: MessageValue, change: MessageChange) -> Invalid:
    return Invalid(f"Message {message.id} ({message.role}) holds no {change.kind}.")
