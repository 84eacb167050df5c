"""What a tool may ask of this server through its `client`, and how it gets there.

The server makes the request itself, in the name of the agent: neither a token nor the network is
inside the sandbox, and nothing is left of the right to ask when the call has ended.
"""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from agents.sandbox.jobs import Ask
from agents.types import Json
from letta_site.core.types import Actor

Door = Callable[[Actor, Json], Awaitable[Json]]

# With these a tool could give itself what it was not granted, or read what is kept from it.
_CLOSED = re.compile(
    r"/v1/(?:(?:tools|mcp-servers|providers|_internal|agents/import)(?:/|\Z)|agents/[^/]+/tools/)"
)
_READING = frozenset(("GET", "HEAD"))
_REFUSED: Json = {
    "status": 403,
    "type": "application/json",
    "body": '{"detail":"FORBIDDEN: A tool may not change or run tools, servers or providers."}',
}
_doors: list[Door] = []


def open_door(door: Door) -> None:
    """Tell how requests reach the API; done once, by the roof, which has it."""
    _doors[:] = [door]


def errands_for(actor: Actor) -> Ask | None:
    """Return what answers a tool's requests in the name of `actor`; None without an API."""

    async def ask(request: Json) -> Json:
        # As the server will read it: an escape must not hide what is asked for.
        path = unquote(str(request.get("path", "")).partition("?")[0])
        method = str(request.get("method", "")).upper()
        if not path.startswith("/v1/") or (_CLOSED.match(path) and method not in _READING):
            return _REFUSED
        return await _doors[0](actor, request)

    return ask if _doors else None
