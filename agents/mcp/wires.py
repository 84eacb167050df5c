"""Opening a connection to an MCP server. Not imported at start: the package is heavy.

`load` brings it in, outside of the event loop.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TextIO

import httpx2
from django.conf import settings
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import Implementation

from agents.mcp.commands import check_command
from agents.mcp.endpoints import Endpoint
from letta_site.core.outbound import GuardedTransport

_KEPT_STDERR = 2000
_US = Implementation(name="letta-site", version="1")


@dataclass(slots=True)
class Traffic:
    """What is known of a connection beyond the answers: for telling why something failed.

    `status` is the last bad one that came over HTTP; `ended` is set when the other side is gone.
    """

    status: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    stderr: deque[str] = field(default_factory=lambda: deque(maxlen=20))

    async def note(self, response: httpx2.Response) -> None:
        """Remember how a request was received."""
        if response.request.method == "POST" or response.status_code in (401, 403):
            self.status = response.status_code if response.status_code >= 400 else 0

    @property
    def last_words(self) -> str:
        """The end of what a local server wrote to its stderr."""
        return " ".join("".join(self.stderr)[-_KEPT_STDERR:].split())


@asynccontextmanager
async def open_client(
    endpoint: Endpoint, traffic: Traffic, auth: httpx2.Auth | None = None
) -> AsyncIterator[Client]:
    """Connect, agree on a version of the protocol, and give the client. Raises what went wrong."""
    async with AsyncExitStack() as stack:
        if endpoint.kind == "stdio":
            check_command(endpoint.command, endpoint.args, dict(endpoint.env))
            program = StdioServerParameters(
                command=endpoint.command, args=list(endpoint.args), env=dict(endpoint.env)
            )
            streams: Any = stdio_client(program, stack.enter_context(_Overheard(traffic)))
        elif endpoint.kind == "sse":
            streams = sse_client(
                endpoint.url,
                sse_read_timeout=_silence_s(),
                httpx_client_factory=_opener(endpoint, traffic, auth),
            )
        else:
            http = await stack.enter_async_context(_opener(endpoint, traffic, auth)())
            streams = streamable_http_client(endpoint.url, http_client=http)
        watched = _Watched(streams, traffic)
        yield await stack.enter_async_context(Client(watched, client_info=_US, cache=None))


def _silence_s() -> float:
    return float(settings.MCP_TIMEOUT_S + settings.MCP_IDLE_S + 30)


def _opener(endpoint: Endpoint, traffic: Traffic, auth: httpx2.Auth | None) -> Any:
    """Return what makes HTTP clients for an endpoint; the package's own wishes are few."""

    def make(**_wishes: Any) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=GuardedTransport(settings.MCP_REACH, settings.MCP_MAX_ANSWER_BYTES),
            headers=dict(endpoint.headers),
            auth=auth,
            timeout=httpx2.Timeout(settings.MCP_CONNECT_TIMEOUT_S, read=_silence_s()),
            event_hooks={"response": [traffic.note]},
            trust_env=False,
        )

    return make


class _Watched:
    """A transport that tells when the other side has gone."""

    def __init__(self, transport: Any, traffic: Traffic) -> None:
        self._transport = transport
        self._traffic = traffic

    async def __aenter__(self) -> Any:
        reading, writing = await self._transport.__aenter__()
        return _Reading(reading, self._traffic), writing

    async def __aexit__(self, *error: Any) -> Any:
        return await self._transport.__aexit__(*error)


class _Reading:
    """A stream whose end is noticed. All else is the stream's own."""

    def __init__(self, stream: Any, traffic: Traffic) -> None:
        self._stream = stream
        self._traffic = traffic

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __aiter__(self) -> "_Reading":
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._stream.__anext__()
        except StopAsyncIteration:
            self._traffic.ended.set()
            raise

    async def __aenter__(self) -> "_Reading":
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        return await self._stream.__aexit__(*error)


class _Overheard:
    """The stderr of a local server: read at once, and only its end is kept."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    def __enter__(self) -> TextIO:
        self._out, into = os.pipe()
        os.set_blocking(self._out, False)
        asyncio.get_running_loop().add_reader(self._out, self._read)
        self._into = os.fdopen(into, "w")
        return self._into

    def _read(self) -> None:
        try:
            piece = os.read(self._out, 65536)
        except BlockingIOError:
            return
        if piece:
            self._traffic.stderr.append(piece[-_KEPT_STDERR:].decode("utf-8", "replace"))
        else:
            asyncio.get_running_loop().remove_reader(self._out)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._into.close()
        self._read()
        asyncio.get_running_loop().remove_reader(self._out)
        os.close(self._out)
