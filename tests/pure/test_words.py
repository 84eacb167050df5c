"""By which words a text is found."""

from __future__ import annotations

import pytest

from memory.logic.words import MAX_TERM_CHARS, MAX_TERMS, MAX_WANTED, terms_of, wanted_terms


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("I was walking the dogs", "walks dog"),
        ("Caf\u00e9 M\u00fcller, na\u00efve", "cafe MULLER naive"),
        ("cafe", "Caf\u00e9"),
        ("\u041c\u0418\u0420, \u0434\u0430", "\u043c\u0438\u0440"),
        ("\u6211\u4f4f\u5728\u4eac\u90fd", "\u4eac\u90fd"),
        ("\u6211\u559c\u6b22\u732b", "\u732b"),
        ("\uff26\uff35\uff2c\uff2c width", "full"),
        ("\u0939\u093f\u0902\u0926\u0940 x", "\u0939\u093f\u0902\u0926\u0940"),
        ("\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd", "\u05e9\u05dc\u05d5\u05dd"),
        ("\ud55c\uad6d\uc5b4\ub97c \ubc30\uc6b4\ub2e4", "\ud55c\uad6d\uc5b4"),
        ("see notes/plan.md, line 3", "plan"),
        ("snake_case_name", "case"),
        ("well \U0001f600 done", "\U0001f600"),
        ("two\nlines", '"lines\ntwo"'),
    ],
)  # fmt: skip
def test_what_is_asked_is_among_what_is_stored(stored: str, asked: str) -> None:
    assert wanted_terms(asked)
    assert set(wanted_terms(asked)) <= set(terms_of(stored))


def test_stop_words_are_looked_for_only_when_there_is_nothing_else() -> None:
    assert wanted_terms("what did the dog do") == ["dog"]
    assert wanted_terms("to be or not to be") == ["to", "be", "or", "not"]


@pytest.mark.parametrize("query", ["", "  \n", "?!", '"', "\x00", "\ud800", "_"])
def test_what_has_no_words_asks_for_nothing(query: str) -> None:
    assert wanted_terms(query) == []


def test_a_term_has_nothing_that_a_query_language_could_read() -> None:
    for term in terms_of("a-b \"c\" 'd' (e) f* g:h \\ & | ! %_ \x00 <-> NEAR(x, 2)"):
        assert term.isalnum()


def test_no_term_is_empty() -> None:
    assert terms_of("It's James' s") == ["it", "s", "jame"]


def test_sizes_are_bounded() -> None:
    many = " ".join(f"w{n}" for n in range(MAX_TERMS + 10))
    assert len(terms_of(many)) == MAX_TERMS
    assert len(wanted_terms(many)) == MAX_WANTED
    assert len(terms_of("x" * 5000)[0]) == MAX_TERM_CHARS
