"""What a run tells the world, in the order in which it happens.

Only `StepCommitted` and `RunFinished` speak of things that are stored; the others are for those
who watch, and everything in them arrives again, whole, in the commit.
"""

from dataclasses import dataclass
from datetime import datetime

from agents.types import Message, ToolCall, ToolReturn, Usage
from memory.logic.edits import BlockView


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run left the queue; `inputs` are stored."""

    inputs: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class WindowShortened:
    """Old messages left the window before the model was asked; `summary` is stored."""

    summary: Message


@dataclass(frozen=True, slots=True)
class StepStarted:
    """The model is being asked. `n` counts from 1.

    Comes again, with another `message_id`, when an answer broke off and is asked for anew: the
    message that was under way will not be stored.
    """

    step_id: str
    message_id: str
    n: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More thinking of the message under way."""

    message_id: str
    text: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text of the message under way."""

    message_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """More of a tool call. `name` is set in the first piece of each call only."""

    message_id: str
    index: int
    tool_call_id: str
    name: str | None
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A tool is running."""

    step_id: str
    call: ToolCall


@dataclass(frozen=True, slots=True)
class ToolReturned:
    """A tool is done; its return is not stored yet."""

    step_id: str
    result: ToolReturn


@dataclass(frozen=True, slots=True)
class StepCommitted:
    """Everything of this step is in the database."""

    step_id: str
    n: int
    messages: tuple[Message, ...]
    usage: Usage
    changed_blocks: tuple[BlockView, ...] = ()
    passages_added: int = 0
    stop_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run failed. `kind` is one of Letta's error types, `todo` what the reader can do."""

    kind: str
    message: str
    todo: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The last event of a run, always. `run_ids`: runs that it led to, of other agents."""

    stop_reason: str
    usage: Usage
    step_count: int
    context_tokens: int | None = None
    failure: Failure | None = None
    run_ids: tuple[str, ...] = ()


Event = (
    RunStarted
    | WindowShortened
    | StepStarted
    | ReasoningDelta
    | TextDelta
    | ToolCallDelta
    | ToolStarted
    | ToolReturned
    | StepCommitted
    | RunFinished
)
