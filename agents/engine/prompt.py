"""Texts that the server itself writes into a history: system prompt, boot, notices, envelopes."""

import json
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import NotRequired, TypedDict, Unpack
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agents.engine.strategies import Strategy
from agents.engine.tool_rules import describe_rules, parse_rules
from agents.types import (
    Json,
    Message,
    ReasoningPart,
    Role,
    Status,
    TextPart,
    ToolCall,
    ToolReturn,
)
from letta_site.core.ids import new_id
from memory.logic.edits import BlockView
from memory.logic.render import render_blocks

MEMORY_PLACEHOLDER = "{CORE_MEMORY}"
AUTOMATED_PREFIX = "[Automated notice; the user does not see it] "
BOOT_THOUGHT = (
    "I have just been started. My memory is in place; I will let the user know I am here."
)
BOOT_GREETING = "Hello, I am here and ready whenever you are."
SENT = "Sent message successfully."
_SKILLS_INTRO = (
    "The one who wrote to you has these skills at hand. Each is described in full at its place; "
    "read it there, with a tool that can, before you follow it."
)
FIRST_LOGIN = "Never (first login)"
_TIME_FORMAT = "%Y-%m-%d %I:%M:%S %p %Z%z"


class PromptFacts(TypedDict):
    """What the last section of the system prompt tells. `line_numbers` overrides the strategy.

    `directories` is the section about folders and open files, as rendered.
    """

    agent_id: str
    conversation_id: str
    recompiled_at: datetime
    previous_messages: int
    archival_count: int
    timezone: str
    archival_tags: NotRequired[Sequence[str]]
    directories: NotRequired[str]
    line_numbers: NotRequired[bool]


def compile_system(
    *,
    system: str,
    blocks: Sequence[BlockView],
    strategy: Strategy,
    tool_rules: Iterable[Json],
    **facts: Unpack[PromptFacts],
) -> str:
    """Return the system prompt as the model gets it: instructions, memory, rules, files, metadata.

    Memory goes where `system` says `{CORE_MEMORY}`, else to the end. Raises Invalid on a rule of
    unknown type.
    """
    sections: list[str] = []
    if strategy.shows_memory:
        numbers = facts.get("line_numbers", strategy.line_numbers)
        sections.append(render_blocks(blocks, line_numbers=numbers))
    sections.append(describe_rules(parse_rules(tool_rules)))
    sections.append(facts.get("directories", ""))
    sections.append(_metadata(facts))
    compiled = "\n\n".join(section for section in sections if section)
    if MEMORY_PLACEHOLDER in system:
        return system.replace(MEMORY_PLACEHOLDER, compiled)
    return f"{system.rstrip()}\n\n{compiled}" if system.strip() else compiled


def with_skills(system: str, skills: Sequence[Json]) -> str:
    """Return a compiled prompt that also tells of the skills that came with a request.

    They stand at the end, so that what is before them stays as the provider may have cached it.
    """
    if not skills:
        return system
    rows = [f"- {one['name']} ({one['location']}): {one['description']}" for one in skills]
    lines = ("<available_skills>", _SKILLS_INTRO, *rows, "</available_skills>")
    return "\n".join((f"{system}\n", *lines))


def _metadata(facts: PromptFacts) -> str:
    lines = [
        "<memory_metadata>",
        f"- AGENT_ID: {facts['agent_id']}",
        f"- CONVERSATION_ID: {facts['conversation_id']}",
        f"- This prompt was last compiled: {local_time(facts['recompiled_at'], facts['timezone'])}",
        f"- {facts['previous_messages']} earlier messages are in the conversation history "
        "(search it with your tools, if you have them)",
    ]
    if facts["archival_count"]:
        lines.append(f"- {facts['archival_count']} passages are in archival memory")
    if tags := facts.get("archival_tags"):
        lines.append(f"- Tags in archival memory: {', '.join(tags)}")
    return "\n".join([*lines, "</memory_metadata>"])


def local_time(moment: datetime, timezone: str) -> str:
    """Return a moment as the contract writes it, e.g. `2026-01-01 09:00:00 AM UTC+0000`.

    An unknown `timezone` counts as UTC.
    """
    return moment.astimezone(zone_of(timezone)).strftime(_TIME_FORMAT)


def zone_of(name: str) -> tzinfo:
    """Return a time zone by its IANA name; UTC when there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def boot_messages(strategy: Strategy, *, now: datetime, timezone: str) -> tuple[Message, ...]:
    """Return what a fresh history holds after the system message; () for types without a login."""
    if strategy.boot == "system":
        return ()
    if strategy.reply == "send_message":
        greeting: tuple[Message, ...] = say_through_tool(BOOT_GREETING, BOOT_THOUGHT, now)
    else:
        greeting = (_message("assistant", BOOT_GREETING, now),)
    return (*greeting, _message("user", login_text(now, timezone), now))


def seed_messages(
    entries: Iterable[tuple[Role, str]], strategy: Strategy, *, now: datetime, timezone: str
) -> tuple[Message, ...]:
    """Return the messages of an `initial_message_sequence`, given as (role, text) pairs.

    Words of the user are put into their envelope, words of the agent into a send_message call and
    its return, where that is how agents of the type speak.
    """
    messages: list[Message] = []
    for role, text in entries:
        if role == "user":
            messages.append(_message("user", user_envelope(text, now, timezone), now))
        elif role == "assistant" and strategy.reply == "send_message":
            messages.extend(say_through_tool(text, "", now))
        else:
            messages.append(_message(role, text, now))
    return tuple(messages)


def _message(role: Role, text: str, now: datetime) -> Message:
    return Message(id=new_id("message"), role=role, created_at=now, parts=(TextPart(text),))


def say_through_tool(text: str, thought: str, now: datetime) -> tuple[Message, Message]:
    """Return a call of send_message with `text`, and its return."""
    call = ToolCall(
        str(uuid.uuid4()), "send_message", json.dumps({"message": text}, ensure_ascii=False)
    )
    parts = (ReasoningPart(thought, native=False),) if thought else ()
    said = Message(new_id("message"), "assistant", now, parts=parts, tool_calls=(call,))
    returned = ToolReturn(call.id, call.name, SENT)
    return said, Message(new_id("message"), "tool", now, tool_returns=(returned,))


def login_text(now: datetime, timezone: str) -> str:
    """Return the text of the first login event."""
    return _event({"type": "login", "last_login": FIRST_LOGIN, "time": local_time(now, timezone)})


def heartbeat_text(reason: str, now: datetime, timezone: str) -> str:
    """Return the text of a user message that sets an agent going again."""
    notice = AUTOMATED_PREFIX + reason
    return _event({"type": "heartbeat", "reason": notice, "time": local_time(now, timezone)})


def user_envelope(text: str, now: datetime, timezone: str) -> str:
    """Return `text` as initial sequences store what a user said."""
    return _event({"type": "user_message", "message": text, "time": local_time(now, timezone)})


def unwrap_user_text(text: str) -> str:
    """Return what the user said, out of its envelope if it is in one.

    Only envelopes of type user_message are opened: logins, heartbeats and alerts stay as they are.
    """
    event = _parse_object(text)
    if event.get("type") == "user_message" and isinstance(event.get("message"), str):
        return str(event["message"])
    return text


def event_type(text: str) -> str | None:
    """Return the type of the event that a user message holds, e.g. heartbeat; None for words."""
    kind = _parse_object(text).get("type")
    return kind if isinstance(kind, str) else None


def tool_return_envelope(status: Status, message: str | Json, now: datetime, timezone: str) -> str:
    """Return a tool's return as the contract writes it: JSON with status OK or Failed."""
    word = "OK" if status == "success" else "Failed"
    envelope = {"status": word, "message": message, "time": local_time(now, timezone)}
    return json.dumps(envelope, indent=2, ensure_ascii=False)


def unwrap_tool_return(text: str) -> tuple[Status, str]:
    """Return status and text of a tool's return, whether or not it is in its envelope."""
    envelope = _parse_object(text)
    if "message" not in envelope or envelope.get("status") not in ("OK", "Failed"):
        return "success", text
    return "success" if envelope["status"] == "OK" else "error", str(envelope["message"])


def _event(event: Json) -> str:
    return json.dumps(event, ensure_ascii=False)


def _parse_object(text: str) -> Json:
    if not text.lstrip().startswith("{"):
        return {}
    try:
        parsed = json.loads(text)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
