"""Comparing vectors: on SQLite by numpy over what is kept in memory, on PostgreSQL by pgvector."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from letta_site.core.clock import now
from letta_site.core.types import Actor
from memory.logic.vectors import pack_unit, unpack
from memory.models import EmbeddingScope, PassageTag, SearchEntry, Vector
from memory.services.archives import create_archive
from memory.services.candidates import SearchQuery
from memory.services.passages import PassageDraft, insert_passages
from memory.services.search import Entry, drop, drop_scopes, index
from memory.services.vectors import Unembedded, cosines, list_unembedded, store_vectors
from memory.vectors import matrices, pgvector

pytestmark = pytest.mark.django_db
MODEL = "openai/text-embedding-3-small"
SCOPE = "agent-a"
STEP_DEGREES = 3


@pytest.fixture(autouse=True)
def fresh() -> None:
    matrices.forget_matrices()


@pytest.fixture(params=["native", "bytes"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With pgvector's column where there is one, and as bytes, as without the extension."""
    if request.param == "bytes":
        if connection.vendor == "sqlite":
            pytest.skip("it is the only way on SQLite")
        monkeypatch.setattr(pgvector, "present", lambda: False)


def direction(steps: float, dim: int = 4) -> bytes:
    """A vector in the plane of the first two numbers, three degrees a step."""
    angle = math.radians(STEP_DEGREES * steps)
    return pack_unit([math.cos(angle), math.sin(angle), *[0.0] * (dim - 2)])


def make(owner: Actor, count: int, scope: str = SCOPE, **fields: Any) -> None:
    """Texts 0, 1, 2, ... of a scope; each points a step further away from 0."""
    EmbeddingScope.objects.get_or_create(
        scope_id=scope, defaults={"org_id": owner.org_id, "model": MODEL, "searched_model": MODEL}
    )
    index(
        Entry(
            owner.org_id,
            "message",
            f"{scope}-{n}",
            scope,
            f"Text {n}",
            now() - timedelta(days=n),
            role="user" if n % 2 else "assistant",
            seq=n,
        )
        for n in range(count)
    )
    embed(scope)


def embed(scope: str = SCOPE, dim: int = 4) -> int | None:
    texts = list_unembedded(scope, MODEL, 10_000)
    made = {one: direction(float(one.text.split()[-1]), dim) for one in texts}
    return store_vectors(scope, MODEL, made, {})


def ask(owner: Actor, limit: int = 3, steps: float = 0.0, **fields: Any) -> dict[str, float]:
    given = {"scope_ids": (SCOPE,), **fields}
    query = SearchQuery(org_id=owner.org_id, kind="message", query="", **given)
    return cosines(query, direction(steps), MODEL, limit)


def test_the_nearest_come_first_with_their_cosines(owner: Actor, store: None) -> None:
    make(owner, 40)
    found = ask(owner, steps=10.0)
    assert set(found) == {f"{SCOPE}-{n}" for n in (9, 10, 11)}
    assert list(found)[0] == f"{SCOPE}-10"
    assert found[f"{SCOPE}-9"] == pytest.approx(math.cos(math.radians(STEP_DEGREES)), abs=1e-3)


def test_filters_hold_before_the_limit(owner: Actor, store: None) -> None:
    make(owner, 60)
    assert list(ask(owner, roles=["user"])) == [f"{SCOPE}-{n}" for n in (1, 3, 5)]
    old = ask(owner, end=now() - timedelta(days=50, hours=1))
    assert list(old) == [f"{SCOPE}-{n}" for n in (51, 52, 53)]


def test_few_that_pass_are_found_among_many(
    owner: Actor, store: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory.vectors.nearest._FIRST_LOOK", 8)
    make(owner, 60)
    assert list(ask(owner, end=now() - timedelta(days=57, hours=1))) == [
        f"{SCOPE}-58",
        f"{SCOPE}-59",
    ]


def test_only_the_scopes_asked_for_and_only_of_ones_own_organisation(
    owner: Actor, stranger: Actor, store: None
) -> None:
    make(owner, 3)
    make(owner, 3, "agent-b")
    assert set(ask(owner, 10)) == {f"{SCOPE}-{n}" for n in range(3)}
    assert len(ask(owner, 10, scope_ids=(SCOPE, "agent-b"))) == 6
    assert ask(stranger, 10) == {}
    assert ask(owner, 10, scope_ids=()) == {}


def test_tags_of_passages(owner: Actor, store: None) -> None:
    archive = create_archive(owner, name="Notes", embedding=MODEL)
    drafts = [PassageDraft(f"Text {n}", tags=("odd",) if n % 2 else ()) for n in range(9)]
    rows = insert_passages(owner, archive_id=archive.id, rows=drafts)
    embed(archive.id)
    query = SearchQuery(owner.org_id, (archive.id,), "passage", "", tags=("odd",))
    assert list(cosines(query, direction(0), MODEL, 2)) == [rows[1].pk, rows[3].pk]
    assert PassageTag.objects.count() == 4


def test_what_comes_changes_and_goes_is_seen_at_once(owner: Actor, store: None) -> None:
    make(owner, 5)
    assert list(ask(owner, 1)) == [f"{SCOPE}-0"]
    drop([f"{SCOPE}-0"])
    assert list(ask(owner, 1)) == [f"{SCOPE}-1"]
    row = SearchEntry.objects.get(ref_id=f"{SCOPE}-4")
    index([Entry(row.org_id, "message", row.ref_id, SCOPE, "Text 0", row.created_at, "user", 4)])
    assert row.ref_id not in ask(owner, 9)
    assert [one.text for one in list_unembedded(SCOPE, MODEL, 9)] == ["Text 0"]
    embed()
    assert list(ask(owner, 1)) == [row.ref_id]
    drop_scopes([SCOPE])
    assert ask(owner) == {} and not Vector.objects.exists()
    assert not EmbeddingScope.objects.exists()


def test_an_unchanged_text_keeps_its_vector_when_it_is_indexed_again(owner: Actor) -> None:
    make(owner, 2)
    row = SearchEntry.objects.get(ref_id=f"{SCOPE}-1")
    index([Entry(row.org_id, "message", row.ref_id, SCOPE, row.text, now(), "user", 7)])
    assert Vector.objects.count() == 2


def test_a_text_that_changed_while_it_was_embedded_gets_no_stale_vector(owner: Actor) -> None:
    make(owner, 1)
    row = SearchEntry.objects.get()
    assert store_vectors(SCOPE, MODEL, {Unembedded(row.pk, "Text 9"): direction(9)}, {}) == 0
    assert store_vectors(SCOPE, MODEL, {Unembedded(row.pk + 1, "Gone"): direction(9)}, {}) == 0
    assert (
        store_vectors(SCOPE, "other/model", {Unembedded(row.pk, row.text): direction(0)}, {})
        is None
    )


def test_another_dimension_replaces_the_vectors_before(owner: Actor, store: None) -> None:
    make(owner, 3)
    index([Entry(owner.org_id, "message", "new", SCOPE, "Text 1", now())])
    assert embed(dim=6) == 1
    assert [row.dim for row in Vector.objects.all()] == [6]
    assert len(list_unembedded(SCOPE, MODEL, 9)) == 3
    assert ask(owner) == {}  # a query of the old dimension is compared with nothing
    embed(dim=6)
    query = SearchQuery(owner.org_id, (SCOPE,), "message", "")
    assert set(cosines(query, direction(1, 6), MODEL, 2)) == {"new", f"{SCOPE}-1"}


def test_memory_for_matrices_is_bounded(owner: Actor, settings: Any) -> None:
    if pgvector.present():
        pytest.skip("the database compares")
    for scope in ("agent-a", "agent-b", "agent-c"):
        make(owner, 10, scope)
        assert ask(owner, 10, scope_ids=(scope,))
    one = matrices.kept_bytes() // 3
    settings.VECTOR_MEMORY_BYTES = 2 * one
    ask(owner, scope_ids=("agent-c",))
    assert matrices.kept_bytes() <= 2 * one
    settings.VECTOR_MEMORY_BYTES = 1
    assert ask(owner, scope_ids=("agent-a",)) and matrices.kept_bytes() == 0


def test_large_scopes_are_searched_by_index_on_postgresql(
    owner: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not pgvector.present():
        pytest.skip("needs pgvector")
    monkeypatch.setattr(pgvector, "EXACT_UP_TO", 10)
    make(owner, 60)
    EmbeddingScope.objects.update(total=60)
    assert list(ask(owner, steps=30.0))[0] == f"{SCOPE}-30"
    assert list(ask(owner, roles=["user"])) == [f"{SCOPE}-{n}" for n in (1, 3, 5)]
    assert len(ask(owner, 100)) == 60


@pytest.mark.parametrize("vector", [[0.0, 0.0], [], [math.nan, 1.0], [math.inf, 0.0]])
def test_a_vector_without_direction_is_refused(vector: list[float]) -> None:
    with pytest.raises(ValueError):
        pack_unit(vector)


def test_packing_keeps_the_direction() -> None:
    packed = pack_unit([3.0, 4.0])
    assert len(packed) == 4
    assert unpack(packed) == pytest.approx((0.6, 0.8), abs=1e-3)
