"""Blocks, their versions and passages as the templates show them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.utils.translation import gettext as _

from memory.ade.diffs import DiffLine, diff_lines
from memory.models import Block, BlockVersion, Passage

HISTORY_SIZE = 50
PASSAGES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class BlockCard:
    """A block on the page. `theirs` is set while the text in it waits for a decision."""

    id: str
    label: str
    value: str
    description: str
    limit: int
    read_only: bool
    version: int
    shared: int = 1
    writer: str = ""
    written_at: datetime | None = None
    next: str = ""
    fresh: str = ""
    saved: bool = False
    error: str = ""
    theirs: str | None = None
    difference: tuple[DiffLine, ...] = ()

    @property
    def detach_url(self) -> str:
        """The address that takes the block off the agent whose page `next` is."""
        return f"{self.next}/blocks/{self.id}/detach" if "/agents/" in self.next else ""

    @property
    def chars(self) -> int:
        """The length of the text."""
        return len(self.value)

    @property
    def over(self) -> bool:
        """Whether the text is longer than the block may be."""
        return self.chars > self.limit

    @property
    def percent(self) -> int:
        """How full the block is."""
        return min(100, round(100 * self.chars / max(1, self.limit)))


@dataclass(frozen=True, slots=True)
class VersionCard:
    """A version in the history, with what it changed."""

    n: int
    writer: str
    at: datetime
    diff: tuple[DiffLine, ...]
    where: str


@dataclass(frozen=True, slots=True)
class PassageList:
    """The passages on the page, of how many."""

    items: Sequence[Passage] = field(default_factory=tuple)
    total: int = 0
    query: str = ""

    @property
    def more(self) -> bool:
        """Whether there are more than are shown."""
        return not self.query and self.total > len(self.items)


def block_cards(blocks: "QuerySet[Block]", *, next_url: str = "") -> list[BlockCard]:
    """Return the cards of `blocks`, in their order: one query."""
    last = BlockVersion.objects.filter(block=OuterRef("pk"), n=OuterRef("version"))
    rows = blocks.annotate(
        shared=Count("agents", distinct=True),
        last_tool=Subquery(last.values("tool_name")),
        last_kind=Subquery(last.values("actor_kind")),
        last_at=Subquery(last.values("created_at")),
    )
    return [_card(row, next_url) for row in rows]


def _card(row: Any, next_url: str) -> BlockCard:
    return BlockCard(
        id=row.id,
        label=row.label,
        value=row.value,
        description=row.description or "",
        limit=row.limit,
        read_only=row.read_only,
        version=row.version,
        shared=row.shared,
        writer=writer_of(row.last_tool, row.last_kind or ""),
        written_at=row.last_at,
        next=next_url,
    )


def writer_of(tool_name: str | None, actor_kind: str) -> str:
    """Name who made a version: the tool, the agent, or a person."""
    if tool_name:
        return tool_name
    if actor_kind == "user":
        return _("you")
    return _("the agent") if actor_kind == "agent" else actor_kind


def in_conflict(card: BlockCard, mine: str) -> BlockCard:
    """Return the card with the text of the reader kept beside the stored one."""
    difference = tuple(diff_lines(card.value, mine))
    return replace(card, theirs=card.value, value=mine, difference=difference)


def version_cards(block: Block) -> list[VersionCard]:
    """Return the newest versions of a block, newest first, each with its difference."""
    rows = list(BlockVersion.objects.filter(block=block).order_by("-n")[: HISTORY_SIZE + 1])
    before = {row.n: row.value for row in rows}
    return [
        VersionCard(
            n=row.n,
            writer=writer_of(row.tool_name, row.actor_kind),
            at=row.created_at,
            diff=tuple(diff_lines(before.get(row.parent_n or 0, ""), row.value)),
            where=row.step_id or row.run_id or "",
        )
        for row in rows[:HISTORY_SIZE]
    ]


def changes_of(step_ids: Iterable[str]) -> "QuerySet[BlockVersion]":
    """Return the versions made in steps, each with the text `before` it: one query."""
    parents = BlockVersion.objects.filter(block=OuterRef("block"), n=OuterRef("parent_n"))
    return BlockVersion.objects.filter(
        step_id__in=list(step_ids), tool_call_id__isnull=False
    ).annotate(before=Subquery(parents.values("value")[:1]))
