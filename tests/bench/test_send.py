"""What the server adds to a call of the model. Printed; run with `make bench`."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import openai
import pytest

from agents.models import Agent, Conversation
from agents.services.agent_models import ModelWish
from agents.services.agents import AgentDraft, create_agent
from agents.services.messages import number, store_messages
from agents.types import Message, TextPart
from letta_site.core.clock import now
from letta_site.core.ids import DEFAULT_ORG_ID, DEFAULT_USER_ID, new_id
from letta_site.core.types import Actor
from tests.bench.measure import median_ms, play, send
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.heavy]
TURN_CHARS = 400


@pytest.fixture
def owner(transactional_db: None) -> Actor:
    from letta_site.auth import default_tenant

    default_tenant()
    return Actor(DEFAULT_ORG_ID, DEFAULT_USER_ID)


@pytest.fixture(autouse=True)
def _provider(settings: Any, fake_openai: FakeOpenAI) -> None:
    settings.PROVIDER_VARIABLES = {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": fake_openai.base_url,
    }


def new_agent(owner: Actor, name: str = "Sam") -> Agent:
    draft = AgentDraft(
        model=ModelWish(handle="openai/gpt-4o-mini"),
        name=name,
        blocks=({"label": "human", "value": "Name: Bob."},),
    )
    return create_agent(owner, draft)


def grow(owner: Actor, agent: Agent, messages: int) -> None:
    talk, moment = Conversation.objects.get(agent=agent), now() - timedelta(days=1)
    values = [
        Message(new_id("message"), role, moment, (TextPart(f"Word {n}. " + "x" * TURN_CHARS),))
        for n in range(messages // 2)
        for role in ("user", "assistant")
    ]
    row = Agent.objects.get(pk=agent.pk)
    for start in range(0, len(values), 1_000):
        part = number(values[start : start + 1_000], row)
        store_messages(part, agent=row, conversation_id=talk.id, actor=owner)
    Agent.objects.filter(pk=row.pk).update(last_seq=row.last_seq)


@pytest.mark.parametrize("messages", [10, 500, 2_000, 10_000])
def test_overhead_of_a_send(owner: Actor, fake_openai: FakeOpenAI, messages: int) -> None:
    agent = new_agent(owner)
    grow(owner, agent, messages)

    async def scenario() -> None:
        ours = await median_ms(lambda: send(owner, agent.id), 15)
        body = fake_openai.chats[-1]
        client = openai.AsyncOpenAI(base_url=fake_openai.base_url, api_key="x")
        direct = await median_ms(lambda: client.chat.completions.create(**body), 15)
        await client.close()
        size = sum(len(str(row["content"])) for row in body["messages"])
        print(
            f"\n{messages:6} messages: send {ours:6.1f} ms, model alone {direct:6.1f} ms, "
            f"overhead {ours - direct:6.1f} ms ({size // 1000} kB in the window)"
        )

    play(scenario)


def test_a_loop_of_five_steps(owner: Actor, fake_openai: FakeOpenAI) -> None:
    agent = new_agent(owner)
    search = Call("conversation_search", {"query": "hello"})

    def answer(request: dict[str, Any]) -> Reply:
        rows = request["messages"]
        since = next(n for n in range(len(rows)) if rows[-1 - n]["role"] == "user")
        calls = sum(row["role"] == "tool" for row in rows[len(rows) - since :])
        return Reply("Done.") if calls >= 4 else Reply(calls=(Call(search.name, search.arguments),))

    fake_openai.answer_with(answer)

    async def scenario() -> None:
        spent = await median_ms(lambda: send(owner, agent.id), 10)
        print(f"\nfive steps with four searches: {spent:.1f} ms, {spent / 5:.1f} ms a step")

    play(scenario)


@pytest.mark.parametrize("count", [1, 8, 32, 128])
def test_many_agents_at_once(owner: Actor, fake_openai: FakeOpenAI, count: int) -> None:
    agents = [new_agent(owner, f"Sam {n}") for n in range(count)]

    async def scenario() -> None:
        await asyncio.gather(*(send(owner, agent.id) for agent in agents))
        began = time.perf_counter()
        for _ in range(3):
            await asyncio.gather(*(send(owner, agent.id) for agent in agents))
        spent = time.perf_counter() - began
        print(f"\n{count:4} agents at once: {3 * count / spent:6.1f} runs/s")

    play(scenario)
