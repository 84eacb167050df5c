"""What a built-in tool is, and short ways to write one down."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from agents.types import Json, ToolContext, ToolOutcome, ToolSpec

CORE = "letta_core"
MULTI_AGENT_CORE = "letta_multi_agent_core"
MEMORY_CORE = "letta_memory_core"
BUILTIN_TYPE = "letta_builtin"
SLEEPTIME_CORE = "letta_sleeptime_core"
FILES_CORE = "letta_files_core"
VOICE_SLEEPTIME_CORE = "letta_voice_sleeptime_core"

# What the contract writes for a tool that has nothing to say.
NOTHING = "None"

Run = Callable[[Json, ToolContext], Awaitable[ToolOutcome]]


class ToolFailure(Exception):
    """A call that cannot be carried out; the text is written for the model that made it."""


class Messenger(Protocol):
    """The way from a running agent to others of its organisation. Raises ToolFailure, NotFound."""

    async def ask(self, agent_id: str, text: str) -> str:
        """Send a message, wait for the turn that it leads to, and return what was said in it."""
        ...

    async def tell(self, agent_id: str, text: str) -> None:
        """Send a message and return when it is stored."""
        ...


Talk = Callable[[Json, ToolContext, Messenger], Awaitable[ToolOutcome]]


@dataclass(frozen=True, slots=True)
class Builtin:
    """A tool of ours. `run` gets checked arguments; it raises ToolFailure or EditError.

    `talk` instead of `run`: the tool sends messages to other agents.
    """

    spec: ToolSpec
    run: Run | None = None
    talk: Talk | None = None


def builtin(
    name: str, tool_type: str, description: str, properties: Json, *, optional: Sequence[str] = ()
) -> Callable[[Run], Builtin]:
    """Make a tool of the function below. All `properties` are required but the `optional` ones."""
    spec = ToolSpec(name, description, _schema(properties, optional), tool_type)

    def wrap(run: Run) -> Builtin:
        return Builtin(spec, run)

    return wrap


def talking(
    name: str, description: str, properties: Json, *, optional: Sequence[str] = ()
) -> Callable[[Talk], Builtin]:
    """Make a tool that sends messages to other agents of the function below."""
    spec = ToolSpec(name, description, _schema(properties, optional), MULTI_AGENT_CORE)

    def wrap(talk: Talk) -> Builtin:
        return Builtin(spec, talk=talk)

    return wrap


def _schema(properties: Json, optional: Sequence[str]) -> Json:
    return {
        "type": "object",
        "properties": properties,
        "required": [key for key in properties if key not in optional],
    }


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
