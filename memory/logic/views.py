"""A stretch of a file as an agent sees it: a header, and lines with their numbers. PURE."""

from dataclasses import dataclass

CUT = "[The rest of line {line} and what follows is left out: a view has {limit} characters.]"


@dataclass(frozen=True, slots=True)
class FileView:
    """Lines `start` to `end` of a file, counted from 1; `end` is the last one shown."""

    text: str
    start: int
    end: int


def view_lines(
    text: str, *, total: int, limit: int, start: int = 1, length: int | None = None
) -> FileView:
    """Return the view of a file from line `start` on, at most `length` lines of it.

    `text` is the file, or enough of its beginning; `total` is how many lines the whole has. The
    view stops with the last line that fits into `limit` characters; of a line that alone does not
    fit, the beginning is shown.
    """
    lines = text.split("\n")
    start = min(max(start, 1), max(total, 1))
    last = total if length is None else min(total, start - 1 + max(length, 1))
    shown, room = [], limit
    for number in range(start, min(last, len(lines)) + 1):
        line = f"{number}: {lines[number - 1]}"
        if len(line) + 1 > room:
            break
        room -= len(line) + 1
        shown.append(line)
    end = start + max(len(shown) - 1, 0)
    if not shown and total:
        beginning = f"{start}: {lines[start - 1]}"[:limit]
        shown = [beginning, CUT.format(line=start, limit=limit)]
    return FileView("\n".join([view_header(start, end, total), *shown]), start, end)


def view_header(start: int, end: int, total: int) -> str:
    """Return the line that says which part of a file is shown."""
    if not total:
        return "[The file is empty]"
    return f"[Viewing lines {start} to {end} (out of {total} lines)]"


def count_lines(text: str) -> int:
    """Return how many lines a text has; a newline at its end begins no further one."""
    return text.count("\n") + (not text.endswith("\n")) if text else 0
