"""Tools: /v1/tools."""

from django.http import HttpRequest
from ninja import Query

from agents.api.routers import tools_router as router
from agents.services import tool_lists, tool_seed, tool_versions, tools
from agents.tools.custom import Trial, try_source
from agents.types import Json
from agents.wire.callers import caller_of
from agents.wire.ids import ToolId
from agents.wire.queries import ToolConditions, split
from agents.wire.tools import (
    ToolCreate,
    ToolRunFromSource,
    ToolSearchRequest,
    ToolUpdate,
    encode_hit,
    encode_tool,
    encode_trial,
    encode_version,
)
from letta_site.core.clock import now
from letta_site.core.paging import Page


def _wanted(request: HttpRequest, given: ToolConditions) -> tool_lists.ToolFilter:
    return tool_lists.ToolFilter(
        name=given.name,
        names=split(given.names),
        tool_ids=split(given.tool_ids),
        search=given.search,
        tool_types=split(given.tool_types),
        exclude_tool_types=split(given.exclude_tool_types),
        only_letta=bool(given.return_only_letta_tools),
        without_letta=bool(given.exclude_letta_tools),
        project_id=caller_of(request.headers).project_id,
    )


@router.get("/")
def list_tools(
    request: HttpRequest, conditions: Query[ToolConditions], page: Query[Page]
) -> list[Json]:
    query, wanted = page.query(limit=50), _wanted(request, conditions)
    return [
        encode_tool(row) for row in tool_lists.list_tools(request.auth, query=query, wanted=wanted)
    ]


@router.get("/count")
def count_tools(request: HttpRequest, conditions: Query[ToolConditions]) -> int:
    return tool_lists.count_tools(request.auth, wanted=_wanted(request, conditions))


def _save(request: HttpRequest, given: ToolCreate) -> Json:
    """Creating is the same as replacing by name."""
    draft = tools.ToolDraft(
        source_code=given.source_code,
        source_type=given.source_type,
        json_schema=given.json_schema,
        args_json_schema=given.args_json_schema,
        fields=given.model_dump(include=tools.DRAFT_FIELDS, exclude_none=True),
        metadata=given.metadata_ or {},
        project_id=caller_of(request.headers).project_id,
    )
    return encode_tool(tools.save_tool(request.auth, draft))


router.post("/", operation_id="create_tool")(_save)
router.put("/", operation_id="upsert_tool")(_save)


@router.post("/add-base-tools")
def add_base_tools(request: HttpRequest) -> list[Json]:
    return [encode_tool(row) for row in tool_seed.ensure_base_tools(request.auth)]


@router.post("/search")
def search_tools(request: HttpRequest, given: ToolSearchRequest) -> list[Json]:
    types = None if given.tool_types is None else tuple(given.tool_types)
    hits = tool_lists.search_tools(
        request.auth,
        given.query,
        wanted=tool_lists.ToolFilter(tool_types=types),
        tags=tuple(given.tags or ()),
        limit=given.limit,
    )
    return [encode_hit(hit.tool, hit.text, hit.rank, hit.score) for hit in hits]


@router.post("/run")
async def run_tool_from_source(request: HttpRequest, given: ToolRunFromSource) -> Json:
    trial = Trial(
        source=given.source_code,
        source_type=given.source_type or "python",
        name=given.name,
        env=given.env_vars or {},
        requirements=tuple(row.model_dump() for row in given.pip_requirements or ()),
    )
    return encode_trial(await try_source(request.auth, trial, given.args), now())


@router.get("/{tool_id}")
def get_tool(request: HttpRequest, tool_id: ToolId) -> Json:
    return encode_tool(tools.get_tool(request.auth, tool_id))


@router.get("/{tool_id}/versions")
def list_versions(request: HttpRequest, tool_id: ToolId, limit: int = 50) -> list[Json]:
    rows = tool_versions.list_versions(request.auth, tool_id, limit=limit)
    return [
        encode_version(
            row.n,
            row.created_at,
            row.created_by_id,
            changed=row.changed,
            diff=row.diff,
            content=row.content,
        )
        for row in rows
    ]


@router.patch("/{tool_id}")
def update_tool(request: HttpRequest, tool_id: ToolId, given: ToolUpdate) -> Json:
    changes = given.model_dump(exclude_none=True)
    if "metadata_" in changes:
        changes["metadata"] = changes.pop("metadata_")
    return encode_tool(tools.update_tool(request.auth, tool_id, changes=changes))


@router.delete("/{tool_id}")
def delete_tool(request: HttpRequest, tool_id: ToolId) -> None:
    tools.delete_tool(request.auth, tool_id)
