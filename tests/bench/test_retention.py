"""What an agent still knows after a long life. Printed; run with `make bench`.

`BENCH_FACTS=<file>` names lines of {"agent_args": {"extra": {"facts", "contradicting_fact",
"supporting_fact_indices"}}} for the round trip through the published client.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.models import Agent, Compaction, Message
from agents.services.agent_models import ModelWish
from agents.services.agents import AgentDraft, create_agent
from agents.services.next_requests import get_next_request
from agents.tools.builtin import BUILTIN
from agents.tools.toolbox import AgentToolBox
from agents.types import RunInput, ToolCall, ToolContext
from letta_site.core.aio import in_db
from letta_site.core.clock import now
from letta_site.core.ids import DEFAULT_ORG_ID, DEFAULT_USER_ID
from letta_site.core.types import Actor
from memory.models import SearchEntry
from tests.bench.measure import play, send
from tests.contract.driving import Client, require
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI
from tests.product import Product

pytestmark = pytest.mark.heavy

COMPACTIONS = int(os.environ.get("BENCH_COMPACTIONS", "100"))
PINNED = 100
WINDOW_TOKENS = 4_000
TOP = 5
NAMES = "Ada Bo Cem Dora Emil Fay Gus Hana Ivo Jana".split()
THINGS = "boat dog bicycle piano garden door car cat school street".split()
VALUES = "Tern Rex Comet Walnut Clover Amber Falcon Misty Linden Harbour".split()
TALK = (
    "They talked about {name}, whose {thing} had been on everybody's mind, and about the weather "
    "in {value}, and then about what to cook. "
)


def facts() -> list[tuple[str, str, str]]:
    """Return (what is said, what is asked later, the answer) for each pinned fact."""
    chance = random.Random(11)
    return [
        (f"{name}'s {thing} is called {value} {n}.", f"What is {name}'s {thing} called?", value)
        for n, (name, thing) in enumerate((a, b) for a in NAMES for b in THINGS)
        for value in [chance.choice(VALUES)]
    ]


def chatter(n: int) -> str:
    chance = random.Random(n)
    lines = [
        TALK.format(
            name=chance.choice(NAMES), thing=chance.choice(THINGS), value=chance.choice(VALUES)
        )
        for _ in range(12)
    ]
    return f"Turn {n}. " + "".join(lines)


@pytest.mark.django_db(transaction=True)
def test_what_was_pinned_is_at_hand_after_many_compactions(
    transactional_db: None, settings: Any, fake_openai: FakeOpenAI
) -> None:
    from letta_site.auth import default_tenant

    default_tenant()
    owner = Actor(DEFAULT_ORG_ID, DEFAULT_USER_ID)
    settings.PROVIDER_VARIABLES = {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": fake_openai.base_url,
    }
    agent = make_agent(owner)
    fake_openai.answer_with(answer)
    said: list[str] = []

    async def scenario() -> None:
        for told, _, _ in facts():
            said.append(f"Please remember: {told}")
            await send(owner, agent.id, said[-1])
        while await in_db(Compaction.objects.count) < COMPACTIONS:
            said.append(chatter(len(said)))
            await send(owner, agent.id, said[-1])
        await report(owner, agent, said)

    began = time.monotonic()
    play(scenario)
    print(f"  took {time.monotonic() - began:.0f} s")


def make_agent(owner: Actor) -> Agent:
    draft = AgentDraft(
        model=ModelWish(handle="openai/gpt-4o-mini", window_tokens=WINDOW_TOKENS),
        blocks=({"label": "human", "value": "Likes lists.", "limit": 2_000},),
    )
    agent = create_agent(owner, draft)
    Agent.objects.filter(pk=agent.pk).update(context_window_limit=WINDOW_TOKENS)
    return agent


def answer(request: dict[str, Any]) -> Reply:
    """Pin every tenth fact in the block, as a model would that finds it important."""
    last = request["messages"][-1]
    if "tools" not in request:
        return Reply("They spoke of names, of the weather and of cooking.")
    words = str(last["content"])
    if last["role"] == "user" and words.startswith("Please remember") and words.endswith("0."):
        note = {"label": "human", "new_string": words.partition(": ")[2]}
        return Reply(calls=(Call("memory_insert", note),))
    return Reply("I see. And then?")


async def report(owner: Actor, agent: Agent, said: list[str]) -> None:
    ahead = await in_db(get_next_request, owner, RunInput(agent.id, ()))
    prompt = "".join(one.piece.text for one in ahead.sections)
    in_prompt = found = 0
    lost: list[str] = []
    for told, question, _ in facts():
        if told in prompt:
            in_prompt += 1
        elif any(told in one for one in await recall(agent, question)):
            found += 1
        else:
            lost.append(told)
    rows = await in_db(lambda: list(Message.objects.filter(agent=agent).order_by("seq")))
    words = [row.content[0]["text"] for row in rows if row.role == "user"]
    missing = len(set(said) - set(words))
    speaking = {row.id for row in rows if row.role in ("user", "assistant") and spoken(row)}
    entries = SearchEntry.objects.filter(scope_id=agent.id).values_list("ref_id", flat=True)
    unfindable = speaking - await in_db(lambda: set(entries))
    kept = (in_prompt + found) / PINNED
    print(
        f"\n  {await in_db(Compaction.objects.count)} compactions, {len(said)} turns, window "
        f"{WINDOW_TOKENS} tokens: of {PINNED} pinned facts {in_prompt} in the prompt, {found} in "
        f"the top {TOP} of a search, {len(lost)} lost = {kept:.0%} kept (goal 99 %)\n"
        f"  {missing} of {len(said)} messages missing from recall, {len(unfindable)} not findable"
    )
    assert not missing and not unfindable and kept >= 0.99, lost


def spoken(row: Message) -> bool:
    return any(part.get("type") == "text" and part["text"].strip() for part in row.content)


async def recall(agent: Agent, question: str) -> list[str]:
    """Return what the agent's own search finds."""
    context = ToolContext(agent.id, agent.org_id, "", "UTC", (), now())
    box = AgentToolBox(agent.org_id, [BUILTIN["conversation_search"].spec])
    wanted = {"query": question, "limit": TOP}
    outcome = await box.call(ToolCall("call_1", "conversation_search", "{}"), wanted, context)
    return [str(one["content"]) for one in json.loads(outcome.text)["results"]]


@pytest.fixture
def py1(letta_server: Product, tmp_path: Path) -> Iterator[Client]:
    require("py1")
    client = Client("py1", letta_server.url, tmp_path).start()
    yield client
    client.stop()


def test_facts_come_back_as_they_were_sent(py1: Client) -> None:
    path = os.environ.get("BENCH_FACTS", "")
    if not path:
        pytest.skip("BENCH_FACTS names no file")
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    items = [json.loads(line)["agent_args"]["extra"] for line in lines]
    agent = py1.call("agents.create", model="letta/demo", memory_blocks=[])
    wrong = [n for n, item in enumerate(items) if not survives(py1, agent["id"], item)]
    print(f"\n  {len(items) - len(wrong)} of {len(items)} items came back byte for byte")
    assert not wrong


def survives(client: Client, agent_id: str, item: dict[str, Any]) -> bool:
    """Tell whether an item is the same after a block, its update, and archival memory."""
    facts: list[str] = item["facts"]
    changed = list(facts)
    for at in item["supporting_fact_indices"][:1]:
        changed[at] = item["contradicting_fact"]
    before, after = "\n".join(facts), "\n".join(changed)
    block = client.call("blocks.create", label="facts", value=before)["id"]
    first = client.call("blocks.retrieve", block_id=block)["value"]
    client.call("blocks.update", block_id=block, value=after)
    second = client.call("blocks.retrieve", block_id=block)["value"]
    client.call("blocks.delete", block_id=block)
    text = item["contradicting_fact"]
    (passage,) = client.call("passages.create", agent_id=agent_id, text=text)
    return (first, second, passage["text"]) == (before, after, text)
