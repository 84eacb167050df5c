"""Texts that a search weighs: those with the rarest of its words, and what was said around them.

No database ranks here: SQLite's `bm25` and PostgreSQL's `ts_rank_cd` differ in what they find best,
and neither knows neighbours (docs/decisions/0070). They only look words up.
"""

import heapq
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import BooleanField, Case, F, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce

from memory.logic.relevance import REACH, Candidate, rarity
from memory.models import SearchEntry
from memory.services.candidates import SearchQuery, allowed, candidates

# A word that more texts have finds nothing by itself, unless all words of the query are so common;
# it counts where another word, or the meaning, has found something.
COMMON = 4_000
MAX_COUNTED = 20_000  # where words are rare enough, how rare they are matters no more
MAX_ANCHORS = 100
_END = 2**62


class Found(NamedTuple):
    """Texts by primary key that have words of the query, and how much each word weighs."""

    anchors: list[int]
    weights: dict[str, float]


class Span(NamedTuple):
    """A piece of a thread, both ends included."""

    thread_id: str
    first: int
    last: int


def scope_term(scope_id: str) -> str:
    """Return the term that all texts of a scope have, so that one look-up finds it with a word."""
    return re.sub(r"[^a-z0-9]", "", scope_id.lower())


def look_up(query: SearchQuery, terms: Sequence[str]) -> Found:
    """Return the texts with the most, and the rarest, of these terms: one statement."""
    rows = candidates(query)
    parts = [("SELECT -1, COUNT(*) FROM ({}) counted", rows.values("pk")[:MAX_COUNTED])]
    for at, term in enumerate(terms):
        having = _HAVING[connection.vendor](rows, query.scope_ids, term)
        parts.append((f"SELECT {at}, found.* FROM ({{}}) found", having.values("pk")[:COMMON]))
    postings: dict[str, list[int]] = {term: [] for term in terms}
    total = 0
    for at, value in _union(parts):
        if at < 0:
            total = value
        else:
            postings[terms[at]].append(value)
    weights = {term: rarity(len(found), total) for term, found in postings.items() if found}
    return Found(_anchors(postings, weights), weights)


def _union(parts: Iterable[tuple[str, "QuerySet[Any, Any]"]]) -> list[tuple[int, int]]:
    texts: list[str] = []
    params: list[Any] = []
    for frame, rows in parts:
        try:
            sql, given = rows.query.sql_with_params()
        except EmptyResultSet:  # what can find nothing has no SQL
            continue
        texts.append(frame.format(sql))
        params += given
    if not texts:
        return []
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(texts), params)
        found: list[tuple[int, int]] = cursor.fetchall()
        return found


def _anchors(postings: Mapping[str, list[int]], weights: Mapping[str, float]) -> list[int]:
    telling = {term: found for term, found in postings.items() if 0 < len(found) < COMMON}
    sums: dict[int, float] = defaultdict(float)
    for term, found in (telling or postings).items():
        for pk in found:
            sums[pk] += weights[term]
    return heapq.nlargest(MAX_ANCHORS, sums, key=lambda pk: (sums[pk], pk))


def _having_sqlite(
    rows: "QuerySet[SearchEntry]", scope_ids: Sequence[str] | None, term: str
) -> "QuerySet[SearchEntry]":
    match = f'"{term}"'
    if scope_ids is not None:
        match += f" AND ({' OR '.join(scope_term(one) for one in scope_ids)})"
    return rows.extra(
        tables=["memory_search_fts"],
        where=["memory_search_fts.rowid = memory_searchentry.id", "memory_search_fts MATCH %s"],
        params=[match],
        order_by=["-memory_search_fts.rowid"],
    )


def _having_postgres(
    rows: "QuerySet[SearchEntry]", scope_ids: Sequence[str] | None, term: str
) -> "QuerySet[SearchEntry]":
    match = f"'{term}'"
    if scope_ids is not None:
        match += f" & ({' | '.join(scope_term(one) for one in scope_ids)})"
    # By an expression: ordered by the key itself, the planner would walk the whole table for it.
    newest = (F("pk") + 0).desc()
    return rows.extra(where=["words @@ %s::tsquery"], params=[match]).order_by(newest)


_HAVING = {"sqlite": _having_sqlite, "postgresql": _having_postgres}


def surround(
    query: SearchQuery, anchors: Sequence[int], cosines: Mapping[str, float]
) -> list[Candidate]:
    """Return texts with what was said around them: two statements.

    `cosines` are by ref_id. Filters decide which candidates are allowed; a neighbour need not be.
    """
    chosen = Q(pk__in=anchors) | Q(ref_id__in=list(cosines))
    spans = _spans(SearchEntry.objects.filter(chosen, org_id=query.org_id))
    for span in spans:
        chosen |= Q(thread_id=span.thread_id, seq__range=(span.first, span.last))
    passes = Case(When(allowed(query), then=True), default=False, output_field=BooleanField())
    rows = SearchEntry.objects.filter(chosen, org_id=query.org_id).annotate(passes=passes)
    return [
        Candidate(
            pk=row.pk,
            run=_run_of(row, spans),
            seq=row.seq,
            created_at=row.created_at,
            speaker=row.speaker,
            terms=frozenset(row.terms.split()),
            allowed=row.passes,
            cosine=cosines.get(row.ref_id),
        )
        for row in rows.values_list(*_COLUMNS, named=True)
    ]


_COLUMNS = ("pk", "ref_id", "thread_id", "seq", "created_at", "speaker", "terms", "passes")


def _spans(rows: "QuerySet[SearchEntry]") -> list[Span]:
    """Return the surroundings of texts that are in threads, ordered, none overlapping another."""
    beside = SearchEntry.objects.filter(thread_id=OuterRef("thread_id")).values("seq")
    older = beside.filter(seq__lt=OuterRef("seq")).order_by("-seq")[REACH - 1 : REACH]
    newer = beside.filter(seq__gt=OuterRef("seq")).order_by("seq")[REACH - 1 : REACH]
    ends = rows.exclude(thread_id="").values_list(
        "thread_id", Coalesce(Subquery(older), 0), Coalesce(Subquery(newer), _END)
    )
    spans: list[Span] = []
    for span in sorted(Span(*row) for row in ends):
        last = spans[-1] if spans else None
        if last and last.thread_id == span.thread_id and span.first <= last.last:
            spans[-1] = last._replace(last=max(last.last, span.last))
        else:
            spans.append(span)
    return spans


def _run_of(row: Any, spans: Sequence[Span]) -> str:
    if not row.thread_id:
        return ""
    at = bisect_right(spans, (row.thread_id, row.seq, _END))
    return f"{row.thread_id} {at}"
