"""Searching the lines of a text with a pattern that a model wrote, in linear time. PURE.

RE2 has no backtracking: no pattern takes longer than a multiple of the text's length.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import re2  # type: ignore[import-untyped]

MAX_PATTERN_CHARS = 1000
LINE_CHARS = 400  # of a longer line, the surroundings of the match are shown
_LINES_BETWEEN_LOOKS = 2000


class BadPattern(Exception):
    """A pattern that is not understood; the sentence is for whoever wrote it."""


class OutOfTime(Exception):
    """The search took longer than allowed."""


@dataclass(frozen=True, slots=True)
class Match:
    """A line that matches, with the lines around it. `first` is the number of the first one."""

    line: int
    first: int
    lines: tuple[str, ...]


def compile_pattern(pattern: str) -> Any:
    """Return a pattern that ignores case. Raises BadPattern."""
    if not pattern.strip() or len(pattern) > MAX_PATTERN_CHARS:
        raise BadPattern(f"The pattern must have 1 to {MAX_PATTERN_CHARS} characters.")
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        why = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise BadPattern(
            f"The pattern is not understood: {why}. Lookarounds and backreferences do not exist "
            "here; put a backslash before characters that are meant as they are."
        ) from None


def matches(text: str, pattern: Any, *, context: int, deadline: float) -> Iterator[Match]:
    """Yield the matching lines of a text with `context` lines around each, in order.

    `deadline` is a reading of `time.monotonic`; after it OutOfTime is raised.
    """
    lines = text.split("\n")
    for n, line in enumerate(lines):
        if n % _LINES_BETWEEN_LOOKS == 0 and time.monotonic() > deadline:
            raise OutOfTime
        if found := pattern.search(line):
            low = max(0, n - context)
            around = [_shown(one, 0) for one in lines[low : n + context + 1]]
            around[n - low] = _shown(line, found.start())
            yield Match(n + 1, low + 1, tuple(around))


def _shown(line: str, at: int) -> str:
    if len(line) <= LINE_CHARS:
        return line
    start = max(0, at - LINE_CHARS // 2)
    end = start + LINE_CHARS
    return f"{'...' if start else ''}{line[start:end]}{'...' if end < len(line) else ''}"
