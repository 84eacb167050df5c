"""Passages of all archives: /v1/passages."""

from django.http import HttpRequest

from agents.api.routers import passages_router as router
from agents.services.agent_passages import find_passages, scopes_of_search
from agents.types import Json
from letta_site.core.aio import in_db
from memory.runtime.queries import with_vector
from memory.services.candidates import SearchQuery
from memory.wire.passages import PassageSearchRequest, encode_scored


@router.post("/search")
async def search_passages(request: HttpRequest, given: PassageSearchRequest) -> list[Json]:
    scope_ids = await in_db(
        scopes_of_search, request.auth, agent_id=given.agent_id, archive_id=given.archive_id
    )
    query = SearchQuery(
        org_id=request.auth.org_id,
        scope_ids=scope_ids,
        kind="passage",
        query=given.query or "",
        tags=given.tags or (),
        tag_match_mode=given.tag_match_mode,
        start=given.start_date,
        end=given.end_date,
        limit=given.limit,
    )
    query, _ = await with_vector(query)
    found = await in_db(find_passages, request.auth, query)
    return [encode_scored(row, hit.why) for row, hit in found]
