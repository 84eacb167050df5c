"""The way of a tool's own requests to the API: in this process, in the name of its agent."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from letta_site.auth import GUEST
from letta_site.core.types import Actor

SECRETS = frozenset(("secrets", "tool_exec_environment_variables"))
MAX_ANSWER_BYTES = 4 * 1024 * 1024

Json = dict[str, Any]
Message = MutableMapping[str, Any]
App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


async def carry_out(app: App, actor: Actor, asked: Json) -> Json:
    """Have the API answer {"method", "path", "body", "type"} with {"status", "type", "body"}.

    Who asks is not said by a token: it goes with the request, where no other request has it.
    """
    body = str(asked.get("body") or "").encode("utf-8", "surrogateescape")
    answer = _Answer(body)
    await app(_scope(actor, asked, len(body)), answer.receive, answer.send)
    return answer.whole()


class _Answer:
    """The two ends of one exchange."""

    def __init__(self, body: bytes) -> None:
        self._asked: Message | None = {"type": "http.request", "body": body, "more_body": False}
        self._start: Message = {"status": 500, "headers": []}
        self._body = bytearray()

    async def receive(self) -> Message:
        """Give the request once, then nothing: who asks does not leave before the answer."""
        if self._asked is None:
            await asyncio.Event().wait()
        asked, self._asked = self._asked or {}, None
        return asked

    async def send(self, message: Message) -> None:
        """Take a piece of the answer."""
        if message["type"] == "http.response.start":
            self._start = message
        elif len(self._body) <= MAX_ANSWER_BYTES:
            self._body += message.get("body", b"")

    def whole(self) -> Json:
        """Return the answer, or one that says that it was too long."""
        headers = {bytes(name).lower(): bytes(value) for name, value in self._start["headers"]}
        kind = headers.get(b"content-type", b"application/json").decode("latin-1")
        if len(self._body) > MAX_ANSWER_BYTES:
            said = '{"detail":"TOO_LARGE: The answer is too long for a tool; ask for less."}'
            return {"status": 413, "type": "application/json", "body": said}
        text = _without_secrets(self._body.decode("utf-8", "surrogateescape"))
        return {"status": self._start["status"], "type": kind, "body": text}


def _without_secrets(text: str) -> str:
    """Return JSON text with the values of all agents' secrets left out."""
    if not any(f'"{name}"' in text for name in SECRETS):
        return text
    return json.dumps(json.loads(text, object_hook=_blank))


def _blank(value: Json) -> Json:
    for name in SECRETS & value.keys():
        if isinstance(value[name], list):
            value[name] = [{**row, "value": ""} for row in value[name]]
    return value


def _scope(actor: Actor, asked: Json, length: int) -> Message:
    path, _, query = str(asked["path"]).partition("?")
    headers = [(b"host", b"localhost"), (b"content-length", str(length).encode())]
    if kind := asked.get("type"):
        headers.append((b"content-type", str(kind).encode("latin-1", "replace")))
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": str(asked["method"]).upper(),
        "path": unquote(path),
        "raw_path": path.encode("ascii", "replace"),
        "query_string": query.encode("ascii", "replace"),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 0),
        "server": ("localhost", 80),
        GUEST: actor,
    }
