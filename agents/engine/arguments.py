"""Arguments as the model wrote them, and the extra ones that some agent types add. PURE."""

import json
from dataclasses import dataclass, replace
from typing import Any

from agents.engine.strategies import TERMINAL_TOOLS, Strategy
from agents.types import Json, ToolSpec

HEARTBEAT = "request_heartbeat"
THINKING = "thinking"

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


def read_arguments(text: str) -> Arguments:
    """Parse the arguments of a call and take out what is meant for the loop."""
    try:
        values: Any = json.loads(text or "{}", strict=False)
    except ValueError as error:
        return Arguments({}, error=f"The arguments are not valid JSON ({error}). Call again.")
    if not isinstance(values, dict):
        kind = type(values).__name__
        return Arguments({}, error=f"The arguments must be a JSON object, not a {kind}.")
    heartbeat = values.pop(HEARTBEAT, False)
    thinking = values.pop(THINKING, "")
    asked = heartbeat if isinstance(heartbeat, bool) else str(heartbeat).lower() == "true"
    return Arguments(values, asked, str(thinking or ""))


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
