"""Blocks of core memory. Whoever changes one leaves a version behind, in the same transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from letta_site.core.aio import write
from letta_site.core.errors import Conflict, Malformed, NotFound
from letta_site.core.paging import page
from letta_site.core.types import Actor, Origin, PageQuery
from memory.logic.edits import BlockEdit, BlockView, EditError, apply_edit
from memory.models import Block
from memory.services.block_filters import BlockFilter, filter_blocks
from memory.services.block_rows import (
    LABEL_CHARS,
    SHOWN,
    check,
    clean,
    record,
    save,
)
from memory.services.storable import storable_json

NOWHERE = Origin()
OLDEST_FIRST = PageQuery(order="asc")
# What an agent is told about the two blocks nearly everybody makes, when nobody described them.
DESCRIPTIONS = {
    "human": (
        "What you know about the person you talk with: name, circumstances, preferences. Keep it "
        "current, so that your replies fit this person."
    ),
    "persona": (
        "Who you are: character, manner and way of speaking. Act by it, so that you stay the same "
        "from one conversation to the next."
    ),
}


@dataclass(frozen=True, slots=True)
class EditResult:
    """What became of one edit. Exactly one of `view`, `detached_id` and `error` is set.

    `created` is the new row that the caller attaches; `detached_id` the block it detaches.
    """

    view: BlockView | None = None
    error: str | None = None
    created: Block | None = None
    detached_id: str | None = None


def view_of(row: Block) -> BlockView:
    """Return a block as an agent sees it."""
    return BlockView(
        id=row.id,
        label=row.label,
        value=row.value,
        description=row.description,
        limit=row.limit,
        read_only=row.read_only,
        version=row.version,
        metadata=row.metadata or {},
    )


def create_block(
    actor: Actor, *, label: str, value: str = "", origin: Origin = NOWHERE, **fields: Any
) -> Block:
    """Store a new block and its first version. Raises Malformed when a value is unacceptable."""
    row = Block(
        org_id=actor.org_id,
        created_by_id=actor.id,
        last_updated_by_id=actor.id,
        **clean({"label": label, "value": value, **fields}),
    )
    row.description = row.description or DESCRIPTIONS.get(row.label)
    check(row)
    with write():
        row.save(force_insert=True)
        record(actor, row, origin, parent_n=None)
    return row


def get_block(actor: Actor, block_id: str) -> Block:
    """Return a block. Raises NotFound."""
    row: Block | None = Block.objects.of(actor).filter(pk=block_id).first()
    if row is None:
        raise NotFound(f"Block with id '{block_id}' not found")
    return row


def list_blocks(actor: Actor, *, query: PageQuery = OLDEST_FIRST, **filters: Any) -> list[Block]:
    """Return a page of blocks. `filters` are fields of BlockFilter."""
    return page(filter_blocks(Block.objects.of(actor), BlockFilter(**filters)), query)


def count_blocks(actor: Actor, **filters: Any) -> int:
    """Return how many blocks meet `filters`, which are fields of BlockFilter."""
    return filter_blocks(Block.objects.of(actor), BlockFilter(**filters)).count()


def update_block(
    actor: Actor,
    block_id: str,
    *,
    changes: dict[str, Any],
    expected_version: int | None = None,
    origin: Origin = NOWHERE,
) -> Block:
    """Change fields of a block; None as label, value, limit or read_only leaves it as it is.

    Raises Conflict when the block is not at `expected_version` any more (`extra` then holds the
    current `version` and `value`) or when an agent that has it has another block of the new label;
    Malformed when a value is unacceptable; NotFound.
    """
    with write():
        row = _locked(actor, block_id)
        if expected_version is not None and row.version != expected_version:
            raise _moved_on(row, expected_version)
        return _change(actor, row, clean(changes), origin)


def delete_block(actor: Actor, block_id: str) -> None:
    """Delete a block with its versions; agents that had it lose it. Raises NotFound."""
    with write():
        _locked(actor, block_id).delete()


def apply_edits(
    actor: Actor,
    *,
    edits: Sequence[tuple[BlockEdit, Origin]],
    blocks: dict[str, Block],
) -> list[EditResult]:
    """Apply an agent's edits to its blocks as they are NOW, each on top of those before it.

    `blocks` are the agent's, by label. Call it inside `aio.write()`; links are the caller's.
    """
    named = {edit.label for edit, _ in edits}
    touched = [row.pk for label, row in blocks.items() if label in named]
    current = Block.objects.select_for_update().order_by("pk").in_bulk(touched)
    rows = {label: current.get(row.pk, row) for label, row in blocks.items()}
    return [_try_edit(actor, edit, origin, rows) for edit, origin in edits]


def _try_edit(actor: Actor, edit: BlockEdit, origin: Origin, rows: dict[str, Block]) -> EditResult:
    edit = replace(edit, args={key: storable_json(value) for key, value in edit.args.items()})
    try:
        if edit.op == "create":
            return _create_for_agent(actor, edit, origin, rows)
        return _edit_existing(actor, edit, origin, rows)
    except (EditError, Malformed) as refusal:
        return EditResult(error=str(refusal))


def _create_for_agent(
    actor: Actor, edit: BlockEdit, origin: Origin, rows: dict[str, Block]
) -> EditResult:
    _check_free(edit.label, rows)
    value = apply_edit(BlockView(id="", label=edit.label, value=""), edit)
    row = create_block(
        actor,
        label=edit.label,
        value=value,
        description=edit.args.get("description"),
        origin=origin,
    )
    rows[row.label] = row
    return EditResult(view=view_of(row), created=row)


def _edit_existing(
    actor: Actor, edit: BlockEdit, origin: Origin, rows: dict[str, Block]
) -> EditResult:
    row = rows.get(edit.label)
    if row is None:
        known = ", ".join(sorted(rows)) or "none"
        raise EditError(f"There is no block {edit.label!r}. The blocks you have: {known}.")
    changes: dict[str, Any] = {"value": apply_edit(view_of(row), edit)}
    if edit.op == "delete":
        del rows[edit.label]
        return EditResult(detached_id=row.id)
    new_label = edit.args.get("new_label") or edit.label
    if new_label != edit.label:
        _check_free(new_label, rows)
        changes["label"] = new_label
    if edit.args.get("description"):
        changes["description"] = edit.args["description"]
    save(actor, row, changes, origin)
    rows[new_label] = rows.pop(edit.label)
    return EditResult(view=view_of(row))


def _check_free(label: str, rows: dict[str, Block]) -> None:
    if label in rows:
        raise EditError(f"A block {label!r} exists already. Edit it, or choose another label.")
    if not 0 < len(label) <= LABEL_CHARS:
        raise EditError(f"A label must have from 1 to {LABEL_CHARS} characters.")


def _locked(actor: Actor, block_id: str) -> Block:
    rows = Block.objects.select_for_update(of=("self",)).of(actor)
    row: Block | None = rows.filter(pk=block_id).first()
    if row is None:
        raise NotFound(f"Block with id '{block_id}' not found")
    return row


def _moved_on(row: Block, expected: int) -> Conflict:
    return Conflict(
        f"Block {row.label!r} is at version {row.version} now, not at {expected}.",
        todo="Read it again and repeat your change on top of it.",
        version=row.version,
        value=row.value,
    )


def _change(actor: Actor, row: Block, changes: dict[str, Any], origin: Origin) -> Block:
    after = Block(**{name: changes.get(name, getattr(row, name)) for name in SHOWN})
    if "value" in changes or "limit" in changes or "label" in changes:
        check(after)
    if after.label != row.label:
        _check_siblings(row, after.label)
    return save(actor, row, changes, origin)


def _check_siblings(row: Block, label: str) -> None:
    # By way of the links that another app declares: blocks of the agents that have this one.
    siblings = Block.objects.filter(agent_links__agent__block_links__block_id=row.pk, label=label)
    if siblings.exclude(pk=row.pk).exists():
        raise Conflict(
            f"An agent that has this block has another block labelled {label!r}.",
            todo="Choose another label, or detach one of the two first.",
        )
