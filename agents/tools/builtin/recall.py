"""Searching what was said."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from agents.services.message_lists import ids_in_sight
from agents.tools.base import CORE, VOICE_SLEEPTIME_CORE, builtin, integer, string, strings
from agents.tools.builtin.finding import (
    in_zone,
    logged,
    read_moment,
    result_count,
    time_ago,
)
from agents.types import Json, ToolContext, ToolOutcome
from letta_site.core.aio import in_db
from memory.runtime.queries import with_vector
from memory.services.candidates import SearchQuery
from memory.services.search import Hit, search

# What tools returned is not in the index: it repeats, and would drown what people said.
_SPEAKERS = ("user", "assistant")


def _found(hit: Hit, context: ToolContext) -> Json:
    return {
        "timestamp": in_zone(hit.created_at, context),
        "time_ago": time_ago(hit.created_at, context.now),
        "role": hit.role,
        "content": hit.text,
    }


async def _outcome(wanted: SearchQuery, filters: Json, context: ToolContext) -> ToolOutcome:
    wanted, _ = await with_vector(wanted)
    hits = await in_db(_search_elsewhere, wanted, context.run_id)
    count = len(hits)
    told = f"Found {count} message{'' if count == 1 else 's'}." if hits else "Nothing was found."
    answer = {"message": told, "results": [_found(hit, context) for hit in hits]}
    record = logged("messages", wanted, hits, filters)
    return ToolOutcome(json.dumps(answer, ensure_ascii=False), retrieval=record)


def _wanted(context: ToolContext, query: str, **filters: Any) -> SearchQuery:
    return SearchQuery(
        org_id=context.org_id,
        scope_ids=(context.agent_id,),
        kind="message",
        query=query,
        **filters,
    )


def _search_elsewhere(wanted: SearchQuery, run_id: str) -> list[Hit]:
    """Search beside what the model sees of the turn that it is in: its own question, above all."""
    return search(replace(wanted, without=ids_in_sight(run_id)))


@builtin(
    "conversation_search",
    CORE,
    "Look through everything you and the user ever said to each other, also what is no longer in "
    "your context. Matches words; without a query it gives the latest messages.",
    {
        "query": string("Words to look for."),
        "roles": strings("Only what these said.", choices=("user", "assistant", "tool")),
        "limit": integer("How many results at most.", default=5),
        "start_date": string("Only from this date on, e.g. 2026-01-31 or 2026-01-31T18:30."),
        "end_date": string("Only up to this date, that day included."),
    },
    optional=("query", "roles", "limit", "start_date", "end_date"),
)
async def conversation_search(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Search the messages of the calling agent."""
    query = arguments.get("query") or ""
    roles = tuple(arguments.get("roles") or _SPEAKERS)
    start = read_moment(arguments.get("start_date"), context)
    end = read_moment(arguments.get("end_date"), context, end=True)
    limit = result_count(arguments["limit"])
    wanted = _wanted(context, query, roles=roles, start=start, end=end, limit=limit)
    filters = {
        "roles": list(roles),
        "start": start.isoformat() if start else None,
        "end": end.isoformat() if end else None,
        "limit": limit,
    }
    return await _outcome(wanted, filters, context)


@builtin(
    "search_memory",
    VOICE_SLEEPTIME_CORE,
    "Look for something that was said earlier.",
    {
        "convo_keyword_queries": strings("Words to look for, a few of them."),
        "start_minutes_ago": integer("Only what was said at most so many minutes ago."),
        "end_minutes_ago": integer("Only what was said at least so many minutes ago."),
    },
    optional=("convo_keyword_queries", "start_minutes_ago", "end_minutes_ago"),
)
async def search_memory(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Search the messages of the calling agent by keywords and age."""
    query = " ".join(arguments.get("convo_keyword_queries") or ())
    ages = {key: arguments.get(f"{key}_minutes_ago") for key in ("start", "end")}
    bounds = {
        key: context.now - timedelta(minutes=min(max(0, age), 10**8))
        for key, age in ages.items()
        if age is not None
    }
    wanted = _wanted(context, query, roles=_SPEAKERS, **bounds)
    filters = {key: moment.isoformat() for key, moment in bounds.items()}
    return await _outcome(wanted, filters, context)


TOOLS = (conversation_search, search_memory)
