"""Which blocks a list shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet

from letta_site.core.json_lists import has_item
from memory.models import Block


@dataclass(frozen=True, slots=True)
class BlockFilter:
    """Conditions that all must hold. None, False and () mean: no condition."""

    label: str | None = None
    labels: Sequence[str] = ()
    ids: Sequence[str] = ()
    name: str | None = None
    templates_only: bool = False
    project_id: str | None = None
    tags: Sequence[str] = ()
    match_all_tags: bool = False
    label_search: str | None = None
    description_search: str | None = None
    value_search: str | None = None
    identity_id: str | None = None
    identifier_keys: Sequence[str] = ()
    agents_gt: int | None = None
    agents_lt: int | None = None
    agents_eq: Sequence[int] = ()


_LOOKUPS = {
    "label": "label",
    "labels": "label__in",
    "ids": "pk__in",
    "name": "template_name",
    "templates_only": "is_template",
    "project_id": "project_id",
    "label_search": "label__icontains",
    "description_search": "description__icontains",
    "value_search": "value__icontains",
}
_COUNTS = {"agents_gt": "agent_count__gt", "agents_lt": "agent_count__lt"}


def filter_blocks(rows: "QuerySet[Block]", where: BlockFilter) -> "QuerySet[Block]":
    """Return the rows that meet `where`."""
    if where.identity_id or where.identifier_keys:
        return rows.none()  # blocks belong to no identity in this version
    for name, lookup in _LOOKUPS.items():
        if wanted := getattr(where, name):
            rows = rows.filter(**{lookup: wanted})
    if where.tags:
        rows = rows.filter(_tagged(where))
    return _by_agent_count(rows, where)


def _tagged(where: BlockFilter) -> Q:
    together = Q.AND if where.match_all_tags else Q.OR
    return Q(*(has_item(Block, "tags", tag) for tag in where.tags), _connector=together)


def _by_agent_count(rows: "QuerySet[Block]", where: BlockFilter) -> "QuerySet[Block]":
    wanted: dict[str, Any] = {
        lookup: getattr(where, name)
        for name, lookup in _COUNTS.items()
        if getattr(where, name) is not None
    }
    if where.agents_eq:
        wanted["agent_count__in"] = where.agents_eq
    if not wanted:
        return rows
    return rows.annotate(agent_count=Count("agent_links")).filter(**wanted)
