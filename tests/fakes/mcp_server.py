"""A real MCP server on loopback, made with the protocol's own package, with awkward tools.

`python -m tests.fakes.mcp_server stdio`, or `... http <port> <port for sse>`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from mcp.server.mcpserver import Context, Image, MCPServer

_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360"
    "0000000200015e7ff30e0000000049454e44ae426082"
)


def make() -> MCPServer:
    server = MCPServer("awkward")

    @server.tool()
    def add(a: int, b: int = 1) -> int:
        """Add two numbers."""
        return a + b

    @server.tool()
    def fail() -> str:
        """Fail."""
        raise ValueError("boom")

    @server.tool()
    async def slow(seconds: float) -> str:
        """Take long."""
        await asyncio.sleep(seconds)
        return "done"

    @server.tool()
    def huge(chars: int) -> str:
        """Say much."""
        return "x" * chars

    @server.tool()
    def die() -> str:
        """End the server."""
        os._exit(3)

    @server.tool(structured_output=False)
    def picture() -> list[Any]:
        """Return words and a picture."""
        return ["look:", Image(data=_PIXEL, format="png")]

    @server.tool()
    def headers(ctx: Context) -> dict[str, str]:
        """Return what the request carried."""
        request = ctx.request_context.request
        return dict(request.headers) if request else {}

    @server.tool()
    def variable(name: str) -> str:
        """Return a variable of the environment."""
        return os.environ.get(name, "absent")

    @server.tool()
    def odd(value: str) -> str:
        """Has a schema that nobody can use."""
        return value

    server._tool_manager._tools["odd"].parameters = {
        "type": "object",
        "properties": {"value": {"$ref": "#/$defs/nowhere"}},
    }
    return server


async def serve(port: int, sse_port: int) -> None:
    server = make()
    await asyncio.gather(
        server.run_streamable_http_async(host="127.0.0.1", port=port),
        server.run_sse_async(host="127.0.0.1", port=sse_port),
    )


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        make().run("stdio")
    else:
        asyncio.run(serve(int(sys.argv[2]), int(sys.argv[3])))
