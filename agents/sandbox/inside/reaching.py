"""A `client` for tools: Letta's own Python client, whose requests go through the channel.

No network is needed for it, and no token comes in here: the server makes the requests itself.
"""

import importlib
import socket
import threading
from typing import Any

from agents.sandbox.inside import frames

BASE_URL = "http://letta.internal"


def client_over(line: socket.socket) -> Any:
    """Return a client of either generation, None where letta_client cannot be imported."""
    try:
        letta_client = importlib.import_module("letta_client")
        httpx = importlib.import_module("httpx")
    except ImportError:
        return None
    http = httpx.Client(transport=_transport(httpx, line))
    try:
        return letta_client.Letta(base_url=BASE_URL, api_key="none", http_client=http)
    except TypeError:  # the old generation
        return letta_client.Letta(base_url=BASE_URL, token="none", httpx_client=http)


def _transport(httpx: Any, line: socket.socket) -> Any:
    one_at_a_time = threading.Lock()

    class Channel(httpx.BaseTransport):  # type: ignore[misc]  # known only when it is installed
        """Hands requests to the server one by one."""

        def handle_request(self, request: Any) -> Any:
            asked = {
                "method": request.method,
                "path": request.url.raw_path.decode("ascii"),
                "body": request.read().decode("utf-8", "surrogateescape"),
                "type": request.headers.get("content-type", ""),
            }
            with one_at_a_time:
                line.sendall(frames.pack({"request": asked}))
                answer = frames.read(line)
            return httpx.Response(
                answer["status"],
                headers={"content-type": answer["type"]},
                content=answer["body"].encode("utf-8", "surrogateescape"),
            )

    return Channel()
