"""Tools of an agent: /v1/agents/{agent_id}/tools."""

from django.http import HttpRequest
from ninja import Query

from agents.api.routers import agents_router as router
from agents.runtime import runner
from agents.services import agent_changes, tool_calls, tool_lists
from agents.tools.toolbox import AgentToolBox
from agents.types import Json
from agents.wire.agents import encode_agent
from agents.wire.ids import AgentId, ToolId
from agents.wire.tools import (
    ModifyApprovalRequest,
    ToolExecuteRequest,
    encode_execution,
    encode_tool,
)
from letta_site.core.aio import in_db
from letta_site.core.errors import Malformed
from letta_site.core.paging import MAX_LIMIT, Page


@router.get("/{agent_id}/tools")
def list_agent_tools(request: HttpRequest, agent_id: AgentId, page: Query[Page]) -> list[Json]:
    # Clients of the old era cannot page here: nothing said means everything.
    rows = tool_lists.list_tools_of(request.auth, agent_id, query=page.query(limit=MAX_LIMIT))
    return [encode_tool(row) for row in rows]


@router.patch("/{agent_id}/tools/attach/{tool_id}")
def attach_tool(request: HttpRequest, agent_id: AgentId, tool_id: ToolId) -> Json:
    return encode_agent(agent_changes.attach_tool(request.auth, agent_id, tool_id))


@router.patch("/{agent_id}/tools/detach/{tool_id}")
def detach_tool(request: HttpRequest, agent_id: AgentId, tool_id: ToolId) -> Json:
    return encode_agent(agent_changes.detach_tool(request.auth, agent_id, tool_id))


@router.patch("/{agent_id}/tools/approval/{tool_name}")
def modify_approval(
    request: HttpRequest,
    agent_id: AgentId,
    tool_name: str,
    requires_approval: bool | None = None,
    given: ModifyApprovalRequest | None = None,
) -> Json:
    said = given.requires_approval if given else None
    wish = requires_approval if said is None else said
    if wish is None:
        raise Malformed("requires_approval is missing: send it in the body or the query.")
    agent = agent_changes.set_approval(request.auth, agent_id, tool_name, required=wish)
    return encode_agent(agent)


@router.post("/{agent_id}/tools/{tool_name}/run")
async def run_tool(
    request: HttpRequest,
    agent_id: AgentId,
    tool_name: str,
    given: ToolExecuteRequest | None = None,
) -> Json:
    actor, arguments = request.auth, given.args if given else {}
    prepared = await in_db(tool_calls.prepare, actor, agent_id, tool_name, arguments)
    messenger = await runner.messenger_by_hand(actor, agent_id)
    box = AgentToolBox(actor.org_id, (prepared.spec,), messenger)
    outcome = await box.call(prepared.call, arguments, prepared.context)
    result = await in_db(tool_calls.store_outcome, actor, prepared, outcome)
    return encode_execution(result, outcome.value)
