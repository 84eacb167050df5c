"""What a built-in tool is, and short ways to write one down."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from agents.types import Json, ToolContext, ToolOutcome, ToolSpec

CORE = "letta_core"
MEMORY_CORE = "letta_memory_core"
SLEEPTIME_CORE = "letta_sleeptime_core"
VOICE_SLEEPTIME_CORE = "letta_voice_sleeptime_core"

# What the contract writes for a tool that has nothing to say.
NOTHING = "None"

Run = Callable[[Json, ToolContext], Awaitable[ToolOutcome]]


class ToolFailure(Exception):
    """A call that cannot be carried out; the text is written for the model that made it."""


@dataclass(frozen=True, slots=True)
class Builtin:
    """A tool of ours. `run` gets checked arguments; it raises ToolFailure or EditError."""

    spec: ToolSpec
    run: Run


def builtin(
    name: str, tool_type: str, description: str, properties: Json, *, optional: Sequence[str] = ()
) -> Callable[[Run], Builtin]:
    """Make a tool of the function below. All `properties` are required but the `optional` ones."""
    schema: Json = {
        "type": "object",
        "properties": properties,
        "required": [key for key in properties if key not in optional],
    }

    def wrap(run: Run) -> Builtin:
        return Builtin(ToolSpec(name, description, schema, tool_type), run)

    return wrap


def string(description: str, *, choices: Sequence[str] = ()) -> Json:
    """Return the schema of a text."""
    schema: Json = {"type": "string", "description": description}
    return schema | {"enum": list(choices)} if choices else schema


def integer(description: str, *, default: int | None = None) -> Json:
    """Return the schema of a whole number."""
    schema: Json = {"type": "integer", "description": description}
    return schema if default is None else schema | {"default": default}


def strings(description: str, *, choices: Sequence[str] = ()) -> Json:
    """Return the schema of a list of texts."""
    items: Json = {"type": "string", "enum": list(choices)} if choices else {"type": "string"}
    return {"type": "array", "items": items, "description": description}
