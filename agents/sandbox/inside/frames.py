"""Values on a socket: four bytes of length, then JSON. Never anything that builds objects."""

import json
import socket
from typing import Any

HEADER_BYTES = 4


def pack(value: Any, *, default: Any = None) -> bytes:
    """Return a value as a frame. Raises TypeError or ValueError for what JSON cannot say."""
    body = json.dumps(value, default=default).encode()
    return len(body).to_bytes(HEADER_BYTES, "big") + body


def read(stream: socket.socket) -> Any:
    """Return the next value. Raises EOFError when the other side has closed."""
    return json.loads(_exactly(stream, int.from_bytes(_exactly(stream, HEADER_BYTES), "big")))


def _exactly(stream: socket.socket, size: int) -> bytes:
    got = bytearray()
    while len(got) < size:
        piece = stream.recv(min(size - len(got), 1 << 20))
        if not piece:
            raise EOFError("the other side has closed")
        got += piece
    return bytes(got)
