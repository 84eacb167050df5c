"""Long synthetic lives of an agent, told to the compaction ladder turn by turn."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace

from agents.engine.compaction import make_room
from agents.engine.ports import ChatRequest, Ports, Reply, ReplyDelta
from agents.engine.state import RunState
from agents.engine.summaries import SUMMARY_PROMPT
from agents.types import Message, ToolCall, ToolReturn, Transcript
from letta_site.core import clock
from letta_site.core.errors import LLMError
from letta_site.core.ids import new_id
from tests.pure.in_memory import FunctionBox, ListLedger, reply, said, spec_of, user

WORDS = "the boat left Oslo at nine and nobody saw what it carried that grey morning".split()
TEXT = " ".join(random.Random(3).choices(WORDS, k=50_000))
CHARS_A_TOKEN = 3.4  # what the "provider" counts: a sixth more than our own estimate


def provider_count(text: str) -> int:
    return int(len(text) / CHARS_A_TOKEN) + 4


def message_count(message: Message, limit: int) -> int:
    texts = [message.text, *(call.arguments for call in message.tool_calls)]
    texts += [one.text[:limit] for one in message.tool_returns]
    return sum(provider_count(text) for text in texts if text) + 4


@dataclass
class Summariser:
    """A model that is only asked for summaries; `mood` is how it behaves."""

    mood: str = "ok"
    asked: list[ChatRequest] = field(default_factory=list)

    async def ask(self, request: ChatRequest) -> AsyncGenerator[ReplyDelta | Reply, None]:
        """See the LLM port."""
        assert request.transcript.system == SUMMARY_PROMPT and not request.tools
        self.asked.append(request)
        if self.mood == "error":
            raise LLMError("llm_error", "down")
        if self.mood == "overflows" or (self.mood == "half" and len(self.asked) % 2):
            raise LLMError("llm_context_window", "too long")
        yield reply({"empty": "", "long": "word " * 40_000}.get(self.mood, "They spoke of boats."))


@dataclass
class Life:
    """One agent that goes on and on. `requests` counts, `over` those above the window."""

    window: int
    seed: int = 1
    mood: str = "ok"
    tool_share: float = 0.1
    requests: int = 0
    over: int = 0
    largest: int = 0
    seq: int = 1

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.spec = spec_of(window_tokens=self.window)
        self.ledger = ListLedger(self.spec)
        self.phone = Summariser(self.mood)
        self.ports = Ports(self.phone, FunctionBox(), self.ledger, asyncio.Event(), clock)
        head = "You are a test. " * (self.window // 40)
        self.state = RunState.begin(self.spec, Transcript(head, ()))
        self.counts: dict[str, tuple[int, int]] = {}

    def words(self, chars: int) -> str:
        start = self.chance.randrange(len(TEXT) // 2)
        return TEXT[start : start + chars] if chars < len(TEXT) // 2 else TEXT[:chars]

    def add(self, message: Message) -> Message:
        self.seq += 1
        message = replace(message, seq=self.seq)
        self.state.messages.append(message)
        return message

    async def turn(self, chars: int) -> None:
        """One question, perhaps a tool, an answer; each model call within the window."""
        self.add(user(self.words(self.chance.randint(1, 2 * chars))))
        if self.chance.random() < self.tool_share:
            await self.ask()
            self.call(self.words(self.chance.randint(1, 20 * chars)))
        await self.ask()
        self.add(said(self.words(self.chance.randint(1, 2 * chars)), 0))

    def call(self, result: str) -> None:
        call = ToolCall(new_id("call"), "look", "{}")
        self.add(replace(said("", 0), parts=(), tool_calls=(call,)))
        back = ToolReturn(call.id, "look", result)
        self.add(Message(new_id("message"), "tool", clock.now(), tool_returns=(back,)))

    async def ask(self) -> None:
        estimate = await make_room(self.state, self.ports)
        counted = self.count(self.state.request())
        self.requests += 1
        self.over += counted > self.window
        self.largest = max(self.largest, counted)
        self.state.sizes.learn(estimate, counted)

    def count(self, request: ChatRequest) -> int:
        seen = request.transcript
        head = [seen.summary] if seen.summary else []
        limit = request.tool_return_limit_chars
        return (
            provider_count(seen.system)
            + 60
            + sum(self.one(message, limit) for message in (*head, *seen.messages))
        )

    def one(self, message: Message, limit: int) -> int:
        """Count anew only what is shown at another length than before."""
        length = sum(len(back.text) for back in message.tool_returns)
        size, known = self.counts.get(message.id, (-1, 0))
        if size != length:
            known = message_count(message, limit)
            self.counts[message.id] = (length, known)
        return known

    def live(self, turns: int, chars: int) -> Life:
        async def scenario() -> None:
            for _ in range(turns):
                await self.turn(chars)

        asyncio.run(scenario())
        return self
