"""Rows of blocks: what they may hold, and the version that each change leaves."""

from dataclasses import asdict
from typing import Any

from letta_site.core.clock import now
from letta_site.core.errors import Invalid, Malformed
from letta_site.core.types import Actor, Origin
from memory.models import Block, BlockVersion
from memory.services.storable import storable_json

LABEL_CHARS = 200
MAX_LIMIT_CHARS = 2**31 - 1  # what a column of integers holds on PostgreSQL
SHOWN = ("label", "value", "description", "limit", "read_only")  # what models see of a block
REST = (
    "hidden",
    "metadata",
    "tags",
    "template_name",
    "is_template",
    "template_id",
    "base_template_id",
    "deployment_id",
    "entity_id",
    "project_id",
    "preserve_on_migration",
)
WRITABLE = frozenset((*SHOWN, *REST))


def clean(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields with storable text, without nulls where null means: as it is."""
    if unknown := fields.keys() - WRITABLE:
        raise Invalid(f"A block has no field {', '.join(sorted(unknown))} that can be written.")
    never_null = ("label", "value", "limit", "read_only", "metadata", "tags", "is_template")
    return {
        key: storable_json(value)
        for key, value in fields.items()
        if value is not None or key not in never_null
    }


def check(row: Block) -> None:
    """Raise Malformed when the label, the limit or the length of the value is unacceptable."""
    if not 0 < len(row.label) <= LABEL_CHARS:
        raise Malformed(f"A block's label must have from 1 to {LABEL_CHARS} characters.")
    if not 1 <= row.limit <= MAX_LIMIT_CHARS:
        raise Malformed(
            f"A block's limit is {row.limit}; it must be from 1 to {MAX_LIMIT_CHARS} characters."
        )
    over = len(row.value) - row.limit
    if over > 0:
        raise Malformed(
            f"The value of block {row.label!r} has {len(row.value)} characters; "
            f"its limit is {row.limit}, so it is {over} too long.",
            todo="Shorten the value, or raise the limit in the same request.",
            limit=row.limit,
            actual=len(row.value),
            overage=over,
        )


def save(actor: Actor, row: Block, changes: dict[str, Any], origin: Origin) -> Block:
    """Store what differs, with a new version; nothing when nothing differs."""
    changed = [name for name, value in changes.items() if getattr(row, name) != value]
    if not changed:
        return row
    for name in changed:
        setattr(row, name, changes[name])
    parent = row.version
    row.version += 1
    row.touch(actor, *changed, "version")
    record(actor, row, origin, parent_n=parent)
    return row


def record(actor: Actor, row: Block, origin: Origin, *, parent_n: int | None) -> None:
    """Store the row as it is now as a version."""
    BlockVersion.objects.create(
        block=row,
        n=row.version,
        parent_n=parent_n,
        created_at=now(),
        actor_kind=actor.kind,
        actor_id=actor.id,
        **{name: getattr(row, name) for name in SHOWN},
        rest={name: getattr(row, name) for name in REST},
        **asdict(origin),
    )
