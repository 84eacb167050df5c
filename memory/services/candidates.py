"""What a search asks for, and which texts may answer it at all, whatever compares them then."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.db.models import QuerySet

from memory.models import PassageTag, SearchEntry


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What to find and where. Filters hold before `limit` does; a blank `query` means newest."""

    org_id: str
    scope_ids: Sequence[str]
    kind: Literal["message", "passage"]
    query: str
    roles: Sequence[str] = ()
    tags: Sequence[str] = ()
    tag_match_mode: Literal["any", "all"] = "any"
    start: datetime | None = None
    end: datetime | None = None
    limit: int = 5


def candidates(query: SearchQuery) -> "QuerySet[SearchEntry]":
    """Return the entries that pass every filter of a search, unordered."""
    rows = SearchEntry.objects.filter(
        org_id=query.org_id, kind=query.kind, scope_id__in=list(query.scope_ids)
    )
    if query.roles:
        rows = rows.filter(role__in=list(query.roles))
    if query.start:
        rows = rows.filter(created_at__gte=query.start)
    if query.end:
        rows = rows.filter(created_at__lte=query.end)
    for tags in _tag_groups(query):
        tagged = PassageTag.objects.filter(archive_id__in=list(query.scope_ids), tag__in=tags)
        rows = rows.filter(ref_id__in=tagged.values("passage_id"))
    return rows


def _tag_groups(query: SearchQuery) -> list[list[str]]:
    """Return groups of tags: a passage must have one tag of every group."""
    if query.tag_match_mode == "all":
        return [[tag] for tag in query.tags]
    return [list(query.tags)] if query.tags else []
