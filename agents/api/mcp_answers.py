"""What both dialects of the MCP routes answer alike."""

import json
from collections.abc import AsyncIterator

from django.http import HttpRequest, StreamingHttpResponse

from agents.api.answering import streaming
from agents.mcp.endpoints import OfferedTool
from agents.mcp.schemas import judge
from agents.services.mcp_servers import ServerDraft
from agents.services.mcp_tools import SyncReport
from agents.types import Json, ToolOutcome, ToolReturn
from agents.wire.mcp import encode_offered
from agents.wire.tools import encode_execution

CALLBACK = "/v1/tools/mcp/oauth/callback"
_SECRETS = ("auth_header", "auth_token", "custom_headers", "env")


def draft_of(fields: Json) -> ServerDraft:
    """Return a server from its fields by our names."""
    secrets = {key: fields[key] for key in _SECRETS if fields.get(key)}
    plain = {key: fields[key] for key in ("name", "kind", "url", "command") if fields.get(key)}
    return ServerDraft(**plain, args=tuple(fields.get("args") or ()), secrets=secrets)


def synced(report: SyncReport) -> Json:
    """Return what a sync did; `refused` is ours."""
    names = {"added": report.added, "updated": report.updated, "deleted": report.deleted}
    return {**names, "refused": report.refused}


def executed(outcome: ToolOutcome) -> Json:
    """Return a ToolExecutionResult."""
    return encode_execution(ToolReturn("", "", outcome.text, outcome.status))


def offered(tools: list[OfferedTool]) -> list[Json]:
    """Return tools as their server describes them, with the health of their schemas."""
    return [encode_offered(tool, *judge(tool.input_schema)) for tool in tools]


def stream(events: AsyncIterator[Json]) -> StreamingHttpResponse:
    """Return the events of a connection attempt as server-sent ones."""

    async def frames() -> AsyncIterator[bytes]:
        async for event in events:
            yield f"data: {json.dumps(event)}\n\n".encode()

    return streaming(frames())


def callback_address(request: HttpRequest) -> str:
    """Return where a person comes back to after signing in elsewhere."""
    return request.build_absolute_uri(CALLBACK)
