"""Sending messages in tests: the loop lives as long as the answer, and everything is read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from django.test import AsyncClient

LIMIT_S = 60  # a bound for what hangs, not a measurement


def play(scenario: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run a scenario on a loop of its own."""
    return asyncio.run(asyncio.wait_for(scenario(), LIMIT_S))


async def post(path: str, body: Any, *, method: str = "POST", **headers: str) -> Any:
    """Send JSON; headers as names with underscores."""
    shown = {name.replace("_", "-"): value for name, value in headers.items()}
    # As Django's own handler does for each request; without it all of them share one thread.
    async with ThreadSensitiveContext():
        return await AsyncClient().generic(
            method, path, json.dumps(body), content_type="application/json", headers=shown
        )


def send(agent_id: str, body: Any, **headers: str) -> Any:
    """Send to an agent and return the response."""
    return play(lambda: post(f"/v1/agents/{agent_id}/messages", body, **headers))


@dataclass
class Stream:
    """A stream that has ended."""

    status: int
    raw: bytes

    @property
    def lines(self) -> list[str]:
        return self.raw.decode("ascii").split("\n\n")[:-1]

    @property
    def frames(self) -> list[dict[str, Any]]:
        data = [line.partition("data: ")[2] for line in self.lines if "data: " in line]
        return [json.loads(text) for text in data if text != "[DONE]"]

    @property
    def types(self) -> list[str]:
        return [frame["message_type"] for frame in self.frames]

    def of_type(self, message_type: str) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame["message_type"] == message_type]


async def read(response: Any) -> Stream:
    """Read a streaming response to its end."""
    raw = b"".join([piece async for piece in response.streaming_content])
    return Stream(response.status_code, raw)


def stream(agent_id: str, body: Any, *, path: str = "messages/stream", **headers: str) -> Stream:
    """Send to an agent and return the whole stream."""

    async def scenario() -> Stream:
        return await read(await post(f"/v1/agents/{agent_id}/{path}", body, **headers))

    found: Stream = play(scenario)
    return found
