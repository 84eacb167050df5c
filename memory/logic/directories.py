"""Folders and open files as the model reads them. PURE."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

INTRO = (
    "The folders below are attached to you. Of open files the content is shown here; the others "
    "can be opened, and all of them searched, with your file tools."
)
LEFT_OUT = "[The rest of this view is left out: the open files together are too large.]"


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file in a folder. `view` is what is shown of it while it is open."""

    name: str
    is_open: bool = False
    view: str = ""
    opened: float = 0.0


@dataclass(frozen=True, slots=True)
class Directory:
    """A folder that an agent has. `more` counts files that are not among `files`."""

    name: str
    files: tuple[ListedFile, ...]
    description: str | None = None
    instructions: str | None = None
    more: int = 0


def render_directories(
    directories: Sequence[Directory], *, max_open: int, budget: int, measure: Callable[[str], int]
) -> str:
    """Return the `<directories>` section, or an empty text when there are no folders.

    Views get a `budget` together, in units of `measure`: those opened last have first claim, and
    what exceeds it is cut and says so. Nothing in the section changes by itself, so that the
    prompt's head stays the same.
    """
    if not directories:
        return ""
    fitted = _fitted(directories, budget, measure)
    count = sum(file.is_open for one in fitted for file in one.files)
    limits = ["<file_limits>", f"- current_files_open={count}", f"- max_files_open={max_open}"]
    parts = [INTRO, "\n".join([*limits, "</file_limits>"]), *map(_directory, fitted)]
    return "\n\n".join(["<directories>", *parts, "</directories>"])


def _fitted(
    directories: Sequence[Directory], budget: int, measure: Callable[[str], int]
) -> list[Directory]:
    views = [file for one in directories for file in one.files if file.is_open]
    views.sort(key=lambda file: file.opened, reverse=True)
    shown = {}
    for file in views:
        size = measure(file.view)
        shown[file.name] = file.view if size <= budget else _cut(file.view, budget / size)
        budget = max(0, budget - size)
    return [
        replace(one, files=tuple(replace(f, view=shown.get(f.name, "")) for f in one.files))
        for one in directories
    ]


def _cut(view: str, share: float) -> str:
    kept = view[: int(len(view) * share)].rpartition("\n")[0]
    return f"{kept}\n{LEFT_OUT}".strip()


def _directory(one: Directory) -> str:
    lines = [f'<directory name="{_quoted(one.name)}">']
    for tag, text in (("description", one.description), ("instructions", one.instructions)):
        if text:
            lines += [f"<{tag}>{text}</{tag}>"]
    lines += map(_file, one.files)
    if one.more:
        lines += [f"- and {one.more} more files; search them with your file tools"]
    return "\n".join([*lines, "</directory>"])


def _file(file: ListedFile) -> str:
    status = "open" if file.is_open else "closed"
    head = f'<file status="{status}" name="{_quoted(file.name)}">'
    if not file.is_open:
        return f"{head}</file>"
    size = f"<metadata>\n- read_only=true\n- chars_current={len(file.view)}\n</metadata>"
    return "\n".join([head, size, "<value>", file.view, "</value>", "</file>"])


def _quoted(name: str) -> str:
    return name.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
