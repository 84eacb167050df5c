"""What changed between two texts, line by line. PURE."""

from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from typing import Literal

CONTEXT_LINES = 3


@dataclass(frozen=True, slots=True)
class LineChange:
    """Lines of the old text from `old_line` on that gave way to lines of the new text.

    Line numbers count from 1.
    """

    op: Literal["insert", "delete", "replace"]
    old_line: int
    new_line: int
    old: tuple[str, ...]
    new: tuple[str, ...]


def line_changes(before: str, after: str) -> tuple[LineChange, ...]:
    """Return the changes that lead from `before` to `after`, in order; () when they are equal."""
    old, new = before.split("\n"), after.split("\n")
    # Lines that are everywhere are no landmarks; taking them for such would cost quadratic time.
    opcodes = SequenceMatcher(None, old, new, autojunk=True).get_opcodes()
    return tuple(
        LineChange(op, a + 1, c + 1, tuple(old[a:b]), tuple(new[c:d]))
        for op, a, b, c, d in opcodes
        if op != "equal"
    )


def unified(before: str, after: str, *, old_name: str, new_name: str) -> str:
    """Return the same in the unified style; an empty text when they are equal."""
    lines = unified_diff(
        before.split("\n"), after.split("\n"), old_name, new_name, lineterm="", n=CONTEXT_LINES
    )
    return "\n".join(lines)
