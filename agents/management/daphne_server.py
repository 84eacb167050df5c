"""Daphne as this product needs it: bodies with an end, a ready line, a quiet name."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import daphne.server
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server
from twisted.internet import reactor

from letta_site.core.bodies import body_limit

DRAINED_BODIES = 8  # how many times the allowed size is read and dropped before hanging up


class CappedRequest(WebRequest):
    """A request whose body is not kept once it is too large.

    Daphne reads a whole body before the application sees the first byte of it. The rest is read
    and dropped, since a client that is still sending does not see an answer.
    """

    received = 0
    limit = 0

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a piece of the body, drop it, or hang up."""
        self.limit = self.limit or self._limit()
        self.received += len(data)
        if self.received <= self.limit:
            super().handleContentChunk(data)
        elif self.received > DRAINED_BODIES * self.limit:
            self.channel.forceAbortClient()
        else:
            self.content.seek(0)
            self.content.truncate()

    def _limit(self) -> int:
        # A request learns its path when it is complete; its channel knows before, and only then.
        path: bytes = getattr(self.channel, "_path", b"")
        return body_limit(path.partition(b"?")[0].decode("latin-1"))

    def process(self) -> Any:
        """Answer a body that was dropped here; hand on all others."""
        if self.received <= self.limit:
            return super().process()
        self.client_addr = None
        self.setResponseCode(413)
        self.setHeader(b"content-type", b"application/json")
        self.write(b'{"detail": "TOO_LARGE: The body is too large.", "code": "TOO_LARGE"}')
        return self.finish()

    def finish(self) -> None:
        """End the answer, also one that no application was asked for."""
        if self.application_queue is None:
            self.path = b""
        super().finish()


class CappedFactory(HTTPFactory):
    """Makes protocols that make capped requests."""

    def buildProtocol(self, addr: Any) -> Any:
        """Return a protocol for one connection."""
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = CappedRequest
        return protocol


class LettaServer(Server):
    """Listens on one address, begins the product's own work, and says when it is ready."""

    def __init__(
        self, application: Any, *, endpoint: str, begin: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(
            application,
            endpoints=[endpoint],
            http_timeout=None,  # an answer may stream for hours
            request_buffer_size=64 * 1024,
            websocket_handshake_timeout=10,
            application_close_timeout=10,
            server_name="",
            verbosity=0,
        )
        self.begin = begin
        self.failure = ""

    def run(self, *, ready: Callable[[], None]) -> None:
        """Serve until stopped. `failure` then tells why it could not, if it could not."""
        daphne.server.HTTPFactory = CappedFactory  # Daphne has no other place to say so
        reactor.callWhenRunning(lambda: asyncio.ensure_future(self._begin(ready)))
        super().run()

    async def _begin(self, ready: Callable[[], None]) -> None:
        await self.begin()
        ready()

    def listen_error(self, failure: Any) -> None:
        """Remember why it cannot listen, and stop."""
        self.failure = failure.getErrorMessage()
        self.stop()

    def kill_all_applications(self) -> Any:
        """End what is under way; connections that wait for their next request have nothing."""
        busy = {key: one for key, one in self.connections.items() if "application_instance" in one}
        self.connections = busy
        return super().kill_all_applications()
