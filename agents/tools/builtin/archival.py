"""Archival memory: putting passages away and finding them again."""

import json
from collections.abc import Sequence

from agents.services.archives import archive_ids_of
from agents.tools.base import CORE, NOTHING, ToolFailure, builtin, integer, string, strings
from agents.tools.builtin.finding import in_zone, logged, read_moment, result_count
from agents.types import Json, NewPassage, ToolContext, ToolOutcome
from letta_site.core.aio import in_db
from memory.models import Passage
from memory.runtime.queries import with_vector
from memory.services.candidates import SearchQuery
from memory.services.duplicates import find_likeness
from memory.services.search import Hit, search

SHOWN_CHARS = 300


@builtin(
    "archival_memory_insert",
    CORE,
    "Put a note into archival memory, which has no limit and is not in your context. Write it so "
    "that it can be understood alone.",
    {
        "content": string("The note."),
        "tags": strings("Words to file it under, to narrow a later search."),
    },
    optional=("tags",),
)
async def archival_memory_insert(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Hand the passage to the checkpoint, and say if there is one like it already."""
    content = arguments["content"].strip()
    if not content:
        raise ToolFailure("The note is empty, so nothing was stored.")
    tags = tuple(dict.fromkeys(tag.strip() for tag in arguments.get("tags") or () if tag.strip()))
    like = await in_db(_resembled, context, content)
    return ToolOutcome(like or NOTHING, passages=(NewPassage(content, tags),))


def _resembled(context: ToolContext, content: str) -> str:
    """Return a word on the passage that says nearly the same, or an empty text."""
    (like,) = find_likeness(context.org_id, archive_ids_of(context.agent_id), [content])
    if like is None:
        return ""
    same = "the same words" if like.degree == 1 else "nearly the same words"
    shown = like.text if len(like.text) <= SHOWN_CHARS else like.text[:SHOWN_CHARS] + "..."
    return f"Stored. A note with {same} is there already ({like.passage_id}): {shown!r}"


@builtin(
    "archival_memory_search",
    CORE,
    "Look through archival memory. Best matches come first.",
    {
        "query": string("Words to look for."),
        "tags": strings("Only notes filed under these."),
        "tag_match_mode": string("Whether one of the tags is enough.", choices=("any", "all")),
        "top_k": integer("How many results at most.", default=5),
        "start_datetime": string("Only from this moment on, e.g. 2026-01-31 or 2026-01-31T18:30."),
        "end_datetime": string("Only up to this moment; a date alone includes its day."),
    },
    optional=("tags", "tag_match_mode", "top_k", "start_datetime", "end_datetime"),
)
async def archival_memory_search(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Search the archives of the calling agent."""
    start = read_moment(arguments.get("start_datetime"), context)
    end = read_moment(arguments.get("end_datetime"), context, end=True)
    tags = arguments.get("tags") or []
    filters = {
        "tags": tags,
        "tag_match_mode": arguments.get("tag_match_mode") or "any",
        "limit": result_count(arguments["top_k"]),
    }
    wanted = SearchQuery(
        org_id=context.org_id,
        scope_ids=await in_db(archive_ids_of, context.agent_id),
        kind="passage",
        query=arguments["query"],
        start=start,
        end=end,
        **filters,
    )
    wanted, _ = await with_vector(wanted)
    hits, tags_of = await in_db(_search, wanted)
    filters |= {"start": start and start.isoformat(), "end": end and end.isoformat()}
    record = logged("passages", wanted, hits, filters)
    found = [_found(hit, tags_of.get(hit.ref_id, []), context) for hit in hits]
    return ToolOutcome(json.dumps(found, ensure_ascii=False), retrieval=record)


def _search(wanted: SearchQuery) -> tuple[list[Hit], dict[str, list[str]]]:
    hits = search(wanted)
    return hits, _tags_of([hit.ref_id for hit in hits])


def _tags_of(passage_ids: Sequence[str]) -> dict[str, list[str]]:
    return dict(Passage.objects.filter(pk__in=passage_ids).values_list("pk", "tags"))


def _found(hit: Hit, tags: list[str], context: ToolContext) -> Json:
    return {
        "id": hit.ref_id,
        "timestamp": in_zone(hit.created_at, context),
        "content": hit.text,
        "tags": tags,
        "relevance": round(hit.score, 4),
    }


TOOLS = (archival_memory_insert, archival_memory_search)
