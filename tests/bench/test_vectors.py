"""How long comparing a query with the vectors of a scope takes. Printed; run with `make bench`."""

from __future__ import annotations

import random
import statistics
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from letta_site.core.clock import now
from letta_site.core.ids import DEFAULT_ORG_ID
from memory.embeddings import local, weights
from memory.logic.vectors import pack_unit
from memory.models import EmbeddingScope, SearchEntry, Vector
from memory.services.candidates import SearchQuery
from memory.services.vectors import cosines
from memory.vectors import matrices, pgvector

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.heavy]
MODEL, DIM = "bench/model", 384
CHUNK = 5_000


def fill(count: int) -> None:
    """One agent's messages with a random direction each."""
    from letta_site.auth import default_tenant

    default_tenant()
    numbers = random.Random(7)
    scope = {"scope_id": "agent-b", "model": MODEL}
    EmbeddingScope.objects.create(
        **scope, org_id=DEFAULT_ORG_ID, searched_model=MODEL, dim=DIM, state="done", total=count
    )
    for first in range(0, count, CHUNK):
        rows = SearchEntry.objects.bulk_create(
            SearchEntry(
                org_id=DEFAULT_ORG_ID,
                kind="message",
                ref_id=f"message-{n}",
                scope_id="agent-b",
                role=("user", "assistant")[n % 2],
                seq=n,
                text=f"Text {n}",
                created_at=now() - timedelta(minutes=count - n),
            )
            for n in range(first, min(first + CHUNK, count))
        )
        made = {row.pk: pack_unit([numbers.gauss(0, 1) for _ in range(DIM)]) for row in rows}
        native = pgvector.present()
        Vector.objects.bulk_create(
            Vector(entry_id=pk, dim=DIM, data=None if native else data, **scope)
            for pk, data in made.items()
        )
        if native:
            pgvector.fill(MODEL, made)
    if pgvector.present():
        pgvector.ensure_index(DIM)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def timed(work: Any, times: int = 25) -> tuple[float, float]:
    """Return the medians of time passed and of processor time, in ms."""
    passed, spent = [], []
    for _ in range(times):
        began, cpu = time.perf_counter(), time.process_time()
        work()
        passed.append((time.perf_counter() - began) * 1000)
        spent.append((time.process_time() - cpu) * 1000)
    return statistics.median(passed), statistics.median(spent)


@pytest.mark.parametrize("count", [6_000, 100_000])
def test_comparing(count: int) -> None:
    matrices.forget_matrices()
    fill(count)
    numbers = random.Random(8)
    moment = now() - timedelta(minutes=count // 100)
    ways: dict[str, dict[str, Any]] = {
        "all": {},
        "by role": {"roles": ("user",)},
        "the latest 1 %": {"start": moment},
    }

    def ask(**filters: Any) -> None:
        query = SearchQuery(DEFAULT_ORG_ID, ("agent-b",), "message", "", **filters)
        vector = pack_unit([numbers.gauss(0, 1) for _ in range(DIM)])
        assert len(cosines(query, vector, MODEL, 50)) == 50

    began = time.perf_counter()
    ask()
    first_ms = (time.perf_counter() - began) * 1000
    for name, filters in ways.items():
        passed, spent = timed(lambda filters=filters: ask(**filters))
        print(f"{connection.vendor}, {count}, {name}: p50 {passed:.1f} ms, cpu {spent:.1f} ms")
    kept_mb = matrices.kept_bytes() / 1e6
    print(f"{connection.vendor}, {count}: first query {first_ms:.0f} ms, {kept_mb:.0f} MB kept")


@pytest.mark.skipif(not weights.installed(), reason="needs `make embed`")
def test_the_local_model() -> None:
    local.embed(["It is loaded now."])
    short = [f"Sentence {n} says something about the weather in Lisbon." for n in range(128)]
    long = [" ".join(short[n : n + 17]) for n in range(16)]
    for name, texts in (("a query", short[:1]), ("short texts", short), ("250 tokens", long)):
        passed, spent = timed(lambda texts=texts: local.embed(texts), 5)
        rate = len(texts) / passed * 1000
        print(f"{name}: {rate:.0f} texts/s, {spent / len(texts):.1f} ms of processor each")
