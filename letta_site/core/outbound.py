"""An HTTP transport for libraries that make their own requests: it goes through the same door.

Not imported at start: `httpx2` would slow it down.
"""

from collections.abc import AsyncIterator

import httpx2

from letta_site.core.errors import Invalid
from letta_site.core.fetch import Reach, judged_address

_STREAM = "text/event-stream"


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Connects to judged addresses only, and cuts off answers that are too long.

    Event streams are not measured: they last as long as a session does.
    """

    def __init__(self, reach: Reach, max_bytes: int) -> None:
        self._reach = reach
        self._max_bytes = max_bytes
        # One a host: a connection must not serve another name that has the same address.
        self._inner: dict[tuple[str, str, int | None], httpx2.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request to the address that its host was found at."""
        url = request.url
        address = await judged_address(str(url), self._reach)
        inner = self._inner.setdefault(
            (url.scheme, url.host, url.port), httpx2.AsyncHTTPTransport(trust_env=False)
        )
        response = await inner.handle_async_request(
            httpx2.Request(
                request.method,
                url.copy_with(host=address),
                headers=request.headers,  # with the Host that the URL names
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": url.host},
            )
        )
        if not response.headers.get("content-type", "").startswith(_STREAM):
            response.stream = _Measured(response.stream, self._max_bytes)
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        for inner in self._inner.values():
            await inner.aclose()


class _Measured(httpx2.AsyncByteStream):
    def __init__(self, stream: object, max_bytes: int) -> None:
        if not isinstance(stream, httpx2.AsyncByteStream):
            raise TypeError("a response without an asynchronous body")
        self._stream = stream
        self._max_bytes = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._max_bytes
        async for piece in self._stream:
            left -= len(piece)
            if left < 0:
                raise Invalid(f"The answer is larger than {self._max_bytes // 1024} kB.")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
