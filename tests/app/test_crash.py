"""kill -9 at random moments: what was accepted is carried out, and histories stay whole."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI
from tests.product import Product

ENDED = ("completed", "failed", "cancelled")
SETTLED_WITHIN_S = 30.0
AGENTS = 2
_ACTIVE = "SELECT id FROM agents_run WHERE status IN ('created', 'running')"


def ask(product: Product, method: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{product.url}{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def answer(request: dict[str, Any]) -> Reply:
    """Call two tools, one after the other, then speak; each answer takes its time."""
    messages = request["messages"]
    since = next(n for n in range(len(messages)) if messages[-1 - n]["role"] == "user")
    note = {"content": f"note {messages[-1 - since]['content']}"}
    search = {"query": "note"}
    steps = [
        Reply(calls=(Call("archival_memory_insert", note),), delay_s=0.05),
        Reply(calls=(Call("conversation_search", search),), delay_s=0.05),
        Reply("Done.", delay_s=0.05),
    ]
    return steps[min(sum(row["role"] == "tool" for row in messages[len(messages) - since :]), 2)]


class Crashes:
    """One server that is killed again and again, and what it had promised by then."""

    def __init__(self, folder: Path, fake: FakeOpenAI, seed: int) -> None:
        fake.answer_with(answer)
        environment = {"OPENAI_BASE_URL": fake.base_url, "OPENAI_API_KEY": "sk-test"}
        environment["LETTA_PG_URI"] = ""  # what it looks at afterwards is the SQLite file
        self.product = Product(folder, environment).start()
        self.chance = random.Random(seed)
        self.accepted: dict[str, str] = {}
        self.ready_s: list[float] = []
        body = {"model": "openai/gpt-4o-mini", "tools": ["archival_memory_insert"]}
        self.agents = [ask(self.product, "POST", "/v1/agents/", body)["id"] for _ in range(AGENTS)]

    def crash(self, point: int) -> None:
        for n, agent_id in enumerate(self.agents):
            for part in "ab":
                text = f"point {point} agent {n} {part}"
                body = {"messages": [{"role": "user", "content": text}]}
                run = ask(self.product, "POST", f"/v1/agents/{agent_id}/messages/async", body)
                self.accepted[run["id"]] = text
        time.sleep(self.chance.uniform(0, 0.7))
        self.product.stop(signal.SIGKILL)
        began = time.monotonic()
        self.product.start()
        self.ready_s.append(time.monotonic() - began)

    def settle(self) -> None:
        """Wait until nothing is under way any more: as long as run after run comes to its end."""
        left, deadline = sys.maxsize, 0.0
        while active := len(self.rows(_ACTIVE)):
            if active < left:
                left, deadline = active, time.monotonic() + SETTLED_WITHIN_S
            assert time.monotonic() < deadline, "a run is stuck"
            time.sleep(0.1)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.product.folder / "letta.sqlite3", timeout=10)) as base:
            return base.execute(sql).fetchall()

    def check(self) -> dict[str, int]:
        runs = dict(self.rows("SELECT id, status FROM agents_run"))
        assert set(self.accepted) <= set(runs), "an accepted run is lost"
        assert set(runs.values()) <= set(ENDED)
        errors = self.rows("SELECT error FROM agents_run WHERE status = 'failed'")
        assert all(json.loads(error)["kind"] == "interrupted" for (error,) in errors), errors
        stored = self.rows("SELECT run_id, content FROM agents_message WHERE role = 'user'")
        texts = [json.loads(content)[0]["text"] for _, content in stored]
        assert sorted(texts) == sorted(self.accepted.values()), "lost or doubled messages"
        self.check_pairs()
        (sound,) = self.rows("PRAGMA integrity_check")[0]
        assert sound == "ok"
        return {status: list(runs.values()).count(status) for status in set(runs.values())}

    def check_pairs(self) -> None:
        columns = "SELECT tool_calls, tool_returns FROM agents_message ORDER BY agent_id, seq"
        asked: list[str] = []
        given: list[str] = []
        for calls, returns in self.rows(columns):
            asked += [call["id"] for call in json.loads(calls)]
            given += [one["tool_call_id"] for one in json.loads(returns)]
        assert asked == given, "orphans"


@pytest.mark.parametrize(
    "points", [20, pytest.param(200, marks=pytest.mark.heavy)], ids=lambda n: f"{n}-points"
)
def test_nothing_accepted_is_lost_when_the_server_is_killed(
    points: int, fake_openai: FakeOpenAI, tmp_path: Path
) -> None:
    life = Crashes(tmp_path, fake_openai, seed=7)
    try:
        for point in range(points):
            life.crash(point)
        life.settle()
        told = life.check()
        for agent_id in life.agents:
            body = {"messages": [{"role": "user", "content": "still there?"}]}
            sent = ask(life.product, "POST", f"/v1/agents/{agent_id}/messages", body)
            assert sent["stop_reason"]["stop_reason"] == "end_turn"
    finally:
        life.product.stop()
    print(
        f"{points} kills, {len(life.accepted)} accepted, {told}; restart to ready "
        f"{sum(life.ready_s) / points:.1f} s on average, {max(life.ready_s):.1f} s at most"
    )
