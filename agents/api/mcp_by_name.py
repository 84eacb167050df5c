"""MCP servers by name, as older clients have them: /v1/tools/mcp."""

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from agents.api.mcp_answers import (
    callback_address,
    draft_of,
    executed,
    offered,
    stream,
    synced,
)
from agents.api.routers import tools_router as router
from agents.models import McpServer
from agents.services import mcp_servers
from agents.services.mcp_servers import endpoint_of, masked
from agents.tools import mcp_desk, mcp_sign_in
from agents.types import Json
from agents.wire.mcp import (
    ServerConfig,
    UpdateServerConfig,
    changes_of,
    complete,
    encode_config,
)
from agents.wire.tools import ToolExecuteRequest, encode_tool
from letta_site.core.aio import in_db
from letta_site.core.paging import MAX_LIMIT
from letta_site.core.types import Actor, PageQuery


def _configs(actor: Actor) -> list[Json]:
    rows = mcp_servers.list_servers(actor, query=PageQuery(limit=MAX_LIMIT, order="asc"))
    return [_config(row) for row in rows]


def _config(row: McpServer) -> Json:
    return encode_config(row, masked(row.secrets))


async def _id_of(request: HttpRequest, name: str) -> str:
    row = await in_db(mcp_servers.get_by_name, request.auth, name)
    return row.id


@router.get("/mcp/servers")
def list_mcp_server_configs(request: HttpRequest) -> Json:
    return {config["server_name"]: config for config in _configs(request.auth)}


@router.put("/mcp/servers")
async def add_mcp_server(request: HttpRequest, given: ServerConfig) -> list[Json]:
    draft = draft_of(complete(changes_of(given.server_name, given)))
    await mcp_desk.create(request.auth, draft)
    return await in_db(_configs, request.auth)


@router.post("/mcp/servers/test")
async def test_mcp_server(request: HttpRequest, given: ServerConfig) -> Json:
    draft = draft_of(complete(changes_of(given.server_name, given)))
    tools = await mcp_desk.check(request.auth, draft)
    return {"status": "success", "tools": offered(tools)}


@router.post("/mcp/servers/connect")
async def connect_mcp_server_config(
    request: HttpRequest, given: ServerConfig
) -> StreamingHttpResponse:
    draft = draft_of(complete(changes_of(given.server_name, given)))
    mcp_servers.check_draft(draft)
    endpoint = endpoint_of(draft, {})
    return stream(mcp_sign_in.connect(request.auth.org_id, endpoint, callback_address(request)))


@router.get("/mcp/oauth/callback", auth=None)
async def come_back_from_sign_in(
    request: HttpRequest,
    state: str = "",
    code: str | None = None,
    error: str | None = None,
    iss: str | None = None,
) -> HttpResponse:
    known = mcp_sign_in.come_back(state, code, error, iss)
    words = "You can close this page." if known else "Nobody waits for this sign-in any more."
    return HttpResponse(words, status=200 if known else 404, content_type="text/plain")


@router.patch("/mcp/servers/{mcp_server_name}")
async def update_mcp_server_config(
    request: HttpRequest, mcp_server_name: str, given: UpdateServerConfig
) -> Json:
    changes = changes_of(given.server_name, given)
    server_id = await _id_of(request, mcp_server_name)
    return _config(await mcp_desk.update(request.auth, server_id, changes))


@router.delete("/mcp/servers/{mcp_server_name}")
async def delete_mcp_server_config(request: HttpRequest, mcp_server_name: str) -> list[Json]:
    await mcp_desk.delete(request.auth, await _id_of(request, mcp_server_name))
    return await in_db(_configs, request.auth)


@router.get("/mcp/servers/{mcp_server_name}/tools")
async def list_offered_tools(request: HttpRequest, mcp_server_name: str) -> list[Json]:
    server_id = await _id_of(request, mcp_server_name)
    return offered(await mcp_desk.list_offered(request.auth, server_id))


@router.post("/mcp/servers/{mcp_server_name}/resync")
async def resync_mcp_server(
    request: HttpRequest, mcp_server_name: str, agent_id: str | None = None
) -> Json:
    server_id = await _id_of(request, mcp_server_name)
    return synced(await mcp_desk.refresh(request.auth, server_id, agent_id))


@router.post("/mcp/servers/{mcp_server_name}/tools/{tool_name}/execute")
async def execute_mcp_tool(
    request: HttpRequest,
    mcp_server_name: str,
    tool_name: str,
    given: ToolExecuteRequest | None = None,
) -> Json:
    server_id = await _id_of(request, mcp_server_name)
    arguments = given.args if given else {}
    return executed(await mcp_desk.call(request.auth, server_id, tool_name, arguments))


@router.post("/mcp/servers/{mcp_server_name}/{mcp_tool_name}")
async def add_mcp_tool(request: HttpRequest, mcp_server_name: str, mcp_tool_name: str) -> Json:
    server_id = await _id_of(request, mcp_server_name)
    return encode_tool(await mcp_desk.register(request.auth, server_id, mcp_tool_name))
