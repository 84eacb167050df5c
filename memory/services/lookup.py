"""Texts that a search weighs: those with the rarest of its words, and what was said around them.

No database ranks here: SQLite's `bm25` and PostgreSQL's `ts_rank_cd` differ in what they find best,
and neither knows neighbours (docs/decisions/0070). They only look words up.
"""

import heapq
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import BooleanField, Case, F, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.expressions import RawSQL

from memory.logic.relevance import REACH, Candidate, rarity
from memory.models import SearchEntry
from memory.services.candidates import SearchQuery, allowed, candidates

# A word that more texts have finds nothing by itself, unless all words of the query are so common;
# it counts where another word, or the meaning, has found something.
COMMON = 4_000
MAX_COUNTED = 20_000  # where words are rare enough, how rare they are matters no more
MAX_ANCHORS = 50
_TERM = "\x01"  # stands for the term until there is one; no text that is stored has it


class Found(NamedTuple):
    """Texts by primary key that have words of the query, and how much each word weighs."""

    anchors: list[int]
    weights: dict[str, float]


def scope_term(scope_id: str) -> str:
    """Return the term that all texts of a scope have, so that one look-up finds it with a word."""
    return re.sub(r"[^a-z0-9]", "", scope_id.lower())


def look_up(query: SearchQuery, terms: Sequence[str]) -> Found:
    """Return the texts with the most, and the rarest, of these terms: one statement."""
    rows = candidates(query)
    counted = rows.values("pk")[:MAX_COUNTED]
    having = _HAVING[connection.vendor](rows, query.scope_ids).values("pk")[:COMMON]
    postings: dict[str, list[int]] = {term: [] for term in terms}
    total = 0
    for at, value in _union(counted, having, terms):
        if at < 0:
            total = value
        else:
            postings[terms[at]].append(value)
    weights = {term: rarity(len(found), total) for term, found in postings.items() if found}
    return Found(_anchors(postings, weights, max(MAX_ANCHORS, query.limit)), weights)


def _union(
    counted: "QuerySet[Any, Any]", having: "QuerySet[Any, Any]", terms: Sequence[str]
) -> list[tuple[int, int]]:
    """Return (-1, number of texts), and (at, pk) for each text that has the term at that place."""
    sql, params = counted.query.sql_with_params()
    texts, given = [f"SELECT -1, COUNT(*) FROM ({sql}) counted"], list(params)
    sql, params = having.query.sql_with_params()
    for at, term in enumerate(terms):
        texts.append(f"SELECT {at}, found.* FROM ({sql}) found")
        given += [one.replace(_TERM, term) if isinstance(one, str) else one for one in params]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(texts), given)
        rows: list[tuple[int, int]] = cursor.fetchall()
        return rows


def _anchors(
    postings: Mapping[str, list[int]], weights: Mapping[str, float], limit: int
) -> list[int]:
    telling = {term: found for term, found in postings.items() if 0 < len(found) < COMMON}
    sums: dict[int, float] = defaultdict(float)
    for term, found in (telling or postings).items():
        for pk in found:
            sums[pk] += weights[term]
    return heapq.nlargest(limit, sums, key=lambda pk: (sums[pk], pk))


def _having_sqlite(
    rows: "QuerySet[SearchEntry]", scope_ids: Sequence[str] | None
) -> "QuerySet[SearchEntry]":
    match = f'"{_TERM}"'
    if scope_ids is not None:
        match += f" AND ({' OR '.join(scope_term(one) for one in scope_ids)})"
    return rows.extra(
        tables=["memory_search_fts"],
        where=["memory_search_fts.rowid = memory_searchentry.id", "memory_search_fts MATCH %s"],
        params=[match],
        order_by=["-memory_search_fts.rowid"],
    )


def _having_postgres(
    rows: "QuerySet[SearchEntry]", scope_ids: Sequence[str] | None
) -> "QuerySet[SearchEntry]":
    match = f"'{_TERM}'"
    if scope_ids is not None:
        match += f" & ({' | '.join(scope_term(one) for one in scope_ids)})"
    # By an expression: ordered by the key itself, the planner would walk the whole table for it.
    newest = (F("pk") + 0).desc()
    return rows.extra(where=["words @@ %s::tsquery"], params=[match]).order_by(newest)


_HAVING = {"sqlite": _having_sqlite, "postgresql": _having_postgres}


def surround(query: SearchQuery, found: Found, cosines: Mapping[str, float]) -> list[Candidate]:
    """Return texts with what was said around them: one statement.

    `cosines` are by ref_id. Filters decide which candidates are allowed; a neighbour need not be.
    """
    if not found.anchors and not cosines:
        return []
    chosen = SearchEntry.objects.filter(Q(pk__in=found.anchors) | Q(ref_id__in=list(cosines)))
    sql, params = chosen.filter(org_id=query.org_id).values("pk").query.sql_with_params()
    before = SearchEntry.objects.filter(thread_id=OuterRef("thread_id"), seq__lt=OuterRef("seq"))
    rows = SearchEntry.objects.filter(
        pk__in=RawSQL(_AROUND.format(sql), (*params, *params))
    ).annotate(
        previous=Subquery(before.exclude(thread_id="").order_by("-seq").values("seq")[:1]),
        passes=Case(When(allowed(query), then=True), default=False, output_field=BooleanField()),
    )
    return [_candidate(row, found.weights, cosines) for row in rows.values_list(*_COLUMNS)]


# What REACH is, in SQL that both databases take: a thread's places are not numbered one by one.
_AROUND = f"""
    SELECT near.id FROM memory_searchentry one JOIN memory_searchentry near
    ON near.thread_id = one.thread_id AND near.seq BETWEEN
        COALESCE((SELECT seq FROM memory_searchentry older
            WHERE older.thread_id = one.thread_id AND older.seq < one.seq
            ORDER BY seq DESC LIMIT 1 OFFSET {REACH - 1}), 0)
        AND COALESCE((SELECT seq FROM memory_searchentry newer
            WHERE newer.thread_id = one.thread_id AND newer.seq > one.seq
            ORDER BY seq LIMIT 1 OFFSET {REACH - 1}), {2**62})
    WHERE one.thread_id <> '' AND one.id IN ({{0}})
    UNION {{0}}
"""
_COLUMNS = (
    *("pk", "thread_id", "seq", "previous", "created_at", "speaker"),
    *("terms", "passes", "ref_id"),
)


def _candidate(row: Any, weights: Iterable[str], cosines: Mapping[str, float]) -> Candidate:
    pk, thread_id, seq, previous, created_at, speaker, terms, passes, ref_id = row
    padded = f" {terms} "
    has = tuple(term for term in weights if f" {term} " in padded)
    return Candidate(
        pk=pk,
        thread=thread_id,
        seq=seq,
        previous=previous,
        created_at=created_at,
        speaker=speaker,
        size=terms.count(" ") + 1,
        has=has,
        allowed=passes,
        cosine=cosines.get(ref_id),
    )
