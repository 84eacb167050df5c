"""Signing in to MCP servers with OAuth: the flow that a person follows, and what it leaves.

The flow itself is the `mcp` package's; it is imported when a session is opened, not at start.
"""

import asyncio
import importlib
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings

from agents.mcp.endpoints import Endpoint, OfferedTool
from agents.mcp.faults import explain
from agents.mcp.sessions import Credential, read_tools
from agents.services.mcp_servers import find_sign_in, keep_sign_in
from agents.types import Json
from letta_site.core.aio import in_db, spawn
from letta_site.core.errors import McpFailure

# Sign-ins that wait for their person to come back, by `state`, which nobody can guess.
_waiting: dict[str, "asyncio.Future[Any]"] = {}


def credential_for(org_id: str, endpoint: Endpoint) -> Credential | None:
    """Return what loads the result of an earlier sign-in; None for whom a header or nobody asks."""
    names = {name.lower() for name, _ in endpoint.headers}
    if endpoint.kind == "stdio" or "authorization" in names:
        return None

    async def load() -> Any:
        content = await in_db(find_sign_in, org_id, endpoint.url)
        if content is None:
            return None
        return await _Flow(org_id, endpoint.url, content).provider()

    return load


async def connect(org_id: str, endpoint: Endpoint, redirect_uri: str) -> AsyncIterator[Json]:
    """Yield what happens while connecting: rows with "event", as Letta names them.

    connection_attempt; then, if the server wants a sign-in, oauth_required, authorization_url with
    "url" and "session_id", waiting_for_auth; at the end success with "tools", or error. Closing the
    iterator gives up.
    """
    yield {"event": "connection_attempt", "message": f"Connecting to {endpoint.place}"}
    content = await in_db(find_sign_in, org_id, endpoint.url) or {}
    flow = _Flow(org_id, endpoint.url, content, redirect_uri)
    work = spawn(_sign_in(flow, endpoint), name=f"mcp sign-in {endpoint.place}")
    work.add_done_callback(lambda _: flow.events.put_nowait(None))
    try:
        while (event := await flow.events.get()) is not None:
            yield event
        tools = [{"name": tool.name, "description": tool.description} for tool in work.result()]
        yield {"event": "success", "tools": tools}
    except McpFailure as failure:
        yield {"event": "error", "message": f"{failure.what} {failure.todo}".strip()}
    finally:
        work.cancel()


async def _sign_in(flow: "_Flow", endpoint: Endpoint) -> list[OfferedTool]:
    wires = await asyncio.to_thread(importlib.import_module, "agents.mcp.wires")
    traffic = wires.Traffic()
    try:
        async with asyncio.timeout(settings.MCP_SIGN_IN_TIMEOUT_S):
            auth = await flow.provider()
            async with wires.open_client(endpoint, traffic, auth) as client:
                return await read_tools(client)
    except Exception as error:  # noqa: BLE001  # whatever the package raises is the server's
        raise explain(error, endpoint, traffic) from None
    finally:
        _waiting.pop(flow.state, None)


def come_back(state: str, code: str | None, error: str | None, issuer: str | None) -> bool:
    """Hand on what a person brought back from the authorization server; False: nobody waits."""
    waiting = _waiting.pop(state, None)
    if waiting is None:
        return False
    waiting.get_loop().call_soon_threadsafe(_settle, waiting, (state, code, error, issuer))
    return True


def _settle(waiting: "asyncio.Future[Any]", brought: tuple[str | None, ...]) -> None:
    if not waiting.done():
        waiting.set_result(brought)


class _Flow:
    """One address's credentials, in the shape that the package asks for them."""

    def __init__(self, org_id: str, url: str, content: Json, redirect_uri: str = "") -> None:
        self.events: asyncio.Queue[Json | None] = asyncio.Queue()
        self.state = ""
        self._org_id = org_id
        self._url = url
        self._content = content
        self._redirect_uri = redirect_uri
        self._context: Any = None

    async def provider(self) -> Any:
        """Return what signs requests. Without an address to come back to nobody can sign in."""
        oauth2 = await asyncio.to_thread(importlib.import_module, "mcp.client.auth.oauth2")
        self._shared = importlib.import_module("mcp.shared.auth")
        metadata = self._shared.OAuthClientMetadata(
            client_name="letta-site",
            redirect_uris=[self._redirect_uri or "http://localhost/"],
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
        )
        interactive = (self._send_person, self._wait_for_person) if self._redirect_uri else ()
        found = oauth2.OAuthClientProvider(self._url, metadata, self, *interactive)
        self._context = found.context
        # The package keeps neither of these, and without them a refresh goes astray.
        self._context.token_expiry_time = self._content.get("expires_at")
        if server := self._content.get("server"):
            self._context.oauth_metadata = self._shared.OAuthMetadata.model_validate(server)
        return found

    async def get_tokens(self) -> Any:
        """Return the tokens that are stored."""
        tokens = self._content.get("tokens")
        return self._shared.OAuthToken.model_validate(tokens) if tokens else None

    async def set_tokens(self, tokens: Any) -> None:
        """Store new tokens, with when they expire and who gave them."""
        self._content["tokens"] = tokens.model_dump(mode="json", exclude_none=True)
        expires_in_s = tokens.expires_in
        self._content["expires_at"] = time.time() + expires_in_s if expires_in_s else None
        if self._context.oauth_metadata is not None:
            self._content["server"] = _plain(self._context.oauth_metadata)
        await in_db(keep_sign_in, self._org_id, self._url, self._content)

    async def get_client_info(self) -> Any:
        """Return how we are registered there, unless people would come back elsewhere."""
        client = self._content.get("client")
        if not client or self._redirect_uri not in ("", *client.get("redirect_uris", ())):
            return None
        return self._shared.OAuthClientInformationFull.model_validate(client)

    async def set_client_info(self, client_info: Any) -> None:
        """Keep how we are registered there; it is stored with the tokens."""
        self._content["client"] = _plain(client_info)

    async def _send_person(self, url: str) -> None:
        self.state = parse_qs(urlsplit(url).query).get("state", [""])[0]
        _waiting[self.state] = asyncio.get_running_loop().create_future()
        self._coming = _waiting[self.state]
        for event in (
            {"event": "oauth_required", "message": "The server asks for a sign-in."},
            {"event": "authorization_url", "url": url, "session_id": self.state},
            {"event": "waiting_for_auth", "message": "Open the address and sign in there."},
        ):
            self.events.put_nowait(event)

    async def _wait_for_person(self) -> Any:
        state, code, error, issuer = await self._coming
        if error or not code:
            raise McpFailure(f"The sign-in was not completed: {error or 'no code came back'}.")
        return self._shared.AuthorizationCodeResult(code=code, state=state, iss=issuer)


def _plain(value: Any) -> Json:
    found: Json = value.model_dump(mode="json", exclude_none=True)
    return found
