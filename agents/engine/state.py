"""What a run knows while it works. PURE; lives for one run only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from agents.engine.arguments import offer
from agents.engine.clipping import NO_CLIP, Clip, clip_messages
from agents.engine.ports import ChatRequest, Committed, Reply
from agents.engine.prompt import event_type
from agents.engine.repair import mend
from agents.engine.sizes import Sizes
from agents.engine.strategies import Strategy, strategy_of
from agents.engine.tool_rules import RuleState, parse_rules
from agents.types import CLIENT_TOOL, AgentSpec, Message, ToolSpec, Transcript, Usage
from memory.logic.edits import BlockView


@dataclass(slots=True)
class RunState:
    """The moving part of a run. `messages` is the window, `n` the number of the latest step.

    `clip` is how the window is shortened in requests, `shortened` the summaries that this step has
    put in the place of old messages.
    """

    spec: AgentSpec
    strategy: Strategy
    system: str
    summary: Message | None
    messages: list[Message]
    blocks: tuple[BlockView, ...]
    rules: RuleState
    sizes: Sizes
    clip: Clip = NO_CLIP
    shortened: list[Message] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    context_tokens: int | None = None
    n: int = 0

    @classmethod
    def begin(cls, spec: AgentSpec, transcript: Transcript) -> "RunState":
        """Return the state of a run that has not asked the model yet."""
        strategy = strategy_of(spec.agent_type)
        return cls(
            spec=spec,
            strategy=strategy,
            system=transcript.system,
            summary=transcript.summary,
            messages=list(transcript.messages),
            blocks=spec.blocks,
            rules=_rules_of(spec, transcript),
            usage=spec.usage_before,
            n=spec.steps_before,
            sizes=Sizes(
                transcript.system,
                _offered(spec, strategy),
                return_limit_chars=return_limit_chars(spec.window_tokens),
                ratio=spec.token_ratio,
            ),
        )

    @property
    def tool_names(self) -> tuple[str, ...]:
        """The names of the agent's tools."""
        return tuple(tool.name for tool in self.spec.tools)

    def tool(self, name: str) -> ToolSpec | None:
        """Return the agent's tool of this name, if it has one."""
        return next((tool for tool in self.spec.tools if tool.name == name), None)

    def must_wait(self, name: str) -> bool:
        """Tell whether calls of a tool wait: for a person's word, or for the caller to run it."""
        tool = self.tool(name)
        at_client = tool is not None and tool.tool_type == CLIENT_TOOL
        return at_client or self.rules.needs_approval(name)

    @property
    def window(self) -> tuple[int, int]:
        """The first and last sequence numbers of the messages that are in the window."""
        numbers = [message.seq for message in self.messages if message.seq]
        return (numbers[0], numbers[-1]) if numbers else (0, 0)

    def offered_tools(self) -> tuple[ToolSpec, ...]:
        """Return all tools as the model sees them.

        Always all of them, whatever the rules allow now: a stable list keeps the provider's cache.
        """
        return _offered(self.spec, self.strategy)

    def estimate(self) -> int:
        """Return our own estimate of the next request, in tokens."""
        summary = [self.summary] if self.summary else []
        sizes = self.sizes.of_all([*summary, *self.messages], self.clip)
        return self.sizes.fixed + sum(sizes)

    def size(self) -> int:
        """Return how large the provider will probably find the next request, in tokens."""
        return self.sizes.counted(self.estimate())

    def request(self) -> ChatRequest:
        """Return the next question to the model, with a history that any provider accepts."""
        return ChatRequest(
            model=self.spec.model,
            transcript=Transcript(
                self.system, mend(clip_messages(self.messages, self.clip)), self.summary
            ),
            tools=self.offered_tools(),
            agent_id=self.spec.agent_id,
            forced_tool=self.rules.forced(
                self.tool_names, needs_call=self.strategy.needs_tool_call
            ),
            stream=self.spec.stream_tokens,
            tool_return_limit_chars=return_limit_chars(self.spec.window_tokens),
        )

    def absorb(self, committed: Committed, reply: Reply | None) -> None:
        """Take over what the checkpoint stored."""
        self.messages.extend(committed.messages)
        self.blocks = self.blocks if committed.blocks is None else committed.blocks
        if reply:
            self.usage += reply.usage
            self.context_tokens = reply.usage.total_tokens


def calls_of_turn(
    messages: Sequence[Message], request_seq: int | None = None
) -> Iterator[tuple[str, str]]:
    """Yield the calls (name, return) that the last turn has made, oldest first.

    `request_seq` is the number of the request at which the turn stopped, if it did.
    """
    before = [one for one in messages if request_seq is None or one.seq < request_seq]
    starts = [at for at, message in enumerate(before) if _opens_turn(message)]
    for message in before[starts[-1] if starts else 0 :]:
        for one in message.tool_returns:
            yield one.name, one.text


def _opens_turn(message: Message) -> bool:
    return message.role == "user" and event_type(message.text) != "heartbeat"


def _rules_of(spec: AgentSpec, transcript: Transcript) -> RuleState:
    """Return the rules as the calls that the turn or the run has made already have left them."""
    rules = RuleState(parse_rules(spec.tool_rules))
    if transcript.pending:
        return rules.with_turn(calls_of_turn(transcript.messages, transcript.pending.request.seq))
    own = [message for message in transcript.messages if message.run_id == spec.run_id]
    if any(message.approvals for message in own):
        return rules.with_turn(calls_of_turn(transcript.messages))
    return rules.with_turn((one.name, one.text) for message in own for one in message.tool_returns)


def _offered(spec: AgentSpec, strategy: Strategy) -> tuple[ToolSpec, ...]:
    thinks_itself = bool(spec.model.reasoning_effort)
    return tuple(offer(tool, strategy, thinks_itself=thinks_itself) for tool in spec.tools)


def return_limit_chars(window_tokens: int) -> int:
    """Return how much of a tool's return the model is shown: a fifth of its window, in characters.

    Source: wire semantics §6 (4 characters a token, at least 5,000).
    """
    return max(5000, int(0.2 * window_tokens * 4))
