"""How well texts answer a query: every weight of the search, and what is done with them.

A text is judged by how much of the query it covers together with its neighbours in the same
session. Measured on conversations in docs/decisions/0070: neighbours +13 points of recall at 10,
a named speaker +1; no weight decides alone, and half or twice of each costs less than a point.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

# How much a neighbour's word counts beside one of the text itself: at 1, 2, ... places from it.
BEFORE = (0.4, 0.3, 0.2, 0.1)
AFTER = (0.4, 0.2)
SESSION_GAP = timedelta(hours=3)  # a longer silence begins another session
SPEAKER = 0.15  # for the words of somebody whom the query names
# Of the cosine as it is: what is only the nearest of far things must not count like a near one.
DENSE = 0.8
# The k1 and b of Okapi BM25 (Robertson and Zaragoza 2009, section 3.4), where a word counts once a
# text, so that it is soon enough.
SATURATION = 0.8
LENGTH = 0.75

LENT = 2  # words that neighbours must lend to a text which has none itself
REACH = 4  # how far neighbours are fetched for: a text found by one of them has its own
_PLACES = [(-at, weight) for at, weight in enumerate(BEFORE, 1)] + list(enumerate(AFTER, 1))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that may be an answer, or only stands near one (`allowed` False).

    `thread` is what it is told in, "" if it stands alone; there it comes at `seq`, and right after
    what is at `previous`, None being nothing.
    `has` are the terms of the query that it has, of `size` terms in all. `cosine` is None where
    the text is not among the nearest in meaning.
    """

    pk: int
    thread: str
    seq: int
    previous: int | None
    created_at: datetime
    speaker: str
    size: int
    has: Sequence[str]
    allowed: bool = True
    cosine: float | None = None


_PARTS = ("own", "context", "speaker", "dense")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a text was found. `score` is the sum: (own + context) + speaker + dense.

    `own` and `context` are shares of the best text's, `dense` and `speaker` are weighted already.
    The ranks count from 1, and are None where that way of searching did not find the text.
    """

    pk: int
    own: float = 0.0
    context: float = 0.0
    speaker: float = 0.0
    dense: float = 0.0
    lexical_rank: int | None = None
    vector_rank: int | None = None

    @property
    def score(self) -> float:
        """The whole, higher for better; comparable within one search only."""
        return self.own + self.context + self.speaker + self.dense

    def explained(self) -> dict[str, float | int | None]:
        """Return the parts of the score, as they are stored and shown."""
        parts = {name: round(getattr(self, name), 4) for name in _PARTS}
        return {**parts, "lexical_rank": self.lexical_rank, "vector_rank": self.vector_rank}


def rarity(count: int, total: int) -> float:
    """Return the weight of a term that `count` of `total` texts have (BM25's, never negative)."""
    return math.log(1 + (max(total, count) - count + 0.5) / (count + 0.5))


def judge(candidates: Sequence[Candidate], weights: Mapping[str, float]) -> list[Verdict]:
    """Return a verdict on each allowed candidate that answers anything, best first.

    `weights` has the rarity of each term of the query. Of equals the newer comes first.
    """
    by_pk = {one.pk: one for one in candidates if one.allowed}
    verdicts = _by_words(candidates, weights, by_pk)
    near = [one for one in by_pk.values() if one.cosine is not None]
    near.sort(key=lambda one: one.cosine or 0.0, reverse=True)
    for rank, one in enumerate(near, 1):
        found = verdicts.get(one.pk, Verdict(one.pk))
        dense = DENSE * max(one.cosine or 0.0, 0.0)
        verdicts[one.pk] = replace(found, dense=dense, vector_rank=rank)

    def order(verdict: Verdict) -> tuple[float, datetime, int, int]:
        one = by_pk[verdict.pk]
        return verdict.score, one.created_at, one.seq, one.pk

    return sorted(verdicts.values(), key=order, reverse=True)


def _by_words(
    candidates: Sequence[Candidate], weights: Mapping[str, float], by_pk: Mapping[int, Candidate]
) -> dict[int, Verdict]:
    """Judge by words; the best text's own and context make 1."""
    covered = [one for one in _covered(candidates, weights) if one[0] in by_pk]
    covered.sort(key=lambda one: one[2], reverse=True)
    best = covered[0][2] if covered else 1.0
    named = _named(by_pk.values(), weights)
    return {
        pk: Verdict(
            pk,
            own=own / best,
            context=(whole - own) / best,
            speaker=SPEAKER if by_pk[pk].speaker in named else 0.0,
            lexical_rank=rank,
        )
        for rank, (pk, own, whole) in enumerate(covered, 1)
    }


def _named(candidates: Iterable[Candidate], weights: Mapping[str, float]) -> set[str]:
    """Return the speakers whom the query names."""
    speakers = {one.speaker for one in candidates}
    return {one for one in speakers if any(term in weights for term in one.split())}


def _covered(
    candidates: Sequence[Candidate], weights: Mapping[str, float]
) -> list[tuple[int, float, float]]:
    """Return (pk, own, whole): how much of the query a text covers, by itself and in its place."""
    mean = sum(one.size for one in candidates) / (len(candidates) or 1)
    found = []
    for session in _sessions(candidates):
        shares = [1 / (1 - LENGTH + LENGTH * one.size / mean) for one in session]
        for one, share, lent in zip(session, shares, _lent(session, shares), strict=True):
            if not one.has and len(lent) < LENT:
                continue
            own = sum(weights[term] * _enough(share) for term in one.has)
            for term in one.has:
                lent[term] = lent.get(term, 0.0) + share
            whole = sum(weights[term] * _enough(count) for term, count in lent.items())
            found.append((one.pk, own, whole))
    return found


def _lent(session: Sequence[Candidate], shares: Sequence[float]) -> list[dict[str, float]]:
    """Return what the neighbours of each text lend to it."""
    lent: list[dict[str, float]] = [{} for _ in session]
    for at, one in enumerate(session):
        for term in one.has:
            for place, weight in _PLACES:
                if 0 <= at - place < len(session):
                    to = lent[at - place]
                    to[term] = to.get(term, 0.0) + weight * shares[at]
    return lent


def _enough(count: float) -> float:
    """More of the same term adds less and less."""
    return count * (SATURATION + 1) / (count + SATURATION)


def _sessions(candidates: Iterable[Candidate]) -> Iterable[list[Candidate]]:
    """Yield what was said without a long silence between; what is in no thread stands alone."""
    session: list[Candidate] = []
    for one in sorted(candidates, key=lambda one: (one.thread, one.seq)):
        if session and not _goes_on(session[-1], one):
            yield session
            session = []
        session.append(one)
    if session:
        yield session


def _goes_on(before: Candidate, after: Candidate) -> bool:
    beside = before.thread == after.thread != "" and before.seq == after.previous
    return beside and abs(after.created_at - before.created_at) <= SESSION_GAP
