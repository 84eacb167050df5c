"""Line diffs with the changed words marked, as data for a template."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

CONTEXT_LINES = 1
MAX_LINES = 400
ALIKE = 0.4
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class DiffPart:
    """A run of characters of a line."""

    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line: kind `a` was added, `d` deleted, `k` kept; `sign` says the same as a character."""

    kind: str
    sign: str
    parts: tuple[DiffPart, ...]

    @property
    def text(self) -> str:
        """The line without its sign."""
        return "".join(part.text for part in self.parts)


def diff_lines(before: str, after: str) -> list[DiffLine]:
    """Return what changed from `before` to `after`; nothing when they are equal."""
    if before == after:
        return []
    old, new = before.splitlines(), after.splitlines()
    groups = SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(CONTEXT_LINES)
    lines: list[DiffLine] = []
    for number, group in enumerate(groups):
        if number:
            lines.append(_kept("⋯"))
        for tag, a, b, c, d in group:
            lines.extend(_opcode(tag, old[a:b], new[c:d]))
    return lines[:MAX_LINES]


def _opcode(tag: str, old: Sequence[str], new: Sequence[str]) -> Iterator[DiffLine]:
    if tag == "equal":
        yield from map(_kept, old)
        return
    pairs = [_mark_words(a, b) for a, b in zip(old, new, strict=False)]
    shared = len(pairs)
    yield from (DiffLine("d", "−", removed) for removed, _ in pairs)
    yield from (_whole("d", "−", line) for line in old[shared:])
    yield from (DiffLine("a", "+", added) for _, added in pairs)
    yield from (_whole("a", "+", line) for line in new[shared:])


def _kept(text: str) -> DiffLine:
    return _whole("k", " ", text)


def _whole(kind: str, sign: str, text: str) -> DiffLine:
    return DiffLine(kind, sign, (DiffPart(text),))


def _mark_words(old: str, new: str) -> tuple[tuple[DiffPart, ...], tuple[DiffPart, ...]]:
    """Mark the words that differ, unless the lines have too little in common."""
    a, b = _WORDS.findall(old), _WORDS.findall(new)
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    if matcher.quick_ratio() < ALIKE:
        return (DiffPart(old),), (DiffPart(new),)
    removed: list[DiffPart] = []
    added: list[DiffPart] = []
    for tag, i, j, k, m in matcher.get_opcodes():
        removed.append(DiffPart("".join(a[i:j]), tag != "equal"))
        added.append(DiffPart("".join(b[k:m]), tag != "equal"))
    return _solid(removed), _solid(added)


def _solid(parts: list[DiffPart]) -> tuple[DiffPart, ...]:
    return tuple(part for part in parts if part.text)
