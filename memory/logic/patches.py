"""Patches of a block in the unified style, turned into edits. PURE."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from memory.logic.edits import BlockEdit, BlockView, EditError

_HEADER = re.compile(r"^(---|\+\+\+|\*\*\* |diff |index )")


@dataclass(frozen=True, slots=True)
class _Hunk:
    old: str
    new: str


def patch_edits(view: BlockView, patch: str) -> list[BlockEdit]:
    """Return the edits that a patch stands for, in order, each to be applied after the one before.

    Shape of a patch: hunks that start with a line `@@`, then lines with a space (kept), a minus
    (taken out) or a plus (put in) in front. Line numbers after `@@` are not needed and not used.
    Raises EditError when it has no change in it or a line has none of the three marks.
    """
    edits = [_edit(view, hunk) for hunk in _hunks(patch) if hunk.old != hunk.new]
    if not edits:
        raise EditError(
            "The patch changes nothing. Put '-' before each line to take out and '+' before each "
            "line to put in."
        )
    return edits


def _hunks(patch: str) -> Iterator[_Hunk]:
    lines: list[str] = []
    for line in patch.strip("\n").split("\n"):
        if line.startswith("@@"):
            yield _hunk(lines)
            lines = []
        elif not lines and _HEADER.match(line):
            continue
        elif not line.startswith("\\"):
            lines.append(line)
    yield _hunk(lines)


def _hunk(lines: list[str]) -> _Hunk:
    for line in lines:
        if line and line[0] not in " +-":
            raise EditError(
                f"The patch line {line!r} starts with none of ' ', '+' and '-'. Every line of a "
                "patch starts with one of them."
            )
    old = "\n".join(line[1:] for line in lines if not line.startswith("+"))
    new = "\n".join(line[1:] for line in lines if not line.startswith("-"))
    return _Hunk(old, new)


def _edit(view: BlockView, hunk: _Hunk) -> BlockEdit:
    if not hunk.old:
        return BlockEdit("append", view.label, {"content": hunk.new})
    old = hunk.old
    if not hunk.new:  # whole lines go, and their line break with them
        if f"{old}\n" in view.value:
            old = f"{old}\n"
        elif f"\n{old}" in view.value:
            old = f"\n{old}"
    return BlockEdit("replace_once", view.label, {"old": old, "new": hunk.new})
