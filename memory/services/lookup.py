"""Texts that a search weighs: those with the rarest of its words, and what was said around them.

No database ranks here: SQLite's `bm25` and PostgreSQL's `ts_rank_cd` differ in what they find best,
and neither knows neighbours (docs/decisions/0070). They only look words up.
"""

import heapq
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import BooleanField, Case, F, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.expressions import RawSQL

from memory.logic.relevance import REACH, Candidate, rarity
from memory.models import SearchEntry
from memory.services.candidates import SearchQuery, allowed, candidates

# So many texts with a word are fetched, the newest. A word that more have finds nothing by itself,
# unless all words of the query are so common; it counts where something else has found a text.
COMMON = 1_000
MAX_COUNTED = 5_000  # beyond that a word is common enough, however common it is
MAX_TOTAL = 20_000
MAX_ANCHORS = 40
_TERM = "\x01"  # stands for the term until there is one; no text that is stored has it


_COUNTED = "SELECT rowid FROM memory_search_fts WHERE memory_search_fts MATCH %s"

Sql = tuple[str, Sequence[Any]]


class Found(NamedTuple):
    """Texts by primary key that have words of the query, and how much each word weighs."""

    anchors: list[int]
    weights: dict[str, float]


def scope_term(scope_id: str) -> str:
    """Return the term that all texts of a scope have, so that one look-up finds it with a word."""
    return re.sub(r"[^a-z0-9]", "", scope_id.lower())


def look_up(query: SearchQuery, terms: Sequence[str]) -> Found:
    """Return the texts with the most, and the rarest, of these terms: one statement."""
    postings: dict[str, list[int]] = {term: [] for term in terms}
    counts = dict.fromkeys(range(-1, len(terms)), 0)
    for at, value in _posted(query, terms):
        if value < 0:
            counts[at] = -value - 1
        else:
            postings[terms[at]].append(value)
    weights = {term: rarity(counts[at], counts[-1]) for at, term in enumerate(terms) if counts[at]}
    return Found(_anchors(postings, weights, max(MAX_ANCHORS, query.limit)), weights)


def _posted(query: SearchQuery, terms: Sequence[str]) -> list[tuple[int, int]]:
    """Return (at, pk) for each text that has the term at that place, and counts as -1 - count.

    How common a term is does not depend on filters; the number of all texts comes at -1.
    """
    scope = SearchQuery(query.org_id, query.scope_ids, query.kind, "")
    having = _HAVING[connection.vendor]
    total, common, posted = _all_of(scope), having(scope, counting=True), having(query)
    texts, given = [f"SELECT -1, -1 - COUNT(*) FROM ({total[0]}) total"], list(total[1])
    for at, term in enumerate(terms):
        texts.append(f"SELECT {at}, -1 - COUNT(*) FROM ({common[0]}) common")
        texts.append(f"SELECT {at}, posted.* FROM ({posted[0]}) posted")
        for one in (*common[1], *posted[1]):
            given.append(one.replace(_TERM, term) if isinstance(one, str) else one)
    return _rows(" UNION ALL ".join(texts), given)


def _all_of(scope: SearchQuery) -> Sql:
    if connection.vendor == "sqlite" and scope.scope_ids is not None:
        # The scopes are in the word index itself: no row need be looked at.
        return f"{_COUNTED} LIMIT {MAX_TOTAL}", (_any_scope(scope.scope_ids),)
    return candidates(scope).values("pk")[:MAX_TOTAL].query.sql_with_params()


def _any_scope(scope_ids: Iterable[str]) -> str:
    return f"({' OR '.join(map(scope_term, scope_ids))})"


def _rows(sql: str, params: Sequence[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def _anchors(
    postings: Mapping[str, list[int]], weights: Mapping[str, float], limit: int
) -> list[int]:
    telling = {term: found for term, found in postings.items() if 0 < len(found) < COMMON}
    sums: dict[int, float] = defaultdict(float)
    for term, found in (telling or postings).items():
        weight = weights.get(term, 0.0)
        for pk in found:
            sums[pk] += weight
    best = heapq.nlargest(limit, ((score, pk) for pk, score in sums.items()))
    return [pk for _, pk in best]


def _having_sqlite(query: SearchQuery, *, counting: bool = False) -> Sql:
    match = f'"{_TERM}"'
    if query.scope_ids is not None:
        match += f" AND {_any_scope(query.scope_ids)}"
        if counting:
            return f"{_COUNTED} LIMIT {MAX_COUNTED}", (match,)
    rows = candidates(query).extra(
        tables=["memory_search_fts"],
        where=["memory_search_fts.rowid = memory_searchentry.id", "memory_search_fts MATCH %s"],
        params=[match],
        order_by=["-memory_search_fts.rowid"],
    )
    return _limited(rows, counting)


def _having_postgres(query: SearchQuery, *, counting: bool = False) -> Sql:
    match = f"'{_TERM}'"
    if query.scope_ids is not None:
        match += f" & ({' | '.join(map(scope_term, query.scope_ids))})"
    rows = candidates(query).extra(where=["words @@ %s::tsquery"], params=[match])
    # By an expression: ordered by the key itself, the planner would walk the whole table for it.
    return _limited(rows if counting else rows.order_by((F("pk") + 0).desc()), counting)


def _limited(rows: "QuerySet[SearchEntry]", counting: bool) -> Sql:
    limit = MAX_COUNTED if counting else COMMON
    return rows.values("pk")[:limit].query.sql_with_params()


_HAVING = {"sqlite": _having_sqlite, "postgresql": _having_postgres}


def surround(query: SearchQuery, found: Found, cosines: Mapping[str, float]) -> list[Candidate]:
    """Return texts with what was said around them: one statement.

    `cosines` are by ref_id. Filters decide which candidates are allowed; a neighbour need not be.
    """
    if not found.anchors and not cosines:
        return []
    before = SearchEntry.objects.filter(thread_id=OuterRef("thread_id"), seq__lt=OuterRef("seq"))
    chosen = Q(pk__in=found.anchors) | Q(ref_id__in=list(cosines))
    if found.anchors:
        places = ", ".join(["%s"] * len(found.anchors))
        chosen |= Q(pk__in=RawSQL(_AROUND.format(places), found.anchors))
    rows = SearchEntry.objects.filter(chosen).annotate(
        previous=Subquery(before.exclude(thread_id="").order_by("-seq").values("seq")[:1]),
        passes=Case(When(allowed(query), then=True), default=False, output_field=BooleanField()),
    )
    statement = rows.values_list(*_COLUMNS).query.sql_with_params()
    return [_candidate(row, found.weights, cosines) for row in _rows(*statement)]


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
    WHERE one.thread_id <> '' AND one.id IN ({{}})
"""
_COLUMNS = (
    *("pk", "thread_id", "seq", "previous", "created_at", "speaker"),
    *("terms", "passes", "ref_id"),
)


def _candidate(row: Any, weights: Iterable[str], cosines: Mapping[str, float]) -> Candidate:
    pk, thread_id, seq, previous, created_at, speaker, terms, passes, ref_id = row
    if isinstance(created_at, str):
        # SQLite keeps text; Django's own way from it to a moment costs more than all the rest.
        created_at = datetime.fromisoformat(created_at)
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
        allowed=bool(passes),
        cosine=cosines.get(ref_id),
    )
