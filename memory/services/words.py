"""From the text of a query to what an index can look for."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

MAX_WORDS = 48
MAX_PIECES = 24

STOP_WORDS = frozenset(
    """a about above after again against all am an and any are as at be because been before being
    below between both but by can could did do does doing down during each few for from further had
    has have having he her here hers herself him himself his how i if in into is it its itself just
    me more most my myself no nor not now of off on once only or other our ours ourselves out over
    own same she should so some such than that the their theirs them themselves then there these
    they this those through to too under until up very was we were what when where which while who
    whom why will with would you your yours yourself yourselves s t d ll m o re ve don""".split()
)

# Scripts that are written without spaces, so that a word index sees whole sentences as one word.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f]+"
)
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """`words` for the index; `pieces` to be looked for in the text itself."""

    words: tuple[str, ...] = ()
    pieces: tuple[str, ...] = ()
    pieces_are_patterns: bool = False

    @property
    def blank(self) -> bool:
        """Nothing to look for."""
        return not self.words and not self.pieces


def wanted(query: str) -> Wanted:
    """Split a query. Stop words count only when there is nothing else."""
    runs = _UNSPACED.findall(query)
    words = _unique(word.lower() for word in _WORD.findall(_UNSPACED.sub(" ", query)))
    telling = [word for word in words if word not in STOP_WORDS]
    if telling or runs:
        pieces = _unique(piece for run in runs for piece in _pairs(run))
        return Wanted(tuple(telling[:MAX_WORDS]), tuple(pieces[:MAX_PIECES]))
    patterns = tuple(rf"(^|\W){word}(\W|$)" for word in words[:MAX_PIECES])
    return Wanted(pieces=patterns, pieces_are_patterns=True)


def _pairs(run: str) -> list[str]:
    """Return the overlapping pairs of characters of an unspaced run, or the lone character."""
    return [run] if len(run) < 2 else [run[at : at + 2] for at in range(len(run) - 1)]


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
