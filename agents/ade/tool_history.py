"""The versions of a tool as its page shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agents.services.tool_versions import list_versions
from letta_site.core.types import Actor
from memory.ade.diffs import DiffLine, diff_lines


@dataclass(frozen=True, slots=True)
class VersionCard:
    """A state of a tool with what it changed in the source, and the names of other columns."""

    n: int
    at: datetime
    diff: Sequence[DiffLine]
    others: Sequence[str]


def version_cards(actor: Actor, tool_id: str) -> list[VersionCard]:
    """Return the versions of a tool, the newest first. Raises NotFound."""
    rows = list_versions(actor, tool_id)
    sources = [str(row.content.get("source_code") or "") for row in rows]
    # The source before the oldest one shown is not there: its own text then counts as unchanged.
    first = "" if rows and rows[-1].n == 1 else next(iter(sources[-1:]), "")
    cards = zip(rows, [*sources[1:], first], strict=True)
    return [
        VersionCard(
            n=row.n,
            at=row.created_at,
            diff=diff_lines(before, source),
            others=[name for name in row.changed if name != "source_code"] if row.n > 1 else [],
        )
        for (row, before), source in zip(cards, sources, strict=True)
    ]
