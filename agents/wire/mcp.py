"""MCP servers on the wire, in both dialects: by id with `mcp_server_type`, by name with `type`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.types import Json
from agents.wire.moments import stamp

Kind = Literal["stdio", "sse", "streamable_http"]


class _Local(BaseModel):
    model_config = ConfigDict(extra="forbid")

    mcp_server_type: Literal["stdio"] = "stdio"
    env: dict[str, str] | None = None


class _Remote(BaseModel):
    model_config = ConfigDict(extra="forbid")

    auth_header: str | None = None
    auth_token: str | None = None
    custom_headers: dict[str, str] | None = None


class CreateStdio(_Local):
    """A server that is a command."""

    command: str = Field(min_length=1, max_length=500)
    args: list[str]


class CreateSse(_Remote):
    """A server that speaks the older HTTP transport."""

    mcp_server_type: Literal["sse"] = "sse"
    server_url: str


class CreateStreamable(_Remote):
    """A server that speaks HTTP."""

    mcp_server_type: Literal["streamable_http"] = "streamable_http"
    server_url: str


class UpdateStdio(_Local):
    """What to change of a server that is a command; null leaves as it is."""

    command: str | None = Field(None, min_length=1, max_length=500)
    args: list[str] | None = None


class UpdateSse(_Remote):
    """What to change of such a server; null leaves as it is."""

    mcp_server_type: Literal["sse"] = "sse"
    server_url: str | None = None


class UpdateStreamable(_Remote):
    """What to change of such a server; null leaves as it is."""

    mcp_server_type: Literal["streamable_http"] = "streamable_http"
    server_url: str | None = None


class CreateMCPServerRequest(BaseModel):
    """A server to add."""

    model_config = ConfigDict(extra="forbid")

    server_name: str = Field(min_length=1, max_length=200)
    config: Annotated[
        CreateStdio | CreateSse | CreateStreamable, Field(discriminator="mcp_server_type")
    ]


class UpdateMCPServerRequest(BaseModel):
    """What to change of a server."""

    model_config = ConfigDict(extra="forbid")

    server_name: str | None = Field(None, min_length=1, max_length=200)
    config: Annotated[
        UpdateStdio | UpdateSse | UpdateStreamable, Field(discriminator="mcp_server_type")
    ]


class ServerConfig(BaseModel):
    """A server in the older dialect, of any kind."""

    server_name: str = Field(min_length=1, max_length=200)
    type: Kind | None = None
    server_url: str | None = None
    command: str | None = Field(None, max_length=500)
    args: list[str] | None = None
    env: dict[str, str] | None = None
    auth_header: str | None = None
    auth_token: str | None = None
    custom_headers: dict[str, str] | None = None


class StdioConfig(BaseModel):
    """The part of an older update that is about the command."""

    command: str | None = None
    args: list[str] | None = None
    env: dict[str, str] | None = None


class UpdateServerConfig(BaseModel):
    """What to change of a server, in the older dialect."""

    model_config = ConfigDict(extra="forbid")

    server_name: str | None = Field(None, min_length=1, max_length=200)
    server_url: str | None = None
    token: str | None = None
    auth_header: str | None = None
    auth_token: str | None = None
    custom_headers: dict[str, str] | None = None
    stdio_config: StdioConfig | None = None


def changes_of(name: str | None, config: BaseModel) -> Json:
    """Return a configuration as fields of a server, by our names; what was not said is left out."""
    given = config.model_dump(exclude_none=True)
    names = {"mcp_server_type": "kind", "type": "kind", "server_url": "url", "token": "auth_token"}
    found = {names.get(key, key): value for key, value in given.items() if key != "server_name"}
    found |= found.pop("stdio_config", {})
    return {**found, "name": name} if name else found


def complete(changes: Json) -> Json:
    """Return fields of a new server with its kind, which older clients leave out.

    Then the address tells: servers of the older transport have theirs at `/sse`, by custom.
    """
    by_address = (
        "sse" if str(changes.get("url")).rstrip("/").endswith("/sse") else "streamable_http"
    )
    return {"kind": "stdio" if changes.get("command") else by_address, **changes}


def encode_server(row: Any, secrets: Json) -> Json:
    """Return an MCP server; `secrets` are as they may be shown."""
    whole = {"id": row.id, "server_name": row.name, "mcp_server_type": row.kind}
    return {**whole, **_config(row, secrets)}


def encode_config(row: Any, secrets: Json) -> Json:
    """Return a server in the older dialect."""
    return {"server_name": row.name, "type": row.kind, **_config(row, secrets)}


def _config(row: Any, secrets: Json) -> Json:
    if row.kind == "stdio":
        return {"command": row.command, "args": row.args, "env": secrets.get("env")}
    names = ("auth_header", "auth_token", "custom_headers")
    return {"server_url": row.url, **{name: secrets.get(name) for name in names}}


def encode_status(row: Any) -> Json:
    """Return how a server has been doing (ours, not Letta's)."""
    return {
        "id": row.id,
        "server_name": row.name,
        "last_success_at": stamp(row.last_success_at),
        "last_error": row.last_error or None,
        "last_error_at": stamp(row.last_error_at),
        "refused_tools": row.refused,
    }


def encode_offered(tool: Any, status: str, reasons: list[str]) -> Json:
    """Return an MCPTool: as the server describes it, with the health of its schema."""
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": tool.input_schema,
        "outputSchema": tool.output_schema,
        "annotations": tool.annotations,
        "_meta": tool.meta,
        "health": {"status": status, "reasons": reasons},
    }
