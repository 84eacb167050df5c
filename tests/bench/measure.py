"""Timing for benchmarks: medians, printed; never a reason to fail."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from agents.engine.events import RunFinished
from agents.runtime import runner
from agents.types import InputMessage, RunInput, TextPart
from letta_site.core.types import Actor


async def send(actor: Actor, agent_id: str, words: str = "hello") -> None:
    """Send one message and wait for the end of its run."""
    wish = RunInput(agent_id, (InputMessage("user", (TextPart(words),)),))
    _, ear = await runner.send(actor, wish)
    async with aclosing(ear):
        async for _, event in ear:
            if isinstance(event, RunFinished):
                assert event.failure is None, event.failure
                return


async def median_ms(work: Callable[[], Awaitable[object]], times: int) -> float:
    """Return the median duration of `work`, the first call left out."""
    await work()
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        await work()
        spent.append((time.perf_counter() - began) * 1000)
    return statistics.median(spent)


def play(work: Callable[[], Awaitable[object]]) -> None:
    """Run a benchmark on a loop of its own."""

    async def scenario() -> None:
        await work()

    asyncio.run(scenario())
