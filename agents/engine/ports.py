"""The four doors through which the world enters the loop, and what passes through them."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from agents.engine.clipping import NO_CLIP, Clip
from agents.engine.events import Failure
from agents.types import (
    Json,
    Message,
    ModelParams,
    ToolCall,
    ToolContext,
    ToolOutcome,
    ToolSpec,
    Transcript,
    Usage,
)
from memory.logic.edits import BlockView


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question to the model. `forced_tool` is a tool name, "required", or None for free.

    `summary`: notes on a conversation are asked for, not the next thing to say in it.
    """

    model: ModelParams
    transcript: Transcript
    tools: tuple[ToolSpec, ...]
    agent_id: str = ""
    forced_tool: str | None = None
    stream: bool = False
    tool_return_limit_chars: int = 50_000
    summary: bool = False


@dataclass(frozen=True, slots=True)
class ReplyDelta:
    """A piece of an answer under way: text, reasoning, or a piece of call `index`.

    `restart`: the answer broke off; forget its pieces, it begins anew.
    """

    text: str = ""
    reasoning: str = ""
    index: int | None = None
    tool_call_id: str = ""
    name: str | None = None
    arguments: str = ""
    restart: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """The whole answer. `sent` are the parts of the request for the record, `raw` the response."""

    text: str
    reasoning: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str
    usage: Usage
    model: str
    provider_name: str
    endpoint: str
    sent: Json
    raw: Json
    signature: str | None = None
    ttft_ns: int | None = None


class LLM(Protocol):
    """The telephone."""

    def ask(self, request: ChatRequest) -> AsyncGenerator[ReplyDelta | Reply, None]:
        """Yield pieces as they come, if asked to stream, and last the whole Reply.

        Raises LLMError when the provider fails for good.
        """
        ...


class ToolBox(Protocol):
    """The workshop."""

    async def call(self, call: ToolCall, arguments: Json, context: ToolContext) -> ToolOutcome:
        """Run a tool. A failing tool is an outcome with status error, never an exception."""
        ...


@dataclass(frozen=True, slots=True)
class ExecutedCall:
    """A call with its outcome. `approved`: a person agreed to it."""

    call: ToolCall
    outcome: ToolOutcome
    duration_ns: int
    approved: bool = False


@dataclass(frozen=True, slots=True)
class Eviction:
    """Messages leave the window: those from `from_seq` to `to_seq`; `summary` takes their place.

    `mode` is how the summary was made, `digest` when no model could make one. `total` is the
    usage of the run so far, with what the summary cost.
    """

    trigger: str
    mode: str
    from_seq: int
    to_seq: int
    message_ids: tuple[str, ...]
    summary: Message
    tokens_before: int
    tokens_after: int
    total: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Evicted:
    """What became of an eviction: the stored summary, and the head if it was compiled anew."""

    summary: Message
    system: str | None = None


@dataclass(frozen=True, slots=True)
class StepRecord:
    """Everything of one step, to be stored in one transaction.

    `stop_reason` set: the run ends with this step, in the same transaction. `failure` set: the
    model call failed and `reply` is None. `window` is the (first, last)
    sequence number that the model was asked with, `summary_id` the summary's message, `clip` how
    the window was shortened in the request. `estimated_tokens` is not calibrated yet; `token_ratio`
    is what the step's own usage made of the calibration. `total` is the usage of the run so far,
    with this step and all summaries. `resumed`: the rest of a step that waited for an answer; its
    row is there already.
    """

    step_id: str
    n: int
    started_at: datetime
    messages: tuple[Message, ...]
    calls: tuple[ExecutedCall, ...]
    reply: Reply | None
    stop_reason: str | None
    failure: Failure | None
    window: tuple[int, int]
    summary_id: str | None
    estimated_tokens: int
    block_versions: dict[str, int]
    clip: Clip = NO_CLIP
    token_ratio: float = 1.0
    total: Usage = Usage()
    llm_ns: int = 0
    total_ns: int = 0
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class Committed:
    """What the transaction made of a record: messages with their numbers, blocks as they are.

    `blocks` is None when the step edited none, so that nothing was read again.
    """

    messages: tuple[Message, ...]
    blocks: tuple[BlockView, ...] | None
    changed_blocks: tuple[BlockView, ...]
    passages_added: int = 0


class Ledger(Protocol):
    """The one checkpoint."""

    async def commit(self, record: StepRecord) -> Committed:
        """Store the step and everything it changed, or nothing of it."""
        ...

    async def evict(self, eviction: Eviction) -> Evicted:
        """Store the new summary and move the window's edge; return what is there now."""
        ...

    async def finish(self, stop_reason: str, failure: Failure | None) -> None:
        """End a run outside of a step."""
        ...


class CancelFlag(Protocol):
    """Whether somebody asked the run to stop."""

    def is_set(self) -> bool:
        """Tell at once."""
        ...

    async def wait(self) -> object:
        """Return when the flag is set."""
        ...


class Clock(Protocol):
    """The time, as the run sees it."""

    def now(self) -> datetime:
        """Return the current moment, aware, in UTC."""
        ...

    def ticks_ns(self) -> int:
        """Return a monotonic reading in nanoseconds."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The doors of one run."""

    llm: LLM
    tools: ToolBox
    ledger: Ledger
    cancel: CancelFlag
    clock: Clock
    org_id: str = ""
