"""How long a search takes. Printed; run with `make bench`."""

from __future__ import annotations

import random
import statistics
import time
from datetime import UTC, datetime, timedelta

import pytest

from letta_site.core.ids import DEFAULT_ORG_ID, DEFAULT_USER_ID, new_id
from letta_site.core.types import Actor
from memory.services.candidates import SearchQuery
from memory.services.search import Entry, index, search

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.heavy]
BEGAN = datetime(2025, 1, 1, tzinfo=UTC)
WORDS = 5_000  # of the language; the n-th is used as often as 1 / n, as in any (Zipf)
QUERIES = 100


@pytest.fixture
def owner(transactional_db: None) -> Actor:
    from letta_site.auth import default_tenant

    default_tenant()
    return Actor(DEFAULT_ORG_ID, DEFAULT_USER_ID)


@pytest.mark.parametrize("messages", [6_000, 100_000])
def test_a_search_among_messages(owner: Actor, messages: int) -> None:
    chance, agent_id, talk_id = random.Random(5), new_id("agent"), new_id("conv")
    weights = [1 / (n + 10) for n in range(WORDS)]

    def some(count: int) -> str:
        return " ".join(f"word{n}" for n in chance.choices(range(WORDS), weights, k=count))

    for start in range(0, messages, 1_000):
        index(
            Entry(
                org_id=DEFAULT_ORG_ID,
                kind="message",
                ref_id=f"message-{n}",
                scope_id=agent_id,
                text=some(20),
                created_at=BEGAN + timedelta(minutes=5 * n),
                role="user" if n % 2 else "assistant",
                seq=n,
                thread_id=talk_id,
                speaker="Ann" if n % 2 else "Bob",
            )
            for n in range(start, start + 1_000)
        )
    spent = []
    for _ in range(QUERIES):
        query = SearchQuery(DEFAULT_ORG_ID, [agent_id], "message", f"What did Ann say of {some(4)}")
        began = time.perf_counter()
        assert search(query)
        spent.append((time.perf_counter() - began) * 1000)
    spent.sort()
    print(f"\n{messages:7} messages: median {statistics.median(spent):.1f} ms, p95 {spent[94]:.1f}")
