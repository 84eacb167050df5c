"""How much database work a send costs."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from agents.models import Agent, Conversation, Message
from agents.services.messages import number, store_messages
from agents.types import Message as MessageValue
from agents.types import TextPart
from letta_site.core.aio import in_db
from letta_site.core.clock import now
from letta_site.core.ids import new_id
from letta_site.core.types import Actor
from tests.app.test_runner import agent, follow, given
from tests.fakes.openai_server import FakeOpenAI

__all__ = ["agent"]
pytestmark = pytest.mark.django_db(transaction=True)
FRAMES = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK")
MOST_STATEMENTS = 12


def grow(owner: Actor, agent: Agent, turns: int) -> None:
    """Give an agent a past that has left its window."""
    talk, moment = Conversation.objects.get(agent=agent), now() - timedelta(days=1)
    values = [
        MessageValue(new_id("message"), role, moment, (TextPart(f"Word {n}."),))
        for n in range(turns)
        for role in ("user", "assistant")
    ]
    row = Agent.objects.get(pk=agent.pk)
    store_messages(number(values, row), agent=row, conversation_id=talk.id, actor=owner)
    Agent.objects.filter(pk=row.pk).update(last_seq=row.last_seq)
    Conversation.objects.filter(pk=talk.pk).update(window_after_seq=row.last_seq)


def statements_of(owner: Actor, agent: Agent) -> list[str]:
    """Return what one send says to the database, without the frames of transactions."""
    found: list[str] = []

    def hear(execute: Any, sql: str, *rest: Any) -> Any:
        found.append(sql)
        return execute(sql, *rest)

    async def scenario() -> None:
        await in_db(lambda: connection.execute_wrappers.append(hear))
        try:
            await follow(owner, given(agent))
        finally:
            await in_db(lambda: connection.execute_wrappers.remove(hear))

    asyncio.run(asyncio.wait_for(scenario(), 20))
    return [sql for sql in found if not sql.startswith(FRAMES)]


def test_a_send_costs_few_statements_whatever_the_history(
    owner: Actor, agent: Agent, fake_openai: FakeOpenAI
) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("elsewhere a hop may be served by any of several connections")
    asyncio.run(follow(owner, given(agent)))
    short = statements_of(owner, agent)
    grow(owner, agent, 1_000)
    long = statements_of(owner, agent)
    print(f"{len(short)} statements a send, {len(long)} after {Message.objects.count()} messages")
    assert len(short) == len(long) <= MOST_STATEMENTS, "\n".join(short)
