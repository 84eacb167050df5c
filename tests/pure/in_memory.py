"""Ports without a world: a ledger in a list, a toolbox of plain functions, a scripted model."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from agents.engine.events import Event, Failure
from agents.engine.loop import run_agent
from agents.engine.ports import (
    ChatRequest,
    Committed,
    Evicted,
    Eviction,
    Ports,
    Reply,
    ReplyDelta,
    StepRecord,
)
from agents.types import (
    AgentSpec,
    Json,
    Message,
    ModelParams,
    TextPart,
    ToolCall,
    ToolContext,
    ToolOutcome,
    ToolSpec,
    Transcript,
    Usage,
)
from letta_site.core import clock
from letta_site.core.ids import new_id


def reply(
    text: str = "", *calls: tuple[str, str], reasoning: str = "", finish: str = "stop"
) -> Reply:
    """Return an answer; calls are (name, arguments)."""
    return Reply(
        text=text,
        reasoning=reasoning,
        tool_calls=tuple(ToolCall(f"call_{n}", *call) for n, call in enumerate(calls)),
        finish_reason="tool_calls" if calls else finish,
        usage=Usage(100, 10),
        model="scripted",
        provider_name="test",
        endpoint="",
        sent={},
        raw={},
    )


@dataclass
class ScriptedPhone:
    """Answers with what is in the list, in order; an exception in it is raised."""

    script: list[Reply | Exception]
    asked: list[ChatRequest] = field(default_factory=list)
    pause_s: float = 0

    async def ask(self, request: ChatRequest) -> AsyncGenerator[ReplyDelta | Reply, None]:
        """See the LLM port."""
        self.asked.append(request)
        await asyncio.sleep(self.pause_s)
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        for word in answer.text.split() if request.stream else ():
            yield ReplyDelta(text=word)
        yield answer


@dataclass
class ListLedger:
    """Keeps what it is given and numbers messages."""

    spec: AgentSpec
    records: list[StepRecord] = field(default_factory=list)
    evictions: list[Eviction] = field(default_factory=list)
    finished: list[tuple[str, Failure | None]] = field(default_factory=list)
    seq: int = 100

    async def commit(self, record: StepRecord) -> Committed:
        """See the Ledger port."""
        self.records.append(record)
        return Committed(tuple(self._numbered(one) for one in record.messages), None, ())

    async def evict(self, eviction: Eviction) -> Evicted:
        """See the Ledger port."""
        self.evictions.append(eviction)
        return Evicted(self._numbered(eviction.summary))

    async def finish(self, stop_reason: str, failure: Failure | None) -> None:
        """See the Ledger port."""
        self.finished.append((stop_reason, failure))

    def _numbered(self, message: Message) -> Message:
        self.seq += 1
        return replace(message, seq=self.seq)


@dataclass
class FunctionBox:
    """Tools that are functions of their arguments."""

    functions: dict[str, Callable[[Json], str]] = field(default_factory=dict)
    called: list[str] = field(default_factory=list)
    pause_s: float = 0
    quick: set[str] = field(default_factory=set)
    at_once: int = 0
    most_at_once: int = 0

    async def call(self, call: ToolCall, arguments: Json, context: ToolContext) -> ToolOutcome:
        """See the ToolBox port."""
        self.called.append(call.name)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0 if call.name in self.quick else self.pause_s)
        self.at_once -= 1
        return ToolOutcome(self.functions[call.name](arguments))


@dataclass
class Bench:
    """One agent with its ports, ready to run."""

    phone: ScriptedPhone
    spec: AgentSpec
    box: FunctionBox = field(default_factory=FunctionBox)
    cancel: asyncio.Event = field(default_factory=asyncio.Event)
    transcript: Transcript | None = None

    def __post_init__(self) -> None:
        self.ledger = ListLedger(self.spec)

    def run(self, *messages: Message) -> list[Event]:
        """Run to the end and return the events."""
        return asyncio.run(self.collect(*messages))

    async def collect(self, *messages: Message) -> list[Event]:
        """Run on the running loop and return the events."""
        ports = Ports(self.phone, self.box, self.ledger, self.cancel, clock, "org-1")
        transcript = self.transcript or Transcript("You are a test.", messages or (user("hello"),))
        async with aclosing(run_agent(self.spec, transcript, ports)) as events:
            return [event async for event in events]


def user(text: str, seq: int = 2) -> Message:
    """Return a stored user message."""
    return Message(new_id("message"), "user", clock.now(), (TextPart(text),), seq=seq)


def said(text: str, seq: int) -> Message:
    """Return a stored message of the agent."""
    return Message(new_id("message"), "assistant", clock.now(), (TextPart(text),), seq=seq)


def spec_of(agent_type: str = "letta_v1_agent", **changes: object) -> AgentSpec:
    """Return an agent with two tools, `look` and `send_message`."""
    parameters: Json = {"type": "object", "properties": {}}
    tools = tuple(ToolSpec(name, name, parameters) for name in ("look", "send_message"))
    spec = AgentSpec(
        agent_id="agent-1",
        agent_type=agent_type,
        run_id="run-1",
        conversation_id="conv-1",
        name="Test",
        timezone="UTC",
        model=ModelParams("test/scripted"),
        window_tokens=16_000,
        tools=tools,
        blocks=(),
    )
    return replace(spec, **changes)  # type: ignore[arg-type]
