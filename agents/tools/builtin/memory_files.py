"""The `memory` tool: core memory seen as a folder of files, with one command per call."""

from collections.abc import Callable
from dataclasses import replace

from agents.tools.base import MEMORY_CORE, ToolFailure, builtin, integer, string
from agents.tools.builtin.memory import block_of
from agents.types import Json, ToolContext, ToolOutcome
from memory.logic.edits import BlockEdit, BlockView, apply_edit

FOLDER = "/memories/"


def _given(arguments: Json, *names: str) -> list[str]:
    missing = [name for name in names if arguments.get(name) is None]
    if missing:
        listed = ", ".join(map(repr, missing))
        raise ToolFailure(f"The command {arguments['command']!r} also needs {listed}.")
    return [arguments[name] for name in names]


def _label(path: str) -> str:
    label = path.strip().removeprefix(FOLDER).removeprefix(FOLDER[1:]).strip("/")
    if not label:
        raise ToolFailure(f"The path {path!r} names no block; it looks like {FOLDER}human.")
    return label


def _create(arguments: Json, context: ToolContext) -> BlockEdit:
    (path,) = _given(arguments, "path")
    label = _label(path)
    if any(block.label == label for block in context.blocks):
        raise ToolFailure(f"There is a block {label!r} already. Change it, or choose another path.")
    args = {"value": arguments.get("file_text") or ""}
    if arguments.get("description"):
        args["description"] = arguments["description"]
    return BlockEdit("create", label, args)


def _str_replace(arguments: Json, _context: ToolContext) -> BlockEdit:
    path, old = _given(arguments, "path", "old_string")
    new = arguments.get("new_string") or ""
    return BlockEdit("replace_once", _label(path), {"old": old, "new": new})


def _insert(arguments: Json, _context: ToolContext) -> BlockEdit:
    path, text = _given(arguments, "path", "insert_text")
    line = arguments.get("insert_line")
    args = {"text": text, "line": -1 if line is None else line}
    return BlockEdit("insert_line", _label(path), args)


def _delete(arguments: Json, _context: ToolContext) -> BlockEdit:
    (path,) = _given(arguments, "path")
    return BlockEdit("delete", _label(path))


def _rename(arguments: Json, context: ToolContext) -> BlockEdit:
    if arguments.get("path") and arguments.get("description"):
        return BlockEdit(
            "rename", _label(arguments["path"]), {"description": arguments["description"]}
        )
    old, new = (_label(path) for path in _given(arguments, "old_path", "new_path"))
    if old != new and any(block.label == new for block in context.blocks):
        raise ToolFailure(f"There is a block {new!r} already. Choose another path.")
    return BlockEdit("rename", old, {"new_label": new})


_COMMANDS: dict[str, Callable[[Json, ToolContext], BlockEdit]] = {
    "create": _create,
    "str_replace": _str_replace,
    "insert": _insert,
    "delete": _delete,
    "rename": _rename,
}


def _answer(edit: BlockEdit, value: str) -> str:
    if edit.op == "delete":
        return f"The block {edit.label!r} is gone from your memory."
    if edit.op == "create":
        return f"There is a new block {edit.label!r}."
    if edit.op == "rename" and "new_label" in edit.args:
        return f"The block {edit.label!r} is now called {edit.args['new_label']!r}."
    if edit.op == "rename":
        return f"The block {edit.label!r} has a new description."
    return f"The block {edit.label!r} now reads:\n{value}"


@builtin(
    "memory",
    MEMORY_CORE,
    "Work on your memory blocks as if they were files in the folder /memories. Commands: create "
    "(path, file_text, description), str_replace (path, old_string, new_string; the old text must "
    "occur once), insert (path, insert_text, insert_line), delete (path), rename (old_path, "
    "new_path; or path and description to describe it anew).",
    {
        "command": string("What to do.", choices=tuple(_COMMANDS)),
        "path": string("The block, as /memories/<label>."),
        "file_text": string("create: the text of the new block."),
        "description": string("create, rename: what the block is for."),
        "old_string": string("str_replace: the text that is there now, letter by letter."),
        "new_string": string("str_replace: the text to put in its place."),
        "insert_line": integer("insert: after which line; 0 is the beginning, -1 the end."),
        "insert_text": string("insert: the text to add."),
        "old_path": string("rename: the block as it is called now."),
        "new_path": string("rename: the block as it shall be called."),
    },
    optional=(
        "path",
        "file_text",
        "description",
        "old_string",
        "new_string",
        "insert_line",
        "insert_text",
        "old_path",
        "new_path",
    ),
)
async def memory(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Carry out one command."""
    edit = _COMMANDS[arguments["command"]](arguments, context)
    if edit.op == "create":
        view = BlockView(id="", label=edit.label, value="")
    else:
        view = block_of(context, edit.label)
    view = replace(view, value=apply_edit(view, edit))
    return ToolOutcome(_answer(edit, view.value), edits=(edit,))


TOOLS = (memory,)
