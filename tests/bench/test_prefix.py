"""How much of a prompt a provider has seen before. Printed; run with `make bench`."""

from __future__ import annotations

import os
import random
from datetime import timedelta
from typing import Any

import pytest

from agents.models import Agent, Compaction
from agents.services import prompts
from agents.services.agent_models import ModelWish
from agents.services.agents import AgentDraft, create_agent
from letta_site.core.aio import in_db
from letta_site.core.ids import DEFAULT_ORG_ID, DEFAULT_USER_ID
from letta_site.core.types import Actor
from tests.bench.measure import play, send
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.heavy]
TURNS = int(os.environ.get("BENCH_TURNS", "400"))
EDIT_SHARE = 0.05
FACT = "Fact {n}: the boat left Oslo at nine. " + "Nobody saw what it carried. " * 6


@pytest.mark.parametrize("age_min", [10, 0], ids=["head-holds-still", "head-follows-at-once"])
@pytest.mark.parametrize("window", [8_000, 32_000])
def test_share_of_prompt_bytes_seen_before(
    transactional_db: None,
    settings: Any,
    fake_openai: FakeOpenAI,
    monkeypatch: pytest.MonkeyPatch,
    window: int,
    age_min: int,
) -> None:
    monkeypatch.setattr(prompts, "CACHE_AGE", timedelta(minutes=age_min))
    from letta_site.auth import default_tenant

    default_tenant()
    owner = Actor(DEFAULT_ORG_ID, DEFAULT_USER_ID)
    settings.PROVIDER_VARIABLES = {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": fake_openai.base_url,
    }
    agent = new_agent(owner, window)
    chance = random.Random(5)
    edits = [chance.random() < EDIT_SHARE for _ in range(TURNS)]

    def answer(request: dict[str, Any]) -> Reply:
        last = request["messages"][-1]
        if "tools" not in request:
            return Reply("They spoke of boats that left Oslo.")
        if last["role"] == "user" and last["content"].startswith("EDIT"):
            words = last["content"].split(".")[0]
            note = {"label": "human", "new_string": f"- {words}"}
            return Reply(calls=(Call("memory_insert", note),))
        return Reply("I see. That boat again, and again at nine in the morning.")

    fake_openai.answer_with(answer)

    async def scenario() -> None:
        for n, edit in enumerate(edits):
            await send(owner, agent.id, ("EDIT " if edit else "") + FACT.format(n=n))
        compactions = await in_db(Compaction.objects.count)
        print(
            f"\n{window}, cache {age_min} min: {told(fake_openai)}, {sum(edits)} edits, "
            f"{compactions} compactions"
        )

    play(scenario)


def new_agent(owner: Actor, window: int) -> Agent:
    draft = AgentDraft(
        model=ModelWish(handle="openai/gpt-4o-mini", window_tokens=window),
        name="Sam",
        blocks=({"label": "human", "value": "Name: Bob."},),
    )
    agent = create_agent(owner, draft)
    Agent.objects.filter(pk=agent.pk).update(context_window_limit=window)
    return agent


def told(fake: FakeOpenAI) -> str:
    """Compare the bytes of each question with those of the one before."""
    asked = [one.raw for one in fake.requests if one.body.get("tools")]
    seen_before = whole = of_before = before_whole = 0
    for earlier, later in zip(asked, asked[1:], strict=False):
        same = len(os.path.commonprefix([head(earlier), head(later)]))
        seen_before, whole = seen_before + same, whole + len(head(later))
        of_before, before_whole = of_before + same, before_whole + len(head(earlier))
    return (
        f"{seen_before / whole:.1%} of a prompt's bytes were in the one before, "
        f"{of_before / before_whole:.1%} of a prompt's bytes are in the next one"
    )


def head(raw: bytes) -> bytes:
    """Return the messages of a body without the brackets that close them."""
    return raw.partition(b'"tools":')[0].rstrip(b",").rstrip(b"]").rstrip(b"}")
