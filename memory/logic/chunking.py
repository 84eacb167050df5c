"""Cutting a text into pieces that can be found. PURE.

Each kind of text has its own ladder of places to cut, strongest first; a piece that is still too
large is cut at the next weaker place.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Kind = Literal["plain", "markdown", "code"]

# The contract: 512 tokens a piece, 50 of them shared with the one before, 4 characters a token.
CHUNK_CHARS = 2048
OVERLAP_CHARS = 200

_HEADING = re.compile(r"^(?=#{1,6} )", re.MULTILINE)
_DEFINITION = re.compile(r"(?<=\n\n)(?=[^\s}\])])")  # a new thing at the left edge
_PARAGRAPH = re.compile(r"(?<=\n)\n+")
_LINE = re.compile(r"(?<=\n)")
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|(?<=[。！？])")
_WORD = re.compile(r"\s+")

_LADDERS: dict[Kind, tuple["re.Pattern[str]", ...]] = {
    "plain": (_PARAGRAPH, _LINE, _SENTENCE, _WORD),
    "markdown": (_HEADING, _PARAGRAPH, _LINE, _SENTENCE, _WORD),
    "code": (_DEFINITION, _PARAGRAPH, _LINE, _WORD),
}


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece: characters `start` to `end` of the text; `line` is its first one, from 1."""

    start: int
    end: int
    line: int


def chunk(text: str, kind: Kind, *, size: int = CHUNK_CHARS) -> list[Chunk]:
    """Return the pieces of a text, in order, none longer than `size` characters and none blank.

    Every character that is not white space is in a piece. Pieces of plain text begin a little
    before the end of the piece before, so that a thought cut in two can be found whole.
    """
    overlap = min(OVERLAP_CHARS, size // 10) if kind == "plain" else 0
    chunks: list[Chunk] = []
    line, counted, before = 1, 0, 0
    for start, end in _pieces(text, 0, len(text), (_LADDERS[kind], size - overlap)):
        start, end = _trimmed(text, start, end)
        if start == end:
            continue
        begin = _stepped_back(text, start, max(start - overlap, before)) if chunks else start
        line += text.count("\n", counted, begin)
        counted, before = begin, start
        chunks.append(Chunk(begin, end, line))
    return chunks


Ladder = tuple[tuple["re.Pattern[str]", ...], int]


def _pieces(text: str, start: int, end: int, ladder: Ladder) -> Iterator[tuple[int, int]]:
    """Cut text[start:end] at the first place of the ladder, and what is too large at the next.

    Neighbours that fit into one piece stay together.
    """
    places, size = ladder
    if end - start <= size:
        yield start, end
        return
    if not places:
        yield from ((at, min(at + size, end)) for at in range(start, end, size))
        return
    begin = start
    for left, right in pairwise(_edges(text, start, end, places[0])):
        if right - begin <= size:
            continue
        if left > begin:
            yield begin, left
        begin = left
        if right - left > size:
            yield from _pieces(text, left, right, (places[1:], size))
            begin = right
    if begin < end:
        yield begin, end


def _edges(text: str, start: int, end: int, place: "re.Pattern[str]") -> Iterator[int]:
    yield start
    for found in place.finditer(text, start, end):
        if start < found.end() < end:
            yield found.end()
    yield end


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Leave out blank lines before a piece and white space after it, but no indentation."""
    whole = text[start:end]
    end = start + len(whole.rstrip())
    lead = len(whole) - len(whole.lstrip())
    start = max(start, text.rfind("\n", start, start + lead) + 1) if lead else start
    return min(start, end), end


def _stepped_back(text: str, start: int, earliest: int) -> int:
    """Return where a word begins between `earliest` and `start`."""
    if earliest >= start:
        return start
    found = _WORD.search(text, earliest, start)
    return found.end() if found else start
