"""Arguments as the model wrote them, and the extra ones that some agent types add. PURE."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from agents.engine.strategies import TERMINAL_TOOLS, Strategy
from agents.types import Json, Message, ToolCall, ToolSpec

HEARTBEAT = "request_heartbeat"
THINKING = "thinking"
SPEAKING_TOOL = "send_message"
MAX_ARGUMENT_CHARS = 1_000_000
MAX_UNREADABLE_STEPS = 3
MAX_DEPTH = 100
_KEPT_CHARS = 200
_CUT = re.compile(r"\.\.\. \[refused: (\d+) characters\]\Z")

_HEARTBEAT_SCHEMA: Json = {
    "type": "boolean",
    "description": "Ask for another turn right after this call, to go on working.",
}
_THINKING_SCHEMA: Json = {
    "type": "string",
    "description": "What you think before the call, for yourself; nobody else reads it.",
}


@dataclass(frozen=True, slots=True)
class Arguments:
    """Parsed arguments of a call. `error` says why they could not be read."""

    values: Json
    heartbeat: bool = False
    thinking: str = ""
    error: str = ""


def cut_arguments(text: str) -> str:
    """Return what is kept of arguments that are too long to be taken: a beginning and the size."""
    return f"{text[:_KEPT_CHARS]}... [refused: {len(text)} characters]"


def is_too_deep(text: str) -> bool:
    """Tell whether values may be nested deeper than anything a tool takes."""
    return text.count("{") + text.count("[") > MAX_DEPTH and _depth(text) > MAX_DEPTH


def _depth(text: str) -> int:
    depth = deepest = 0
    for char in text:
        if char in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "}]":
            depth -= 1
    return deepest


def read_arguments(text: str) -> Arguments:
    """Parse the arguments of a call and take out what is meant for the loop."""
    if cut := _CUT.search(text):
        return Arguments(
            {},
            error=f"The arguments were {int(cut[1]):,} characters long; at most "
            f"{MAX_ARGUMENT_CHARS:,} are taken. Call again with less.",
        )
    if is_too_deep(text):
        return Arguments({}, error=f"The arguments are nested deeper than {MAX_DEPTH} levels.")
    try:
        values: Any = json.loads(text or "{}", strict=False)
    except (ValueError, RecursionError) as error:
        return Arguments({}, error=f"The arguments are not valid JSON ({error}). Call again.")
    if not isinstance(values, dict):
        kind = type(values).__name__
        return Arguments({}, error=f"The arguments must be a JSON object, not a {kind}.")
    heartbeat = values.pop(HEARTBEAT, False)
    thinking = values.pop(THINKING, "")
    asked = heartbeat if isinstance(heartbeat, bool) else str(heartbeat).lower() == "true"
    return Arguments(values, asked, str(thinking or ""))


def unreadable_steps(messages: Sequence[Message], run_id: str, calls: Sequence[ToolCall]) -> int:
    """Return how many steps of a run in a row, up to one with `calls`, had no readable call.

    A call that came together with readable ones does not count: the work goes on.
    """
    count = 0
    steps = [message.tool_calls for message in reversed(messages) if _calls_in(message, run_id)]
    for made in (calls, *steps):
        if not made or any(not read_arguments(call.arguments).error for call in made):
            return count
        count += 1
    return count


def _calls_in(message: Message, run_id: str) -> bool:
    return message.role == "assistant" and message.run_id == run_id


def write_arguments(values: Json, *, heartbeat: bool | None) -> str:
    """Return arguments as they are kept; `heartbeat` is what the loop made of the wish."""
    kept = values if heartbeat is None else {**values, HEARTBEAT: heartbeat}
    return json.dumps(kept, ensure_ascii=False)


def offer(tool: ToolSpec, strategy: Strategy, *, thinks_itself: bool) -> ToolSpec:
    """Return a tool as it is shown to the model of this type of agent."""
    extra: Json = {}
    if strategy.inner_thoughts and not thinks_itself:
        extra[THINKING] = _THINKING_SCHEMA
    required = list(extra)
    if strategy.heartbeats and tool.name not in TERMINAL_TOOLS:
        extra[HEARTBEAT] = _HEARTBEAT_SCHEMA
        required.append(HEARTBEAT)
    if not extra:
        return tool
    schema = tool.parameters
    thought = {THINKING: extra[THINKING]} if THINKING in extra else {}
    rest = {name: row for name, row in extra.items() if name not in thought}
    return replace(
        tool,
        parameters={
            **schema,
            "properties": {**thought, **schema.get("properties", {}), **rest},
            "required": [*schema.get("required", []), *required],
        },
    )
