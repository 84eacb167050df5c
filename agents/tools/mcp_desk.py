"""MCP servers at work: trying one, listing its tools, keeping them in step, calling one.

No database connection is held while a server is asked.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from agents.mcp import sessions
from agents.mcp.endpoints import Endpoint, OfferedTool
from agents.mcp.results import outcome_of
from agents.mcp.schemas import regularise
from agents.models import McpServer, Tool
from agents.services import mcp_servers, mcp_tools
from agents.services.mcp_servers import ServerDraft, check_draft, endpoint_of
from agents.services.mcp_tools import SyncReport
from agents.tools.mcp_sign_in import connect, credential_for
from agents.tools.schema import fit_arguments
from agents.types import Json, ToolContext, ToolOutcome, ToolSpec
from letta_site.core.aio import in_db
from letta_site.core.errors import McpFailure, NotFound
from letta_site.core.types import Actor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Target:
    """A stored server and the way to it, for somebody."""

    actor: Actor
    server: McpServer
    endpoint: Endpoint

    @property
    def credential(self) -> sessions.Credential | None:
        """What authenticates a session with it."""
        return credential_for(self.actor.org_id, self.endpoint)


async def create(actor: Actor, draft: ServerDraft) -> McpServer:
    """Store a server and take over its tools. One that does not answer is stored all the same.

    Raises Invalid, Conflict. What went wrong with the server is in its row.
    """
    row = await in_db(mcp_servers.create_server, actor, draft)
    try:
        await refresh(actor, row.id)
    except McpFailure:
        return await in_db(mcp_servers.get_server, actor, row.id)
    return row


async def update(actor: Actor, server_id: str, changes: Json) -> McpServer:
    """Change a server; its sessions end. Raises NotFound, Invalid, Conflict."""
    row = await in_db(mcp_servers.update_server, actor, server_id, changes=changes)
    await sessions.forget(server_id)
    return row


async def delete(actor: Actor, server_id: str) -> None:
    """Remove a server with its tools. Raises NotFound."""
    await in_db(mcp_servers.delete_server, actor, server_id)
    await sessions.forget(server_id)


async def refresh(actor: Actor, server_id: str, agent_id: str | None = None) -> SyncReport:
    """Take over what a server offers now. Raises NotFound, McpFailure."""
    offered = await list_offered(actor, server_id, agent_id)
    return await in_db(mcp_tools.sync_tools, actor, server_id, offered)


async def list_offered(
    actor: Actor, server_id: str, agent_id: str | None = None
) -> list[OfferedTool]:
    """Ask a server what it offers. Raises NotFound, McpFailure."""
    target = await _target(actor, server_id, agent_id)
    return await _asked(target, lambda: sessions.list_tools(target.endpoint, target.credential))


async def register(actor: Actor, server_id: str, tool_name: str) -> Tool:
    """Take over one tool. Raises NotFound, Invalid, McpFailure."""
    offered = await list_offered(actor, server_id)
    found = next((tool for tool in offered if tool.name == tool_name), None)
    if found is None:
        raise NotFound(f"The MCP server offers no tool named {tool_name!r}.")
    return await in_db(mcp_tools.register_tool, actor, server_id, found)


async def check(actor: Actor, draft: ServerDraft) -> list[OfferedTool]:
    """Return the tools of a server that is not stored. Raises Invalid, McpFailure."""
    check_draft(draft)
    endpoint = endpoint_of(draft, {}, who=f"trial of {actor.id}")
    try:
        return await sessions.list_tools(endpoint, credential_for(actor.org_id, endpoint))
    finally:
        await sessions.forget("")


async def call(
    actor: Actor, server_id: str, tool_name: str, arguments: Json, agent_id: str | None = None
) -> ToolOutcome:
    """Call a tool of a server by the server's own name for it. Raises NotFound, McpFailure."""
    target = await _target(actor, server_id, agent_id)
    return await _call(target, tool_name, arguments)


async def run_external(spec: ToolSpec, arguments: Json, context: ToolContext) -> ToolOutcome:
    """Call an agent's tool that lives on a server. Raises ToolFailure, AppError for the model."""
    actor = Actor(context.org_id, context.agent_id, "tool")
    tool, server = await in_db(mcp_tools.load_tool, actor, spec.tool_id)
    endpoint = await _way(actor, server, context.agent_id)
    # The server judges unknown arguments itself; here they are only given the right types.
    schema = {**regularise(spec.parameters), "additionalProperties": True}
    fitted = fit_arguments(schema, arguments)
    return await _call(Target(actor, server, endpoint), tool.mcp_name, fitted)


async def _call(target: Target, name: str, arguments: Json) -> ToolOutcome:
    result = await _asked(
        target,
        lambda: sessions.call_tool(target.endpoint, name, arguments, target.credential),
    )
    return outcome_of(result)


async def _target(actor: Actor, server_id: str, agent_id: str | None) -> Target:
    server = await in_db(mcp_servers.get_server, actor, server_id)
    return Target(actor, server, await _way(actor, server, agent_id))


async def _way(actor: Actor, server: McpServer, agent_id: str | None) -> Endpoint:
    try:
        return await in_db(mcp_servers.way_to, actor, server, agent_id)
    except McpFailure as failure:
        await in_db(mcp_servers.note_failure, server.id, failure.what)
        raise


async def _asked(target: Target, work: Callable[[], Awaitable[T]]) -> T:
    """Do something with a server, and keep in its row how it went."""
    try:
        found = await work()
    except McpFailure as failure:
        await in_db(mcp_servers.note_failure, target.server.id, failure.what)
        raise
    await in_db(mcp_servers.note_success, target.server)
    return found


async def sign_in(actor: Actor, server_id: str, redirect_uri: str) -> AsyncIterator[Json]:
    """Yield the events of connecting to a stored server, with a sign-in where it asks for one."""
    target = await _target(actor, server_id, None)
    async for event in connect(actor.org_id, target.endpoint, redirect_uri):
        yield event
    if event["event"] == "success":
        await sessions.forget(server_id)
        await refresh(actor, server_id)
