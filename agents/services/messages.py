"""Rows of messages to values and back: the one place where this happens."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple, cast

from agents.models import Agent, Message
from agents.types import ImagePart, Json, Part, ReasoningPart, Role, TextPart, ToolCall, ToolReturn
from agents.types import Message as MessageValue
from letta_site.core.clock import now
from letta_site.core.types import Actor
from memory.services.search import Entry, drop, index


def to_part(row: Json) -> Part:
    """Return the value of one stored part."""
    kind = row.get("type")
    if kind == "reasoning":
        return ReasoningPart(row["text"], row.get("signature"), row.get("native", True))
    if kind == "image":
        return ImagePart(row.get("url"), row.get("media_type"), row.get("data"))
    return TextPart(row.get("text", ""))


def from_part(part: Part) -> Json:
    """Return what is stored of one part."""
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, ReasoningPart):
        return {
            "type": "reasoning",
            "text": part.text,
            "signature": part.signature,
            "native": part.native,
        }
    return {"type": "image", "url": part.url, "media_type": part.media_type, "data": part.data}


def _to_return(row: Json) -> ToolReturn:
    return ToolReturn(
        row["tool_call_id"],
        row["name"],
        row["text"],
        row["status"],
        tuple(row.get("stdout", ())),
        tuple(row.get("stderr", ())),
        row.get("duration_ns", 0),
    )


def _from_return(value: ToolReturn) -> Json:
    return {
        "tool_call_id": value.tool_call_id,
        "name": value.name,
        "text": value.text,
        "status": value.status,
        "stdout": list(value.stdout),
        "stderr": list(value.stderr),
        "duration_ns": value.duration_ns,
    }


def to_type(row: Message) -> MessageValue:
    """Return the value of a stored message."""
    return MessageValue(
        id=row.id,
        role=cast(Role, row.role),
        created_at=row.created_at,
        parts=tuple(to_part(part) for part in row.content),
        tool_calls=tuple(ToolCall(**call) for call in row.tool_calls),
        tool_returns=tuple(_to_return(one) for one in row.tool_returns),
        approvals=tuple(row.approvals),
        seq=row.seq,
        name=row.name,
        otid=row.otid,
        sender_id=row.sender_id,
        group_id=row.group_id,
        step_id=row.step_id,
        run_id=row.run_id,
        model=row.model,
        is_err=row.is_err,
    )


def columns_of(value: MessageValue) -> Json:
    """Return what is stored of the words and calls of a message."""
    return {
        "content": [from_part(part) for part in value.parts],
        "tool_calls": [
            {"id": call.id, "name": call.name, "arguments": call.arguments}
            for call in value.tool_calls
        ],
    }


def to_row(value: MessageValue, *, agent: Agent, conversation_id: str, actor: Actor) -> Message:
    """Return an unsaved row."""
    return Message(
        id=value.id,
        org_id=agent.org_id,
        agent=agent,
        conversation_id=conversation_id,
        seq=value.seq,
        role=value.role,
        **columns_of(value),
        tool_returns=[_from_return(one) for one in value.tool_returns],
        approvals=list(value.approvals),
        name=value.name,
        otid=value.otid,
        sender_id=value.sender_id,
        group_id=value.group_id,
        step_id=value.step_id,
        run_id=value.run_id,
        model=value.model,
        is_err=value.is_err,
        created_at=value.created_at,
        updated_at=now(),
        created_by_id=actor.id,
        last_updated_by_id=actor.id,
    )


def store_messages(
    values: Sequence[MessageValue],
    *,
    agent: Agent,
    conversation_id: str,
    actor: Actor,
    findable: bool = True,
    aside: Collection[str] = (),
) -> None:
    """Insert messages that already have their `seq`, and make them findable.

    Call it inside `aio.write()`. `findable` False: the caller sees to that later. `aside` are the
    ids of those that no window shows.
    """
    if not values:
        return
    place: Json = {"agent": agent, "conversation_id": conversation_id, "actor": actor}
    rows = [to_row(value, **place) for value in values]
    for row in rows:
        row.aside = row.id in aside
    Message.objects.bulk_create(rows)
    if findable:
        index_messages(values, Home(agent.org_id, agent.id, conversation_id))


class Home(NamedTuple):
    """Where messages belong."""

    org_id: str
    agent_id: str
    conversation_id: str


def index_messages(values: Iterable[MessageValue], home: Home) -> None:
    """Make messages findable. Call it inside `aio.write()`.

    Only words of people and agents are indexed: tool traffic and prompts would drown them.
    """
    index([_entry(value, home) for value in values if is_findable(value)])


def index_again(value: MessageValue, home: Home) -> None:
    """Make the words of an edited message findable, and the old ones not."""
    if is_findable(value):
        index([_entry(value, home)])
    else:
        drop([value.id])


def spoken(value: MessageValue) -> str:
    """Return the words of a message, including those said through `send_message`."""
    said = [_said(call) for call in value.tool_calls if call.name == "send_message"]
    return "\n".join(text for text in [value.text, *said] if text)


def _said(call: ToolCall) -> str:
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        return ""
    return str(arguments.get("message", "")) if isinstance(arguments, dict) else ""


def is_findable(value: MessageValue) -> bool:
    """Tell whether a message has words that a search should find."""
    return value.role in ("user", "assistant") and bool(spoken(value).strip())


def _entry(value: MessageValue, home: Home) -> Entry:
    return Entry(
        org_id=home.org_id,
        kind="message",
        ref_id=value.id,
        scope_id=home.agent_id,
        thread_id=home.conversation_id,
        role=value.role,
        speaker=value.name or "",
        seq=value.seq,
        text=spoken(value),
        created_at=value.created_at,
    )


def number(values: Iterable[MessageValue], agent: Agent) -> list[MessageValue]:
    """Give each message the agent's next sequence number; the caller saves `last_seq`."""
    numbered = []
    for value in values:
        agent.last_seq += 1
        numbered.append(replace(value, seq=agent.last_seq))
    return numbered
