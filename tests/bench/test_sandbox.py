"""What keeping tools apart costs. Printed; run with `make bench`."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

import pytest

from agents.sandbox.jobs import Job
from agents.sandbox.running import run
from agents.sandbox.warm import fork_server
from tests.bench.measure import play

pytestmark = pytest.mark.heavy

TRIVIAL = Job("def add(a, b):\n    return a + b\n", "add", {"a": 1, "b": 2})
FLOOD = Job("def f():\n    while True:\n        print('x' * 4096)\n", "f")
CALLS, PAUSE_S = 100, 0.02


async def took_ms(job: Job) -> float:
    began = time.perf_counter()
    await run(job)
    return (time.perf_counter() - began) * 1000


def memory_kb(pid: int, kind: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{kind}:")))


def test_a_trivial_call() -> None:
    async def measure() -> None:
        fork_server.stop()
        print(f"\ncold: {await took_ms(TRIVIAL):.1f} ms")
        spent = []
        for _ in range(CALLS):
            await asyncio.sleep(PAUSE_S)
            spent.append(await took_ms(TRIVIAL))
        marks = statistics.quantiles(spent, n=100)
        print(f"warm: p50 {marks[49]:.1f} ms, p99 {marks[98]:.1f} ms, least {min(spent):.1f} ms")

    play(measure)


def test_many_at_once() -> None:
    async def measure() -> None:
        began = time.perf_counter()
        await asyncio.gather(*(run(TRIVIAL) for _ in range(CALLS)))
        print(f"\n{CALLS / (time.perf_counter() - began):.0f} calls a second, 8 at a time")

    play(measure)


def test_memory_of_the_warm_process() -> None:
    async def measure() -> None:
        await run(TRIVIAL)
        pid = fork_server.pid
        assert pid
        print(f"\nfork-server: {memory_kb(pid, 'Rss')} kB, of its own {memory_kb(pid, 'Pss')} kB")

    play(measure)


def test_the_loop_while_tools_print_without_end() -> None:
    async def measure() -> None:
        work, late = [asyncio.create_task(run(FLOOD)) for _ in range(4)], []
        while not all(task.done() for task in work):
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append((time.perf_counter() - began) * 1000 - 1)
        print(f"\nevent loop late by {statistics.median(late):.2f} ms, at most {max(late):.1f} ms")

    play(measure)
