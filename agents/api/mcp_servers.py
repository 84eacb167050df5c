"""MCP servers by id: /v1/mcp-servers."""

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from agents.api.mcp_answers import callback_address, draft_of, executed, stream, synced
from agents.api.routers import mcp_servers_router as router
from agents.services import mcp_servers, mcp_tools
from agents.services.mcp_servers import masked
from agents.tools import mcp_desk
from agents.types import Json
from agents.wire.ids import McpServerId, ToolId
from agents.wire.mcp import (
    CreateMCPServerRequest,
    UpdateMCPServerRequest,
    changes_of,
    encode_server,
    encode_status,
)
from agents.wire.tools import ToolExecuteRequest, encode_tool
from letta_site.core.aio import in_db
from letta_site.core.paging import MAX_LIMIT
from letta_site.core.types import PageQuery


@router.post("/")
async def create_mcp_server(request: HttpRequest, given: CreateMCPServerRequest) -> Json:
    draft = draft_of(changes_of(given.server_name, given.config))
    row = await mcp_desk.create(request.auth, draft)
    return encode_server(row, masked(row.secrets))


@router.get("/")
def list_mcp_servers(request: HttpRequest) -> list[Json]:
    rows = mcp_servers.list_servers(request.auth, query=PageQuery(limit=MAX_LIMIT, order="asc"))
    return [encode_server(row, masked(row.secrets)) for row in rows]


@router.get("/connect/{mcp_server_id}")
async def connect_mcp_server(
    request: HttpRequest, mcp_server_id: McpServerId
) -> StreamingHttpResponse:
    await in_db(mcp_servers.get_server, request.auth, mcp_server_id)
    return stream(mcp_desk.sign_in(request.auth, mcp_server_id, callback_address(request)))


@router.get("/{mcp_server_id}")
def get_mcp_server(request: HttpRequest, mcp_server_id: McpServerId) -> Json:
    row = mcp_servers.get_server(request.auth, mcp_server_id)
    return encode_server(row, masked(row.secrets))


@router.get("/{mcp_server_id}/status")
def get_mcp_server_status(request: HttpRequest, mcp_server_id: McpServerId) -> Json:
    return encode_status(mcp_servers.get_server(request.auth, mcp_server_id))


@router.patch("/{mcp_server_id}")
async def update_mcp_server(
    request: HttpRequest, mcp_server_id: McpServerId, given: UpdateMCPServerRequest
) -> Json:
    changes = changes_of(given.server_name, given.config)
    row = await mcp_desk.update(request.auth, mcp_server_id, changes)
    return encode_server(row, masked(row.secrets))


@router.delete("/{mcp_server_id}")
async def delete_mcp_server(request: HttpRequest, mcp_server_id: McpServerId) -> HttpResponse:
    await mcp_desk.delete(request.auth, mcp_server_id)
    return HttpResponse(status=204)


@router.patch("/{mcp_server_id}/refresh")
async def refresh_mcp_server(
    request: HttpRequest, mcp_server_id: McpServerId, agent_id: str | None = None
) -> Json:
    return synced(await mcp_desk.refresh(request.auth, mcp_server_id, agent_id))


@router.get("/{mcp_server_id}/tools")
def list_mcp_server_tools(request: HttpRequest, mcp_server_id: McpServerId) -> list[Json]:
    return [encode_tool(row) for row in mcp_tools.list_tools_of(request.auth, mcp_server_id)]


@router.get("/{mcp_server_id}/tools/{tool_id}")
def get_mcp_server_tool(request: HttpRequest, mcp_server_id: McpServerId, tool_id: ToolId) -> Json:
    return encode_tool(mcp_tools.get_tool_of(request.auth, mcp_server_id, tool_id))


@router.post("/{mcp_server_id}/tools/{tool_id}/run")
async def run_mcp_server_tool(
    request: HttpRequest,
    mcp_server_id: McpServerId,
    tool_id: ToolId,
    given: ToolExecuteRequest | None = None,
) -> Json:
    tool = await in_db(mcp_tools.get_tool_of, request.auth, mcp_server_id, tool_id)
    arguments = given.args if given else {}
    return executed(await mcp_desk.call(request.auth, mcp_server_id, tool.mcp_name, arguments))
