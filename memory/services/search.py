"""Finding words again: one index over messages and passages, ranked by BM25."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from django.db import connection
from django.db.models import Case, FloatField, Q, QuerySet, Value, When
from django.db.models.expressions import RawSQL

from letta_site.core.aio import write
from memory.models import PassageTag, SearchEntry
from memory.services.storable import storable
from memory.services.words import Wanted, wanted

INDEXED_CHARS = 200_000  # PostgreSQL refuses a tsvector of more than 1 MB.


@dataclass(frozen=True, slots=True)
class Entry:
    """A text to be found. `scope_id` is an agent for a message, an archive for a passage, a folder
    for a piece of a file.
    """

    org_id: str
    kind: Literal["message", "passage", "file"]
    ref_id: str
    scope_id: str
    text: str
    created_at: datetime
    role: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What to find and where. Filters hold before `limit` does; a blank `query` means newest."""

    org_id: str
    scope_ids: Sequence[str]
    kind: Literal["message", "passage", "file"]
    query: str
    roles: Sequence[str] = ()
    tags: Sequence[str] = ()
    tag_match_mode: Literal["any", "all"] = "any"
    start: datetime | None = None
    end: datetime | None = None
    limit: int = 5


@dataclass(frozen=True, slots=True)
class Hit:
    """A found text. `score` is higher for better, and comparable within one search only."""

    ref_id: str
    score: float
    text: str
    role: str
    seq: int
    created_at: datetime


def index(entries: Iterable[Entry]) -> None:
    """Make texts findable, replacing what was indexed under the same `ref_id`."""
    rows = [
        SearchEntry(**{**asdict(one), "text": storable(one.text)[:INDEXED_CHARS]})
        for one in entries
    ]
    if not rows:
        return
    with write():
        SearchEntry.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["ref_id"],
            update_fields=["scope_id", "role", "seq", "text", "created_at"],
        )


def drop(ref_ids: Iterable[str]) -> None:
    """Make texts unfindable."""
    with write():
        SearchEntry.objects.filter(ref_id__in=list(ref_ids)).delete()


def drop_scopes(scope_ids: Iterable[str]) -> None:
    """Make every text of these agents or archives unfindable; for when they are deleted."""
    with write():
        SearchEntry.objects.filter(scope_id__in=list(scope_ids)).delete()


def search(query: SearchQuery) -> list[Hit]:
    """Return the best matches, best first; the newest first when the query is blank."""
    rows = _candidates(query)
    want = wanted(query.query)
    if want.blank:
        newest = rows.annotate(score=Value(0.0, output_field=FloatField()))
        return _hits(newest.order_by("-created_at", "-seq", "-pk"), query.limit)
    hits = _by_pieces(rows, want, query.limit) if want.pieces else []
    if want.words and len(hits) < query.limit:
        seen = {hit.ref_id for hit in hits}
        ranked = _RANKED[connection.vendor](rows, query, want.words)
        found = _hits(ranked.order_by("-score", "-created_at", "-pk"), query.limit)
        hits += [hit for hit in found if hit.ref_id not in seen]
    return hits[: query.limit]


def _candidates(query: SearchQuery) -> "QuerySet[SearchEntry]":
    rows = SearchEntry.objects.filter(
        org_id=query.org_id, kind=query.kind, scope_id__in=list(query.scope_ids)
    )
    if query.roles:
        rows = rows.filter(role__in=list(query.roles))
    if query.start:
        rows = rows.filter(created_at__gte=query.start)
    if query.end:
        rows = rows.filter(created_at__lte=query.end)
    for tags in _tag_groups(query):
        tagged = PassageTag.objects.filter(archive_id__in=list(query.scope_ids), tag__in=tags)
        rows = rows.filter(ref_id__in=tagged.values("passage_id"))
    return rows


def _tag_groups(query: SearchQuery) -> list[list[str]]:
    """Return groups of tags: a passage must have one tag of every group."""
    if query.tag_match_mode == "all":
        return [[tag] for tag in query.tags]
    return [list(query.tags)] if query.tags else []


def _hits(rows: "QuerySet[Any]", limit: int) -> list[Hit]:
    fields = ("ref_id", "score", "text", "role", "seq", "created_at")
    return [Hit(**row) for row in rows.values(*fields)[:limit]]


def _by_pieces(rows: "QuerySet[SearchEntry]", want: Wanted, limit: int) -> list[Hit]:
    """Rank by how many pieces a text contains: for what a word index cannot answer."""
    tests = [
        Q(text__iregex=one) if want.pieces_are_patterns else Q(text__icontains=one)
        for one in want.pieces
    ]
    score = sum(
        (Case(When(test, then=Value(1.0)), default=Value(0.0)) for test in tests[1:]),
        start=Case(When(tests[0], then=Value(1.0)), default=Value(0.0), output_field=FloatField()),
    )
    found = rows.filter(Q(*tests, _connector=Q.OR)).annotate(score=score)
    return _hits(found.order_by("-score", "-created_at", "-pk"), limit)


def _rank_sqlite(
    rows: "QuerySet[SearchEntry]", query: SearchQuery, words: Sequence[str]
) -> "QuerySet[Any]":
    # The scope is a column of the index too, so that a common word of other agents costs nothing.
    scopes = " OR ".join(_quoted(one) for one in query.scope_ids)
    match = f"scope_id : ({scopes}) AND text : ({' OR '.join(map(_quoted, words))})"
    return rows.extra(
        tables=["memory_search_fts"],
        where=["memory_search_fts.rowid = memory_searchentry.id", "memory_search_fts MATCH %s"],
        params=[match],
        select={"score": "-bm25(memory_search_fts, 0.0, 1.0)"},
    )


def _quoted(text: str) -> str:
    return '"' + re.sub(r'["\x00]', " ", text) + '"'


def _rank_postgres(
    rows: "QuerySet[SearchEntry]", _query: SearchQuery, words: Sequence[str]
) -> "QuerySet[Any]":
    parsed = " || ".join(["plainto_tsquery('english', %s)"] * len(words))
    rank = RawSQL(f"ts_rank_cd(words, {parsed})", list(words), output_field=FloatField())
    matching = rows.extra(where=[f"words @@ ({parsed})"], params=list(words))
    ranked: QuerySet[Any] = matching.annotate(score=rank)
    return ranked


_RANKED = {"sqlite": _rank_sqlite, "postgresql": _rank_postgres}
