"""Versions of blocks as clients see them. All of this is ours; no client of Letta's has it."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from pydantic import BaseModel, Field

from letta_site.core.paging import MAX_LIMIT
from memory.logic.differences import LineChange
from memory.models import BlockVersion

FIELDS = (
    "block_id",
    "n",
    "parent_n",
    "label",
    "value",
    "description",
    "limit",
    "read_only",
    "created_at",
    "actor_kind",
    "actor_id",
    "agent_id",
    "agent_seq",
    "run_id",
    "step_id",
    "message_id",
    "tool_call_id",
    "tool_name",
)


class VersionPage(BaseModel):
    """A page of versions, newest first unless something else is asked for."""

    limit: int = 50
    before: int | None = Field(None, ge=0, lt=2**31)
    after: int | None = Field(None, ge=0, lt=2**31)
    order: Literal["asc", "desc"] = "desc"

    def arguments(self) -> dict[str, Any]:
        """Return the page as the service takes it."""
        return {
            "limit": min(self.limit, MAX_LIMIT),
            "before": self.before,
            "after": self.after,
            "newest_first": self.order == "desc",
        }


class RestoreVersion(BaseModel):
    """With `expected_version`, only if nobody changed the block meanwhile."""

    expected_version: int | None = None


class Diff(Protocol):
    """What changed between two versions."""

    @property
    def before(self) -> BlockVersion: ...
    @property
    def after(self) -> BlockVersion: ...
    @property
    def unified(self) -> str: ...
    @property
    def lines(self) -> Sequence[LineChange]: ...
    @property
    def fields(self) -> dict[str, tuple[Any, Any]]: ...


def encode_version(row: BlockVersion) -> dict[str, Any]:
    """Return a state of a block, who made it, and where in an agent's work that was."""
    return {**row.rest, **{name: getattr(row, name) for name in FIELDS}}


def encode_diff(diff: Diff) -> dict[str, Any]:
    """Return what changed: the text by lines and in the unified style, the rest by name."""
    return {
        "block_id": diff.after.block_id,
        "old_version": diff.before.n,
        "new_version": diff.after.n,
        "unified": diff.unified,
        "lines": [
            {
                "op": one.op,
                "old_line": one.old_line,
                "new_line": one.new_line,
                "old": list(one.old),
                "new": list(one.new),
            }
            for one in diff.lines
        ],
        "fields": {name: {"old": a, "new": b} for name, (a, b) in diff.fields.items()},
    }
