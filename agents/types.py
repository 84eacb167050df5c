"""Frozen values that every room of `agents` speaks. No ORM row and no wire class goes further."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from memory.logic.edits import BlockEdit, BlockView

Role = Literal["system", "user", "assistant", "tool", "summary", "approval"]
Status = Literal["success", "error"]
WhenBusy = Literal["queue", "reject", "interrupt"]
Json = dict[str, Any]

CLIENT_TOOL = "client"  # the type of a tool that the caller of the API runs itself


@dataclass(frozen=True, slots=True)
class TextPart:
    """Words."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningPart:
    """Thinking of the model. `native` tells a reasoning model's own from a prompted one."""

    text: str
    signature: str | None = None
    native: bool = True


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A picture: either `url`, or `media_type` with base64 `data`."""

    url: str | None = None
    media_type: str | None = None
    data: str | None = None


Part = TextPart | ReasoningPart | ImagePart


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asked for. `arguments` is JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolReturn:
    """What a call gave back to the model."""

    tool_call_id: str
    name: str
    text: str
    status: Status = "success"
    stdout: tuple[str, ...] = ()
    stderr: tuple[str, ...] = ()
    duration_ns: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a history. `seq` is 0 until it is stored."""

    id: str
    role: Role
    created_at: datetime
    parts: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_returns: tuple[ToolReturn, ...] = ()
    approvals: tuple[Json, ...] = ()
    seq: int = 0
    name: str | None = None
    otid: str | None = None
    sender_id: str | None = None
    group_id: str | None = None
    step_id: str | None = None
    run_id: str | None = None
    model: str | None = None
    is_err: bool = False

    @property
    def text(self) -> str:
        """All words of the message, without reasoning."""
        return "\n".join(part.text for part in self.parts if isinstance(part, TextPart))


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as an agent sees it. `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: Json
    tool_type: str = "custom"
    tool_id: str = ""
    return_limit_chars: int = 50_000
    parallel: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model call, or of several added up. None means the provider did not say."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            _sum(self.cached_input_tokens, other.cached_input_tokens),
            _sum(self.cache_write_tokens, other.cache_write_tokens),
            _sum(self.reasoning_tokens, other.reasoning_tokens),
        )


def _sum(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else a + b


@dataclass(frozen=True, slots=True)
class ModelParams:
    """Which model to call and how. `handle` is `provider/model`; `options` go to the provider."""

    handle: str
    temperature: float | None = None
    max_tokens: int | None = None
    parallel_tool_calls: bool = False
    reasoning_effort: str | None = None
    response_format: Json | None = None
    options: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CompactionPlan:
    """How an agent's window is shortened. `model` None: by the agent's own, as `self_compact_*` is.

    `window_tokens` is that model's window, 0 for the agent's own. `keep_share` of the window stays
    word for word in the sliding modes; `clip_chars` is the longest summary.
    """

    mode: str = "sliding_window"
    model: str | None = None
    window_tokens: int = 0
    keep_share: float = 0.3
    clip_chars: int | None = 50_000
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """An agent as the engine needs it, for one run.

    `token_ratio`: how many tokens its provider counted lately where we had estimated one.
    `steps_before` and `usage_before` are what a run that was interrupted had done already.
    """

    agent_id: str
    agent_type: str
    run_id: str
    conversation_id: str
    name: str
    timezone: str
    model: ModelParams
    window_tokens: int
    tools: tuple[ToolSpec, ...]
    blocks: tuple[BlockView, ...]
    tool_rules: tuple[Json, ...] = ()
    max_steps: int = 50
    stream_tokens: bool = False
    compaction: CompactionPlan = CompactionPlan()
    token_ratio: float = 1.0
    steps_before: int = 0
    usage_before: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Pending:
    """Calls that have waited, with their answers: a run that finds them begins with them.

    `held` are calls of the same reply that needed no answer. `answers` has a row for each call of
    `request`: {"type": "approval", "tool_call_id", "approve", "reason"}, or {"type": "tool",
    "tool_call_id", "tool_return", "status", "stdout", "stderr"}. `followed`: words came with them.
    `cut_short`: they were being carried out when the server stopped, so none is made again.
    """

    request: Message
    held: tuple[ToolCall, ...]
    answers: tuple[Json, ...]
    followed: bool = False
    cut_short: bool = False


@dataclass(frozen=True, slots=True)
class Transcript:
    """What is in the window: the compiled system prompt, the summary, the messages, in order."""

    system: str
    messages: tuple[Message, ...]
    summary: Message | None = None
    pending: Pending | None = None


@dataclass(frozen=True, slots=True)
class NewPassage:
    """A passage that a tool asks to be stored with the step."""

    text: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A stretch of a file that a tool asks to be shown: lines `start` to `end`, as `view`."""

    file_id: str
    view: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class RetrievalRecord:
    """A search that a tool made: kind is `messages`, `passages` or `files`; hits are
    {"id","score"} with the parts of the score (memory.logic.relevance)."""

    kind: str
    query: str
    filters: Json
    hits: tuple[Json, ...]
    mode: str = "lexical"


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What running a tool gave: text for the model, and changes for the checkpoint to make.

    `closes_others`: all files but the `opened` ones are to be closed.
    `value` is what custom code returned, where it is more than its text.
    """

    text: str
    status: Status = "success"
    edits: tuple[BlockEdit, ...] = ()
    passages: tuple[NewPassage, ...] = ()
    retrieval: RetrievalRecord | None = None
    opened: tuple[OpenedFile, ...] = ()
    closes_others: bool = False
    stdout: tuple[str, ...] = ()
    stderr: tuple[str, ...] = ()
    value: Any = None


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a tool may know of its caller. `blocks` are as the running step sees them.

    `run_id` is empty when a person tries a tool outside of a run.
    """

    agent_id: str
    org_id: str
    conversation_id: str
    timezone: str
    blocks: tuple[BlockView, ...]
    now: datetime
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class InputMessage:
    """A message as a client sent it. `approvals` are answers to calls that wait, in role approval.

    An answer is a row of `Pending.answers`, or, for all calls of a request at once, one with
    "approval_request_id" in place of "tool_call_id".
    """

    role: Role
    parts: tuple[Part, ...] = ()
    name: str | None = None
    otid: str | None = None
    sender_id: str | None = None
    group_id: str | None = None
    approvals: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class RunInput:
    """A request to an agent, as the desk hands it to the runner.

    `request_config` is what the wire shows of it, `metadata` likewise (`run_type`);
    `resend_key` is the digest of the request, `resends` tells that the caller says it sends it
    again, `idempotency_key` and `otid` are what the caller itself gave it.
    `client_tools` are {"name", "description", "parameters"}: tools that the caller runs itself;
    `client_skills` are {"name", "description", "location"}: what its surroundings have on offer.
    """

    agent_id: str
    messages: tuple[InputMessage, ...]
    max_steps: int = 50
    stream_tokens: bool = False
    background: bool = False
    conversation_id: str | None = None
    override_model: str | None = None
    override_system: str | None = None
    client_tools: tuple[Json, ...] = ()
    client_skills: tuple[Json, ...] = ()
    request_config: Json = field(default_factory=dict)
    metadata: Json = field(default_factory=dict)
    callback_url: str | None = None
    resend_key: str | None = None
    resends: bool = False
    idempotency_key: str | None = None
    otid: str | None = None
    when_busy: WhenBusy = "queue"
    batch_id: str | None = None


@dataclass(frozen=True, slots=True)
class RunRef:
    """A run by its ids. `background`: what it tells is recorded; `calls_back`: when it ends."""

    run_id: str
    agent_id: str
    conversation_id: str
    org_id: str
    background: bool = field(default=False, compare=False)
    calls_back: bool = field(default=False, compare=False)
