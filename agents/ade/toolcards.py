"""A tool call as a card: what it was asked, what it gave back, what it changed in memory."""

import json
from dataclasses import dataclass, replace
from typing import Any

from agents.engine.prompt import unwrap_tool_return
from agents.types import ToolCall, ToolReturn
from memory.ade.diffs import DiffLine, diff_lines

RESULT_CHARS = 4_000
NS_PER_MS = 1_000_000
REPLY_TOOL = "send_message"
_ICONS = {
    "archival": "archive",
    "conversation": "search",
    "memory": "memory",
    "core": "memory",
    "web": "web",
    "fetch": "web",
    "send": "chat",
    "open": "file",
    "grep": "file",
    "semantic": "file",
}


@dataclass(frozen=True, slots=True)
class BlockChange:
    """What a tool call made of a block."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ToolCard:
    """What the template shows of a call. `status` is running, waiting, success or error."""

    id: str
    dom_id: str
    name: str
    icon: str
    target: str = ""
    arguments: str = ""
    result: str = ""
    status: str = "running"
    duration: str = ""
    diff: tuple[DiffLine, ...] = ()


def icon_of(name: str) -> str:
    """Return the name of the icon of a tool."""
    return _ICONS.get(name.split("_", 1)[0], "wrench")


def open_card(call: ToolCall, row_id: str) -> ToolCard:
    """Return the card of a call that has no result yet, in the row with the id `row_id`."""
    arguments = parse_arguments(call.arguments)
    return ToolCard(
        id=call.id,
        dom_id=f"{row_id}-{call.id}",
        name=call.name,
        icon=icon_of(call.name),
        target=_target(arguments),
        arguments=_pretty(call.arguments),
        diff=tuple(_wished(call.name, arguments)),
    )


def close_card(
    card: ToolCard, result: ToolReturn | None, change: BlockChange | None = None
) -> ToolCard:
    """Add the result and, if the call changed a block, what really changed."""
    if change:
        diff = tuple(diff_lines(change.before, change.after))
        card = replace(card, diff=diff, target=change.label)
    if result is None:
        return card
    return replace(
        card,
        result=_short(_pretty(unwrap_tool_return(result.text)[1])),
        status=result.status,
        duration=duration_text(result.duration_ns),
        diff=card.diff if result.status == "success" else (),
    )


def duration_text(ns: int | None) -> str:
    """Return `12 ms` or `2.8 s`; nothing for an unknown duration."""
    if not ns:
        return ""
    if ns < 1000 * NS_PER_MS:
        return f"{max(1, round(ns / NS_PER_MS))} ms"
    return f"{ns / (1000 * NS_PER_MS):.1f} s"


def parse_arguments(text: str) -> dict[str, Any]:
    """Return the arguments of a call, or nothing of them if they are no JSON object."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _pretty(text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        return text
    if not isinstance(found, dict | list):
        return text
    return json.dumps(found, indent=2, ensure_ascii=False) if found else ""


def _short(text: str) -> str:
    return text if len(text) <= RESULT_CHARS else f"{text[:RESULT_CHARS]}…"


def _target(arguments: dict[str, Any]) -> str:
    for key in ("label", "block_label", "path", "query", "question", "file_name"):
        if value := arguments.get(key):
            return str(value)[:60]
    return ""


def _wished(name: str, arguments: dict[str, Any]) -> list[DiffLine]:
    """Return the change that a memory call asks for, as far as its arguments tell."""
    if "memory" not in name or name.startswith("archival"):
        return []
    before = _first(arguments, "old_str", "old_string", "old_content")
    after = _first(arguments, "new_str", "new_string", "new_content", "insert_text")
    after = after or _first(arguments, "content", "new_memory", "file_text", "value")
    return diff_lines(before, after)


def _first(arguments: dict[str, Any], *keys: str) -> str:
    found = (arguments[key] for key in keys if arguments.get(key))
    return str(next(found, ""))
