"""How well texts answer a query: every weight of the search, and what is done with them.

A text is judged by how much of the query it covers together with its neighbours in the same
session. Measured on conversations in docs/decisions/0070: neighbours +13 points of recall at 10,
a named speaker +1; no weight decides alone, and half or twice of each costs less than a point.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

# How much a neighbour's word counts beside one of the text itself: at 1, 2, ... places from it.
BEFORE = (0.4, 0.3, 0.2, 0.1)
AFTER = (0.4, 0.2)
SESSION_GAP = timedelta(hours=3)  # a longer silence begins another session
SPEAKER = 0.15  # for the words of somebody whom the query names
DENSE = 0.3  # of the nearness in meaning, where there is an embedder
# The k1 and b of Okapi BM25 (Robertson and Zaragoza 2009, section 3.4), where a word counts once a
# text, so that it is soon enough.
SATURATION = 0.8
LENGTH = 0.75

LENT = 2  # words that neighbours must lend to a text which has none itself
REACH = 4  # how far neighbours are fetched for: a text found by one of them has its own
_PLACES = {-at: weight for at, weight in enumerate(BEFORE, 1)} | dict(enumerate(AFTER, 1))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that may be an answer, or only stands near one (`allowed` False).

    `run` is an unbroken piece of what it is told in, "" if it stands alone; `seq` orders a run.
    `cosine` is None where the text is not among the nearest in meaning.
    """

    pk: int
    run: str
    seq: int
    created_at: datetime
    speaker: str
    terms: frozenset[str]
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
    verdicts = _lexical(candidates, weights, by_pk)
    for rank, one in enumerate(_nearest(by_pk.values()), 1):
        found = verdicts.get(one.pk, Verdict(one.pk))
        verdicts[one.pk] = replace(found, dense=one.cosine or 0.0, vector_rank=rank)
    _weigh_dense(verdicts)

    def order(verdict: Verdict) -> tuple[float, datetime, int, int]:
        one = by_pk[verdict.pk]
        return verdict.score, one.created_at, one.seq, one.pk

    return sorted(verdicts.values(), key=order, reverse=True)


def _lexical(
    candidates: Sequence[Candidate], weights: Mapping[str, float], by_pk: Mapping[int, Candidate]
) -> dict[int, Verdict]:
    """Judge by words; the best text's own and context make 1."""
    covered = {pk: found for pk, found in _covered(candidates, weights).items() if pk in by_pk}
    best = max((whole for _, whole in covered.values()), default=0.0)
    if not best:
        return {}
    order = sorted(covered, key=lambda pk: covered[pk][1], reverse=True)
    return {
        pk: Verdict(
            pk,
            own=covered[pk][0] / best,
            context=(covered[pk][1] - covered[pk][0]) / best,
            speaker=SPEAKER if _is_named(by_pk[pk], weights) else 0.0,
            lexical_rank=rank,
        )
        for rank, pk in enumerate(order, 1)
    }


def _is_named(one: Candidate, weights: Mapping[str, float]) -> bool:
    return any(term in weights for term in one.speaker.split())


def _covered(
    candidates: Sequence[Candidate], weights: Mapping[str, float]
) -> dict[int, tuple[float, float]]:
    """Return pk -> how much of the query a text covers: itself, and with its neighbours."""
    if not candidates:
        return {}
    mean = sum(len(one.terms) for one in candidates) / len(candidates) or 1.0
    own: dict[int, dict[str, float]] = defaultdict(dict)
    near: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for session in _sessions(candidates):
        for at, one in enumerate(session):
            share = 1 / (1 - LENGTH + LENGTH * len(one.terms) / mean)
            for term in weights.keys() & one.terms:
                own[one.pk][term] = share
                for place, weight in _PLACES.items():
                    # Who has this text at `place` from it?
                    if 0 <= at - place < len(session):
                        near[session[at - place].pk][term] += weight * share
    return {
        pk: (_sum(own[pk], weights), _sum(_added(own[pk], near[pk]), weights))
        for pk in own.keys() | near.keys()
        if pk in own or len(near[pk]) >= LENT
    }


def _added(own: Mapping[str, float], near: Mapping[str, float]) -> dict[str, float]:
    return {term: own.get(term, 0.0) + near.get(term, 0.0) for term in own.keys() | near.keys()}


def _sum(counts: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Sum the terms by rarity; more of the same term adds less and less."""
    return sum(
        weights[term] * count * (SATURATION + 1) / (count + SATURATION)
        for term, count in counts.items()
    )


def _sessions(candidates: Iterable[Candidate]) -> Iterable[list[Candidate]]:
    """Yield what was said without a long silence between; what is in no run stands alone."""
    session: list[Candidate] = []
    for one in sorted(candidates, key=lambda one: (one.run, one.seq)):
        if session and not _goes_on(session[-1], one):
            yield session
            session = []
        session.append(one)
    if session:
        yield session


def _goes_on(before: Candidate, after: Candidate) -> bool:
    same = before.run == after.run != ""
    return same and abs(after.created_at - before.created_at) <= SESSION_GAP


def _nearest(candidates: Iterable[Candidate]) -> list[Candidate]:
    near = [one for one in candidates if one.cosine is not None]
    return sorted(near, key=lambda one: one.cosine or 0.0, reverse=True)


def _weigh_dense(verdicts: dict[int, Verdict]) -> None:
    """Make the nearest text's cosine DENSE. Fusing ranks instead was measured to hurt."""
    best = max((one.dense for one in verdicts.values()), default=0.0)
    for pk, one in verdicts.items():
        verdicts[pk] = replace(one, dense=DENSE * max(one.dense, 0.0) / best if best > 0 else 0.0)
