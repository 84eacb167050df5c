"""From a text to the words by which it is found, the same for what is stored and what is asked.

No database does any of this: both only look up what comes out of here, so that both find the same.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

import snowballstemmer  # type: ignore[import-untyped]

MAX_TERMS = 40_000  # of one text; PostgreSQL refuses a tsvector of more than 1 MB
MAX_TERM_CHARS = 64
MAX_WANTED = 32

STOP_WORDS = frozenset(
    """a about above after again against all am an and any are as at be because been before being
    below between both but by can could did do does doing down during each few for from further had
    has have having he her here hers herself him himself his how i if in into is it its itself just
    me more most my myself no nor not now of off on once only or other our ours ourselves out over
    own same she should so some such than that the their theirs them themselves then there these
    they this those through to too under until up very was we were what when where which while who
    whom why will with would you your yours yourself yourselves s t d ll m o re ve don""".split()
)

# Scripts written without spaces are found by single characters and by pairs; so are pictograms.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\u2600-\u27bf\U0001f300-\U0001faff\U00020000-\U0003134f"
)
# The vowel signs of Indic scripts belong to their words, but are not letters to `re`.
_PIECE = re.compile(f"([{_UNSPACED}]+)|((?:[^\\W_{_UNSPACED}]|[\u0900-\u0dff])+)")
# Accents, and the points of Hebrew and Arabic, which most people leave out.
_MARKS = re.compile("[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670]+")


def terms_of(text: str) -> list[str]:
    """Return the different terms of a text in the order of their first use: stems, and pairs."""
    return _unique(
        term
        for unspaced, word in _PIECE.findall(_folded(text))
        for term in (_pairs(unspaced, alone=True) if unspaced else (_stem(word),))
    )[:MAX_TERMS]


def wanted_terms(query: str) -> list[str]:
    """Return the terms to look for. Stop words count only when there is nothing else."""
    pieces = _PIECE.findall(_folded(query))
    telling = [one for one in pieces if one[1] not in STOP_WORDS]
    return _unique(
        term
        for unspaced, word in telling or pieces
        for term in (_pairs(unspaced) if unspaced else (_stem(word),))
    )[:MAX_WANTED]


def _folded(text: str) -> str:
    """Return a text in lower case, without accents, full-width letters made plain."""
    if text.isascii():
        return text.lower()
    plain = _MARKS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    return unicodedata.normalize("NFC", plain)


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    # A stemmer is cheap to make and must not be shared between threads.
    stem: str = snowballstemmer.stemmer("porter").stemWord(word)
    # The "s" of a possessive has no stem, and PostgreSQL takes no empty term.
    return (stem or word)[:MAX_TERM_CHARS]


def _pairs(run: str, *, alone: bool = False) -> list[str]:
    """Return the overlapping pairs of a run, also its characters if `alone` or it is but one."""
    pairs = [run[at : at + 2] for at in range(len(run) - 1)]
    return [*run, *pairs] if alone or not pairs else pairs


def _unique(terms: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(terms))
