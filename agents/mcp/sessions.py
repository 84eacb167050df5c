"""Sessions with MCP servers: each lives in a task of its own and is used again while it is warm.

Opening one costs a handshake, and for a local server the start of a program: see decision 0096.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from django.conf import settings

from agents.mcp.endpoints import Endpoint, OfferedTool
from agents.mcp.faults import explain
from agents.types import Json
from letta_site.core.aio import spawn
from letta_site.core.errors import McpFailure

T = TypeVar("T")
# What authenticates a session: made when one is opened.
Credential = Callable[[], Awaitable[Any]]

_MOST_TOOLS = 1000
_open: "WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Endpoint, _Session]]" = (
    WeakKeyDictionary()
)
_living: "WeakKeyDictionary[asyncio.AbstractEventLoop, set[asyncio.Task[None]]]" = (
    WeakKeyDictionary()
)


class _Stale(Exception):
    """The server has forgotten the session; nothing was carried out."""


async def list_tools(endpoint: Endpoint, credential: Credential | None = None) -> list[OfferedTool]:
    """Return the tools that a server offers. Raises McpFailure."""
    return await _ask(endpoint, credential, read_tools)


async def call_tool(
    endpoint: Endpoint, name: str, arguments: Json, credential: Credential | None = None
) -> Json:
    """Call a tool and return its result as JSON with the protocol's names. Raises McpFailure."""

    async def work(client: Any) -> Json:
        result = await client.call_tool(name, arguments)
        found: Json = result.model_dump(mode="json", by_alias=True, exclude_none=True)
        return found

    return await _ask(endpoint, credential, work)


async def read_tools(client: Any) -> list[OfferedTool]:
    """Return all pages of a server's list."""
    found: list[OfferedTool] = []
    cursor = None
    while len(found) < _MOST_TOOLS:
        page = await client.list_tools(cursor=cursor)
        found += [_offered(tool.model_dump(mode="json", by_alias=True)) for tool in page.tools]
        cursor = page.next_cursor
        if not cursor:
            break
    return found[:_MOST_TOOLS]


def _offered(tool: Json) -> OfferedTool:
    return OfferedTool(
        name=tool["name"],
        description=tool.get("description") or tool.get("title") or "",
        input_schema=tool.get("inputSchema") or {},
        title=tool.get("title"),
        output_schema=tool.get("outputSchema"),
        annotations=tool.get("annotations"),
        meta=tool.get("_meta"),
    )


async def forget(server_id: str) -> None:
    """End the sessions of a server that was changed or removed, when their calls are done."""
    for session in list(_sessions().values()):
        if session.endpoint.server_id == server_id:
            session.retire()


async def close_all() -> None:
    """End all sessions of this event loop, and wait until they and their programs are gone."""
    for session in list(_sessions().values()):
        session.retire()
    if ending := _living.get(asyncio.get_running_loop()):
        await asyncio.wait(list(ending))


def _sessions() -> "dict[Endpoint, _Session]":
    return _open.setdefault(asyncio.get_running_loop(), {})


async def _ask(
    endpoint: Endpoint, credential: Credential | None, work: Callable[[Any], Awaitable[T]]
) -> T:
    session = _sessions().get(endpoint)
    if session is not None and session.usable:
        try:
            return await session.carry_out(work)
        except _Stale:
            session.retire()
    return await _fresh(endpoint, credential).carry_out(work)


def _fresh(endpoint: Endpoint, credential: Credential | None) -> "_Session":
    sessions = _sessions()
    resting = [one for one in sessions.values() if not one.busy]
    if len(sessions) >= settings.MCP_SESSIONS and resting:
        min(resting, key=lambda one: one.last_used).retire()
    sessions[endpoint] = session = _Session(endpoint, credential)
    return session


class _Session:
    """A connection, and the task in which it was opened and will be closed.

    Only that task may do both: what the package opens has to be closed by the same one.
    """

    def __init__(self, endpoint: Endpoint, credential: Credential | None) -> None:
        self.endpoint = endpoint
        self.busy = 0
        self.last_used = asyncio.get_running_loop().time()
        self._credential = credential
        self._retired = asyncio.Event()
        self._traffic: Any = None
        self._calls = 0
        self._client: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._task = spawn(self._live(), name=f"mcp {endpoint.place}")
        living = _living.setdefault(asyncio.get_running_loop(), set())
        living.add(self._task)
        self._task.add_done_callback(living.discard)

    @property
    def usable(self) -> bool:
        """Whether a call may be tried on it."""
        gone = self._traffic is not None and self._traffic.ended.is_set()
        return not (self._task.done() or self._retired.is_set() or gone)

    def retire(self) -> None:
        """Take no more calls, and end when the last one is done."""
        if _sessions().get(self.endpoint) is self:
            del _sessions()[self.endpoint]
        self._retired.set()

    async def carry_out(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Do something with the client. Raises McpFailure; _Stale when it was not even begun."""
        self.busy += 1
        reused = self._calls > 0
        try:
            client = await asyncio.shield(self._client)
            self._calls += 1
            async with asyncio.timeout(settings.MCP_TIMEOUT_S):
                return await work(client)
        except McpFailure:
            raise
        except Exception as error:  # noqa: BLE001  # whatever the package raises is the server's
            if reused and self._traffic.status == 404:
                raise _Stale from None
            self._retire_after(error)
            raise explain(error, self.endpoint, self._traffic) from None
        finally:
            self.busy -= 1
            self.last_used = asyncio.get_running_loop().time()

    def _retire_after(self, error: Exception) -> None:
        """Go on with a connection that works; leave one that hangs or is broken."""
        refused = getattr(error, "code", None) in (-32601, -32602)  # JSON-RPC: method, parameters
        if not refused:
            self.retire()

    async def _live(self) -> None:
        try:
            wires = await asyncio.to_thread(importlib.import_module, "agents.mcp.wires")
            self._traffic = wires.Traffic()
            auth = await self._credential() if self._credential else None
            await self._connect_and_wait(wires, auth)
        except Exception as error:  # noqa: BLE001  # told to whoever waits, and to nobody else
            if not self._client.done():
                self._client.set_exception(explain(error, self.endpoint, self._traffic))
                self._client.exception()  # it may be that nobody waits any more
        finally:
            self._client.cancel()
            self.retire()

    async def _connect_and_wait(self, wires: Any, auth: Any) -> None:
        async with asyncio.timeout(settings.MCP_CONNECT_TIMEOUT_S) as limit:
            async with wires.open_client(self.endpoint, self._traffic, auth) as client:
                limit.reschedule(None)
                self._client.set_result(client)
                while not self._finished():
                    await self._rest()

    def _finished(self) -> bool:
        if self.busy:
            return False
        idle_s = asyncio.get_running_loop().time() - self.last_used
        return not self.usable or idle_s >= settings.MCP_IDLE_S

    async def _rest(self) -> None:
        """Wait until there may be something to do: soon while calls end, else for the idle time."""
        wait_s = 0.05 if not self.usable else max(0.05, settings.MCP_IDLE_S / 4)
        try:
            async with asyncio.timeout(wait_s):
                await (asyncio.sleep(wait_s * 2) if not self.usable else self._retired.wait())
        except TimeoutError:
            return
