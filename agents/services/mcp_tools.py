"""Tools of MCP servers as rows, so that agents can have them like any other tool."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from agents.mcp.endpoints import OfferedTool
from agents.mcp.schemas import INVALID, json_schema, judge
from agents.models import McpServer, Tool
from agents.services.mcp_servers import get_server, tag_of
from agents.services.tool_seed import offered_names
from agents.types import Json
from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.errors import Invalid, NotFound
from letta_site.core.types import Actor

TOOL_TYPE = "external_mcp"
MAX_NAME_CHARS = 64  # OpenAI and Anthropic take as many
_UNUSUAL = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(slots=True)
class SyncReport:
    """What a sync did, as names of tools. `refused` are [{"name", "reasons"}]."""

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    refused: list[Json] = field(default_factory=list)


def sync_tools(actor: Actor, server_id: str, offered: Sequence[OfferedTool]) -> SyncReport:
    """Make the rows of a server's tools what it offers now. Raises NotFound.

    A tool whose schema nobody could use is left out, and told of in the server's row.
    """
    report = SyncReport()
    with write():
        server = get_server(actor, server_id)
        rows = {row.mcp_name: row for row in Tool.objects.filter(mcp_server=server)}
        for tool in offered:
            _take_over(actor, server, tool, rows.get(tool.name), report)
        kept = {tool.name for tool in offered} - {one["name"] for one in report.refused}
        gone = [row for name, row in rows.items() if name not in kept]
        report.deleted = [row.name for row in gone]
        Tool.objects.filter(pk__in=[row.pk for row in gone]).delete()
        McpServer.objects.filter(pk=server.pk).update(refused=report.refused)
    return report


def _take_over(
    actor: Actor, server: McpServer, tool: OfferedTool, row: Tool | None, report: SyncReport
) -> None:
    status, reasons = judge(tool.input_schema)
    if status == INVALID:
        report.refused.append({"name": tool.name, "reasons": reasons})
    elif row is None:
        report.added.append(_insert(actor, server, tool).name)
    elif _refresh(actor, row, tool):
        report.updated.append(row.name)


def _insert(actor: Actor, server: McpServer, tool: OfferedTool) -> Tool:
    name = _free_name(actor, server.name, tool.name)
    row: Tool = Tool.objects.create(
        org_id=actor.org_id,
        name=name,
        tool_type=TOOL_TYPE,
        description=tool.description,
        source_type=None,
        json_schema=json_schema(tool, name),
        tags=[tag_of(server.name)],
        metadata={"mcp": {"server_id": server.id, "server_name": server.name}},
        mcp_server=server,
        mcp_name=tool.name,
        created_by_id=actor.id,
        last_updated_by_id=actor.id,
    )
    return row


def _refresh(actor: Actor, row: Tool, tool: OfferedTool) -> bool:
    """Bring a row up to date, and tell whether it was not."""
    schema = json_schema(tool, row.name)
    if row.json_schema == schema and row.description == tool.description:
        return False
    row.json_schema, row.description, row.updated_at = schema, tool.description, now()
    row.touch(actor, "json_schema", "description")
    return True


def _free_name(actor: Actor, server_name: str, tool_name: str) -> str:
    """Return a name for a tool that models' servers take, and that no other tool has."""
    own, long = _UNUSUAL.sub("_", tool_name), _UNUSUAL.sub("_", f"{server_name}_{tool_name}")
    numbered = (f"{long[: MAX_NAME_CHARS - 3]}_{number}" for number in range(2, 100))
    wanted = [own[:MAX_NAME_CHARS], long[:MAX_NAME_CHARS], *numbered]
    taken = set(Tool.objects.of(actor).filter(name__in=wanted).values_list("name", flat=True))
    free = (name for name in wanted if name and name not in taken | offered_names())
    found = next(free, None)
    if found is None:
        raise Invalid(f"There are too many tools named {tool_name!r}.")
    return found


def register_tool(actor: Actor, server_id: str, tool: OfferedTool) -> Tool:
    """Make or refresh the row of a single tool. Raises Invalid for a schema that is not one."""
    status, reasons = judge(tool.input_schema)
    if status == INVALID:
        raise Invalid(f"The schema of {tool.name!r} cannot be used: {'; '.join(reasons)}.")
    with write():
        server = get_server(actor, server_id)
        row: Tool | None = Tool.objects.filter(mcp_server=server, mcp_name=tool.name).first()
        if row is None:
            return _insert(actor, server, tool)
        _refresh(actor, row, tool)
        return row


def list_tools_of(actor: Actor, server_id: str) -> list[Tool]:
    """Return the rows of a server's tools. Raises NotFound."""
    server = get_server(actor, server_id)
    return list(Tool.objects.filter(mcp_server=server).order_by("name"))


def get_tool_of(actor: Actor, server_id: str, tool_id: str) -> Tool:
    """Return one of a server's tools. Raises NotFound."""
    server = get_server(actor, server_id)
    row: Tool | None = Tool.objects.filter(mcp_server=server, pk=tool_id).first()
    if row is None:
        raise NotFound(f"MCP server {server_id} has no tool with id {tool_id}.")
    return row


def load_tool(actor: Actor, tool_id: str) -> tuple[Tool, McpServer]:
    """Return a tool with its server, for a call. Raises NotFound."""
    rows = Tool.objects.of(actor).select_related("mcp_server").filter(pk=tool_id)
    row: Tool | None = rows.exclude(mcp_server=None).first()
    if row is None or row.mcp_server is None:
        raise NotFound("The MCP server of this tool is no longer there.")
    return row, row.mcp_server
