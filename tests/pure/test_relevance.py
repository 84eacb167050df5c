"""Which of several texts answers a query best."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from memory.logic.relevance import SESSION_GAP, Candidate, Verdict, judge, rarity

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WEIGHTS = {"dog": 2.0, "park": 1.5, "rex": 3.0, "ann": 0.5}


def said(n: int, *has: str, **fields: Any) -> Candidate:
    given: dict[str, Any] = {
        "pk": n,
        "thread": "talk",
        "seq": n,
        "previous": n - 1,
        "created_at": NOON + timedelta(minutes=n),
        "speaker": "",
        "size": 10,
        "has": has,
        **fields,
    }
    return Candidate(**given)


def order(*candidates: Candidate) -> list[int]:
    return [one.pk for one in judge(candidates, WEIGHTS)]


def verdict(pk: int, *candidates: Candidate) -> Verdict:
    return next(one for one in judge(candidates, WEIGHTS) if one.pk == pk)


def test_who_covers_more_of_the_query_is_better() -> None:
    apart = {"thread": ""}
    assert order(said(1, "park", **apart), said(2, "rex", **apart)) == [2, 1]
    assert order(said(1, "park", "dog", **apart), said(2, "rex", **apart)) == [1, 2]


def test_a_short_text_with_the_same_words_is_better() -> None:
    assert order(said(1, "rex", size=80, thread=""), said(2, "rex", size=5, thread="")) == [2, 1]


def test_of_equals_the_newer_comes_first() -> None:
    assert order(said(1, "rex", thread=""), said(2, "rex", thread="")) == [2, 1]


def test_neighbours_lend_their_words() -> None:
    lone = said(30, "rex", previous=29)
    answer = said(2, "rex")
    question = said(1, "dog", "park")
    found = order(question, answer, lone)
    assert found.index(2) < found.index(30)
    assert verdict(2, question, answer, lone).context > 0
    assert verdict(30, question, answer, lone).context == 0


def test_a_nearer_neighbour_lends_more() -> None:
    near = verdict(2, said(1, "dog"), said(2, "rex"), said(3)).context
    far = verdict(3, said(1, "dog"), said(2), said(3, "rex")).context
    assert near > far > 0


def test_nothing_is_lent_over_a_long_silence_or_a_gap_or_another_thread() -> None:
    question = said(1, "dog", "park")
    later = NOON + SESSION_GAP + timedelta(minutes=2)
    for answer in (
        said(2, "rex", created_at=later),
        said(2, "rex", thread="other"),
        said(5, "rex", previous=4),
    ):
        assert verdict(answer.pk, question, answer).context == 0


def test_a_text_without_any_word_needs_two_from_its_neighbours() -> None:
    assert order(said(1, "dog"), said(2)) == [1]
    assert set(order(said(1, "dog", "park"), said(2))) == {1, 2}


def test_what_is_not_allowed_still_lends_its_words() -> None:
    question = said(1, "dog", "park", allowed=False)
    assert order(question, said(2, "rex")) == [2]
    assert verdict(2, question, said(2, "rex")).context > 0


def test_somebody_who_is_named_is_preferred() -> None:
    by_ann = said(1, "rex", speaker="ann", thread="")
    assert order(by_ann, said(2, "rex", speaker="bob", thread="")) == [1, 2]
    assert verdict(1, by_ann).explained()["speaker"] > 0


def test_nearness_in_meaning_is_added_and_finds_alone() -> None:
    by_words = said(1, "rex", thread="")
    by_both = said(2, "rex", thread="", cosine=0.5)
    by_meaning = said(3, thread="", cosine=0.9)
    assert order(by_words, by_both, by_meaning) == [2, 1, 3]
    found = verdict(3, by_words, by_both, by_meaning)
    assert (found.vector_rank, found.lexical_rank) == (1, None)
    assert verdict(2, by_words, by_both, by_meaning).vector_rank == 2


def test_the_parts_make_the_score() -> None:
    one = verdict(2, said(1, "dog"), said(2, "rex", speaker="ann", cosine=0.4))
    parts = [one.explained()[name] or 0 for name in ("own", "context", "speaker", "dense")]
    assert abs(sum(parts) - one.score) < 0.001


def test_rare_terms_weigh_more_and_none_less_than_nothing() -> None:
    assert rarity(1, 100) > rarity(10, 100) > rarity(100, 100) > 0


def test_nothing_comes_of_nothing() -> None:
    assert judge([], WEIGHTS) == []
    assert judge([said(1)], {}) == []
    assert judge([said(1, thread="", cosine=-0.2)], {})[0].score == 0
