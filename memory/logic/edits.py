"""Edits of blocks as data. PURE: tools return them, the checkpoint applies them again to the
locked current row, so a change made by somebody else meanwhile is never overwritten blindly."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

EditOp = Literal[
    "append", "replace_all", "replace_once", "insert_line", "rewrite", "create", "delete", "rename"
]


@dataclass(frozen=True, slots=True)
class BlockView:
    """A block as an agent sees it. `limit` in characters."""

    id: str
    label: str
    value: str
    description: str | None = None
    limit: int = 100_000
    read_only: bool = False
    version: int = 1
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BlockEdit:
    """A wish to change the block `label`. What `args` holds depends on `op`; see `apply_edit`."""

    op: EditOp
    label: str
    args: dict[str, Any] = field(default_factory=dict)


class EditError(Exception):
    """An edit that cannot be made; the text is written for the model that asked for it."""


_LINE_NUMBER = re.compile(r"^[ \t]*\d+→", re.MULTILINE)
_SHOWN_CHARS = 80
_SHOWN_PLACES = 5


def apply_edit(view: BlockView, edit: BlockEdit) -> str:
    """Return the value that `view` has after `edit`.

    Args by op: append {"content"}; replace_all and replace_once {"old", "new"}; insert_line
    {"text", "line"}: after that many lines, -1 = at the end; rewrite {"value", "description"?};
    create {"value", "description"?}, with `view` the empty block to be; delete {}; rename
    {"new_label"?, "description"?}. The last two, and a description, leave the value as it is.
    Raises EditError, with text for the model, when the edit cannot be made.
    """
    if view.read_only:
        raise EditError(f"The block {view.label!r} is read-only. You cannot change it.")
    _check_numbering(edit)
    value = _OPERATIONS[edit.op](view, edit.args)
    _check_limit(view, value)
    return value


def edited_views(views: tuple[BlockView, ...], edit: BlockEdit) -> tuple[BlockView, ...]:
    """Return an agent's blocks as they are after an edit that will be made with the checkpoint.

    An edit that cannot be made changes nothing here; whoever asked for it has been told.
    """
    known = {view.label: view for view in views}
    if edit.op == "create":
        known.setdefault(edit.label, BlockView("", edit.label, ""))
    view = known.get(edit.label)
    if view is None:
        return views
    if edit.op == "delete":
        return tuple(one for one in views if one.label != edit.label)
    try:
        value = apply_edit(view, edit)
    except EditError:
        return views
    known[edit.label] = replace(view, value=value, label=edit.args.get("new_label") or view.label)
    return tuple(known.values())


def _check_numbering(edit: BlockEdit) -> None:
    for name, given in edit.args.items():
        if isinstance(given, str) and _LINE_NUMBER.search(given):
            raise EditError(
                f"The text for {name!r} contains line numbers such as '1→'. They are only shown to "
                "you for orientation and are no part of the memory. Send the text without them."
            )


def _check_limit(view: BlockView, value: str) -> None:
    over = len(value) - view.limit
    # A block that is too long already may always be made shorter.
    if over > 0 and len(value) >= len(view.value):
        raise EditError(
            f"The block {view.label!r} may hold {view.limit} characters, and this edit would make "
            f"it {len(value)}: {over} too many. Shorten what is there, or store less in it."
        )


def _append(view: BlockView, args: dict[str, Any]) -> str:
    content: str = args["content"]
    return f"{view.value}\n{content}" if view.value else content


def _replace_all(view: BlockView, args: dict[str, Any]) -> str:
    _find(view, args["old"])
    return view.value.replace(args["old"], args["new"])


def _replace_once(view: BlockView, args: dict[str, Any]) -> str:
    places = _find(view, args["old"])
    if len(places) > 1:
        lines = ", ".join(str(view.value.count("\n", 0, at) + 1) for at in places[:_SHOWN_PLACES])
        raise EditError(
            f"The text {_shown(args['old'])} occurs {len(places)} times in the block "
            f"{view.label!r} (on lines {lines}). Add words around it so that it is found once."
        )
    return view.value.replace(args["old"], args["new"], 1)


def _find(view: BlockView, old: str) -> list[int]:
    if not old:
        raise EditError(
            f"The text to replace in the block {view.label!r} is empty. Give the exact text that "
            "is there now, or insert new text instead."
        )
    places = [match.start() for match in re.finditer(re.escape(old), view.value)]
    if not places:
        raise EditError(
            f"The text {_shown(old)} is not in the block {view.label!r}. It must be the same "
            "letter by letter, with every space and line break."
        )
    return places


def _insert_line(view: BlockView, args: dict[str, Any]) -> str:
    lines = view.value.split("\n") if view.value else []
    line: int = args["line"]
    if not -1 <= line <= len(lines):
        raise EditError(
            f"There is no line {line} in the block {view.label!r}. Use a number from 0 (before "
            f"everything) to {len(lines)} (after the last line), or -1 for the end."
        )
    at = len(lines) if line == -1 else line
    return "\n".join([*lines[:at], args["text"], *lines[at:]])


def _rewrite(_view: BlockView, args: dict[str, Any]) -> str:
    value: str = args["value"]
    return value


def _keep(view: BlockView, _args: dict[str, Any]) -> str:
    return view.value


def _shown(text: str) -> str:
    short = text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "..."
    return repr(short)


_OPERATIONS: dict[EditOp, Callable[[BlockView, dict[str, Any]], str]] = {
    "append": _append,
    "replace_all": _replace_all,
    "replace_once": _replace_once,
    "insert_line": _insert_line,
    "rewrite": _rewrite,
    "create": _rewrite,
    "delete": _keep,
    "rename": _keep,
}
