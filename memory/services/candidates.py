"""What a search asks for, and which texts may answer it at all, whatever compares them then."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.db.models import Q, QuerySet

from memory.models import PassageTag, SearchEntry

Kind = Literal["message", "passage", "file"]
Mode = Literal["lexical", "vector", "hybrid"]


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What to find and where. Filters hold before `limit` does; a blank `query` means newest.

    `scope_ids` are agents, archives or folders, None all that the organization has. `threads` are
    conversations with the sequence number up to which they count, None without an end.
    `without` are the ids of texts that are not wanted.
    `vector` is what `vector_model` makes of the query, packed as `logic.vectors` does it; without
    one, words alone are searched.
    """

    org_id: str
    scope_ids: Sequence[str] | None
    kind: Kind
    query: str
    roles: Sequence[str] = ()
    tags: Sequence[str] = ()
    tag_match_mode: Literal["any", "all"] = "any"
    start: datetime | None = None
    end: datetime | None = None
    threads: Sequence[tuple[str, int | None]] | None = None
    limit: int = 5
    without: Sequence[str] = ()
    mode: Mode = "hybrid"
    vector: bytes | None = None
    vector_model: str = ""


def candidates(query: SearchQuery) -> "QuerySet[SearchEntry]":
    """Return the entries that pass every filter of a search, unordered."""
    return SearchEntry.objects.filter(allowed(query))


def allowed(query: SearchQuery) -> Q:
    """Return the filters of a search as one condition on SearchEntry."""
    found = Q(org_id=query.org_id, kind=query.kind)
    if query.scope_ids is not None:
        found &= Q(scope_id__in=list(query.scope_ids))
    if query.roles:
        found &= Q(role__in=list(query.roles))
    if query.without:
        found &= ~Q(ref_id__in=list(query.without))
    if query.start:
        found &= Q(created_at__gte=query.start)
    if query.end:
        found &= Q(created_at__lte=query.end)
    if query.threads is not None:
        found &= _in_threads(query.threads)
    for tags in tag_groups(query.tags, query.tag_match_mode):
        tagged = PassageTag.objects.filter(tag__in=tags)
        if query.scope_ids is not None:
            tagged = tagged.filter(archive_id__in=list(query.scope_ids))
        found &= Q(ref_id__in=tagged.values("passage_id"))
    return found


def _in_threads(threads: Sequence[tuple[str, int | None]]) -> Q:
    found = Q(pk__in=[])
    for thread_id, last_seq in threads:
        upto = Q() if last_seq is None else Q(seq__lte=last_seq)
        found |= Q(thread_id=thread_id) & upto
    return found


def tag_groups(tags: Sequence[str], match_mode: Literal["any", "all"]) -> list[list[str]]:
    """Return groups of tags: a passage must have one tag of every group."""
    if match_mode == "all":
        return [[tag] for tag in tags]
    return [list(tags)] if tags else []
