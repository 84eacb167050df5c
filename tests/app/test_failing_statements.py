"""One statement of a send fails, each in its turn: the caller is told, and nothing is half done."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.db import OperationalError, connection

from agents.models import Message, Run, Step, ToolCall
from agents.runtime import recording, runner
from agents.services.health import find_trouble
from letta_site.core.aio import in_db
from letta_site.core.types import Actor
from memory.models import BlockVersion, Passage
from tests.app.company import make
from tests.app.conftest import Api
from tests.app.posting import LIMIT_S, play, post, read
from tests.app.test_messages import HELLO
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)


class Fault:
    """Lets the n-th statement fail, once, as a full disk or a locked file would."""

    def __init__(self, n: int) -> None:
        self.left = n
        self.sql = ""

    def __call__(self, execute: Any, sql: str, *rest: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            self.sql = sql
            raise OperationalError("disk I/O error")
        return execute(sql, *rest)


def reply(request: dict[str, Any]) -> Reply:
    """Edit memory and keep a passage, then speak."""
    if request["messages"][-1]["role"] == "tool":
        return Reply("Noted.")
    edit = Call("memory_insert", {"label": "human", "new_string": "Oslo."})
    return Reply(calls=(edit, Call("archival_memory_insert", {"content": "Fjords."})))


def send_with(fault: Fault, agent_id: str, body: Any) -> Any:
    async def whole() -> Any:
        answer = await post(f"/v1/agents/{agent_id}/messages", body)
        if answer.streaming:
            answer = await read(answer)
            assert answer.lines[-1] == "data: [DONE]"
        while runner._queues or recording._live:
            await asyncio.sleep(0.01)
        return answer

    async def scenario() -> Any:
        await in_db(lambda: connection.execute_wrappers.append(fault))
        try:
            return await asyncio.wait_for(whole(), LIMIT_S)
        finally:
            await in_db(lambda: connection.execute_wrappers.remove(fault))

    return play(scenario)


def check_whole(owner: Actor, agent_id: str) -> None:
    """Each step is there with all that belongs to it, or not at all."""
    assert find_trouble(owner, agent_id) == []
    worked = Step.objects.filter(status="success")
    told = Message.objects.filter(role="assistant").values_list("step_id", flat=True)
    assert set(told) == set(worked.values_list("id", flat=True))
    calls = ToolCall.objects.filter(status="success")
    edits = calls.filter(name="memory_insert").count()
    assert BlockVersion.objects.filter(actor_kind="agent").count() == edits
    assert Passage.objects.count() == calls.filter(name="archival_memory_insert").count()
    returned = Message.objects.filter(role="tool").values_list("tool_returns", flat=True)
    assert sum(map(len, returned)) == ToolCall.objects.count()


@pytest.mark.parametrize(
    ("background", "every"),
    [
        (False, 6),
        pytest.param(False, 1, marks=pytest.mark.heavy),
        pytest.param(True, 1, marks=pytest.mark.heavy),
    ],
)
def test_whichever_statement_of_a_send_fails_nothing_is_half_done(
    api: Api,
    owner: Actor,
    openai: FakeOpenAI,
    background: bool,
    every: int,
) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("elsewhere a hop may be served by any of several connections")
    openai.answer_with(reply)
    blocks = [{"label": "human", "value": "Bob."}]
    agent = make(api, memory_blocks=blocks, tools=["archival_memory_insert"])
    body = {**HELLO, "streaming": True, "background": True} if background else HELLO
    told = []
    for n in range(1, 200, every):
        fault = Fault(n)
        send_with(fault, agent["id"], body)
        if fault.left > 0:
            break
        assert not Run.objects.filter(status__in=("created", "running")).exists(), fault.sql
        check_whole(owner, agent["id"])
        told.append(fault.sql)
        sound = send_with(Fault(0), agent["id"], HELLO)
        assert sound.status_code == 200, fault.sql
        assert sound.json()["stop_reason"]["stop_reason"] == "end_turn"
    print(f"{len(told)} statements failed, each in its turn")
    assert len(told) > 30 // every and Passage.objects.exists()
