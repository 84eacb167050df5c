"""Editing core memory. Each tool tries its edit on the blocks as the agent sees them, to be able
to answer, and hands the edit over; the checkpoint makes it on the block as it then is."""

from dataclasses import replace

from agents.tools.base import (
    MEMORY_CORE,
    NOTHING,
    SLEEPTIME_CORE,
    VOICE_SLEEPTIME_CORE,
    ToolFailure,
    builtin,
    integer,
    string,
)
from agents.types import Json, NewPassage, ToolContext, ToolOutcome
from memory.logic.edits import BlockEdit, BlockView, apply_edit
from memory.logic.patches import patch_edits

_LABEL = string("The label of the block, as it stands in your memory section.")
_USER_BLOCK = "human"


def block_of(context: ToolContext, label: str) -> BlockView:
    """Return the caller's block. Raises ToolFailure that names the blocks there are."""
    for block in context.blocks:
        if block.label == label:
            return block
    known = ", ".join(repr(block.label) for block in context.blocks) or "none"
    raise ToolFailure(f"You have no block {label!r}. Your blocks: {known}.")


def _change(context: ToolContext, *edits: BlockEdit) -> str:
    """Return the value after edits of one block, each on top of the one before."""
    view = block_of(context, edits[0].label)
    for edit in edits:
        view = replace(view, value=apply_edit(view, edit))
    return view.value


def _edited(context: ToolContext, *edits: BlockEdit) -> ToolOutcome:
    value = _change(context, *edits)
    text = f"The block {edits[0].label!r} now reads:\n{value}"
    return ToolOutcome(text, edits=edits)


@builtin(
    "core_memory_append",
    MEMORY_CORE,
    "Add a line at the end of one of your memory blocks.",
    {"label": _LABEL, "content": string("The line to add. Any language.")},
)
async def core_memory_append(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Returns the whole new value, as the contract has it."""
    edit = BlockEdit("append", arguments["label"], {"content": arguments["content"]})
    return ToolOutcome(_change(context, edit), edits=(edit,))


@builtin(
    "core_memory_replace",
    MEMORY_CORE,
    "Replace a text in one of your memory blocks, wherever it occurs there.",
    {
        "label": _LABEL,
        "old_content": string("The text that is there now, letter by letter."),
        "new_content": string("The text to put in its place; empty to take it out."),
    },
)
async def core_memory_replace(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Returns the whole new value, as the contract has it."""
    args = {"old": arguments["old_content"], "new": arguments["new_content"]}
    edit = BlockEdit("replace_all", arguments["label"], args)
    return ToolOutcome(_change(context, edit), edits=(edit,))


@builtin(
    "memory_replace",
    SLEEPTIME_CORE,
    "Correct a memory block: replace one passage of it. The passage must occur exactly once, so "
    "take in as many words around it as that needs.",
    {
        "label": _LABEL,
        "old_string": string("The passage as it is now, with every space, without line numbers."),
        "new_string": string("What to put in its place; empty to take the passage out."),
    },
)
async def memory_replace(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Replace one occurrence."""
    args = {"old": arguments["old_string"], "new": arguments["new_string"]}
    return _edited(context, BlockEdit("replace_once", arguments["label"], args))


@builtin(
    "memory_insert",
    SLEEPTIME_CORE,
    "Add text to a memory block as a new line, at the end or after a line you name.",
    {
        "label": _LABEL,
        "new_string": string("The text to add, without line numbers."),
        "insert_line": integer(
            "After which line: 0 for the very beginning, -1 for the end.", default=-1
        ),
    },
    optional=("insert_line",),
)
async def memory_insert(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Insert a line."""
    args = {"text": arguments["new_string"], "line": arguments["insert_line"]}
    return _edited(context, BlockEdit("insert_line", arguments["label"], args))


@builtin(
    "memory_rethink",
    SLEEPTIME_CORE,
    "Write a memory block anew from top to bottom. For putting a grown block in order; small "
    "corrections are safer with memory_replace.",
    {"label": _LABEL, "new_memory": string("The whole new text of the block.")},
)
async def memory_rethink(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Rewrite a block."""
    edit = BlockEdit("rewrite", arguments["label"], {"value": arguments["new_memory"]})
    return _edited(context, edit)


@builtin(
    "memory_finish_edits",
    SLEEPTIME_CORE,
    "Say that your memory is up to date and no edit is left to make.",
    {},
)
async def memory_finish_edits(_arguments: Json, _context: ToolContext) -> ToolOutcome:
    """Ends the turn by its tool rule."""
    return ToolOutcome(NOTHING)


@builtin(
    "memory_apply_patch",
    MEMORY_CORE,
    "Change several places of one memory block at once with a patch in the unified style.",
    {
        "label": _LABEL,
        "patch": string(
            "Lines with '-' in front go, lines with '+' come, lines with a space stay and show "
            "where. '@@' on a line of its own starts the next place."
        ),
    },
)
async def memory_apply_patch(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Apply a patch, all of it or nothing."""
    view = block_of(context, arguments["label"])
    return _edited(context, *patch_edits(view, arguments["patch"]))


@builtin(
    "rethink_memory",
    SLEEPTIME_CORE,
    "Write a memory block anew from top to bottom.",
    {
        "new_memory": string("The whole new text of the block."),
        "target_block_label": string("The label of the block to write."),
    },
)
async def rethink_memory(arguments: Json, context: ToolContext) -> ToolOutcome:
    """An older name of memory_rethink, kept for agents that have it."""
    args = {"value": arguments["new_memory"]}
    return _edited(context, BlockEdit("rewrite", arguments["target_block_label"], args))


@builtin(
    "rethink_user_memory",
    VOICE_SLEEPTIME_CORE,
    "Write down anew everything that is known about the user.",
    {"new_memory": string("The whole new text: what still holds of the old, and what is new.")},
)
async def rethink_user_memory(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Rewrite the block about the user."""
    edit = BlockEdit("rewrite", _USER_BLOCK, {"value": arguments["new_memory"]})
    return _edited(context, edit)


@builtin(
    "finish_rethinking_memory",
    VOICE_SLEEPTIME_CORE,
    "Say that what is known about the user is up to date.",
    {},
)
async def finish_rethinking_memory(_arguments: Json, _context: ToolContext) -> ToolOutcome:
    """Ends the turn by its tool rule."""
    return ToolOutcome(NOTHING)


@builtin(
    "store_memories",
    VOICE_SLEEPTIME_CORE,
    "Put stretches of the conversation into archival memory, each under a sentence on what it is "
    "about.",
    {
        "chunks": {
            "type": "array",
            "description": "The stretches worth finding again.",
            "items": {
                "type": "object",
                "properties": {
                    "start_index": integer("The number of its first line."),
                    "end_index": integer("The number of its last line."),
                    "context": string("What it is about; this is what is stored and searched."),
                },
                "required": ["start_index", "end_index", "context"],
            },
        }
    },
)
async def store_memories(arguments: Json, _context: ToolContext) -> ToolOutcome:
    """Store the context of each chunk as a passage."""
    texts = [chunk["context"].strip() for chunk in arguments["chunks"]]
    passages = tuple(NewPassage(text) for text in texts if text)
    if not passages:
        raise ToolFailure("There is no chunk with a context in it, so nothing was stored.")
    return ToolOutcome(f"Stored {len(passages)} memories.", passages=passages)


TOOLS = (
    core_memory_append,
    core_memory_replace,
    memory_replace,
    memory_insert,
    memory_rethink,
    memory_finish_edits,
    memory_apply_patch,
    rethink_memory,
    rethink_user_memory,
    finish_rethinking_memory,
    store_memories,
)
