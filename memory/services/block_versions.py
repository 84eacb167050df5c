"""The past of a block: what it was, what changed, and going back."""

from dataclasses import dataclass
from typing import Any

from letta_site.core.errors import NotFound
from letta_site.core.paging import check_limit
from letta_site.core.types import Actor
from memory.logic.differences import LineChange, line_changes, unified
from memory.models import Block, BlockVersion
from memory.services.block_rows import SHOWN
from memory.services.blocks import get_block, update_block


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """What changed between two versions of a block.

    `fields` holds what is no text to be compared by lines: name -> (before, after).
    """

    before: BlockVersion
    after: BlockVersion
    unified: str
    lines: tuple[LineChange, ...]
    fields: dict[str, tuple[Any, Any]]


def list_versions(
    actor: Actor,
    block_id: str,
    *,
    limit: int = 50,
    before: int | None = None,
    after: int | None = None,
    newest_first: bool = True,
) -> list[BlockVersion]:
    """Return a page of the versions of a block; the cursors are numbers of versions.

    `after` is further on in the order asked for, `before` not so far. Raises Invalid, NotFound.
    """
    rows = BlockVersion.objects.filter(block=get_block(actor, block_id))
    onwards, back = ("lt", "gt") if newest_first else ("gt", "lt")
    if after is not None:
        rows = rows.filter(**{f"n__{onwards}": after})
    if before is not None:
        rows = rows.filter(**{f"n__{back}": before})
    return list(rows.order_by("-n" if newest_first else "n")[: check_limit(limit)])


def get_version(actor: Actor, block_id: str, n: int) -> BlockVersion:
    """Return version `n` of a block. Raises NotFound."""
    found = _find(actor, block_id, n)
    if found is None:
        raise NotFound(f"Block {block_id} has no version {n}.")
    return found


def _find(actor: Actor, block_id: str, n: int) -> BlockVersion | None:
    rows = BlockVersion.objects.filter(block_id=block_id, block__org_id=actor.org_id)
    return rows.filter(n=n).first() if 0 <= n < 2**31 else None


def diff_versions(
    actor: Actor, block_id: str, *, old_n: int | None = None, new_n: int | None = None
) -> VersionDiff:
    """Compare two versions: by default the current one with what it was made of.

    Raises NotFound.
    """
    current = get_block(actor, block_id).version
    new = get_version(actor, block_id, current if new_n is None else new_n)
    if old_n is None:
        old_n = new.n if new.parent_n is None else new.parent_n
    old = get_version(actor, block_id, old_n)
    return VersionDiff(
        before=old,
        after=new,
        unified=unified(
            old.value, new.value, old_name=f"version {old.n}", new_name=f"version {new.n}"
        ),
        lines=line_changes(old.value, new.value),
        fields=_changed_fields(state_of(old), state_of(new)),
    )


def _changed_fields(old: dict[str, Any], new: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {
        name: (old[name], new[name])
        for name in old.keys() & new.keys()
        if name != "value" and old[name] != new[name]
    }


def state_of(version: BlockVersion) -> dict[str, Any]:
    """Return every field that a block had at a version."""
    return {**{name: getattr(version, name) for name in SHOWN}, **version.rest}


def restore_version(
    actor: Actor, block_id: str, n: int, *, expected_version: int | None = None
) -> Block:
    """Make a block what it was at version `n`, as a new version. Raises as `update_block` does."""
    changes = state_of(get_version(actor, block_id, n))
    return update_block(actor, block_id, changes=changes, expected_version=expected_version)
