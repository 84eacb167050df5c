"""Agents that work together, in tests: making them, and waiting until all have done their work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from agents.models import Run
from letta_site.core.aio import in_db
from tests.app.conftest import Api
from tests.app.posting import play, post

MODEL = "openai/gpt-4o-mini"


def make(api: Api, **body: Any) -> Any:
    """Create an agent and return it."""
    answer = api.send("POST", "/v1/agents/", {"model": MODEL, **body})
    assert answer.status_code == 200, answer.content
    return answer.json()


def fetch(api: Api, path: str, status: int = 200) -> Any:
    """Return what is at a path."""
    answer = api.get(f"/v1/{path}")
    assert answer.status_code == status, answer.content
    return answer.json()


async def settle() -> None:
    """Wait until no run is waiting or under way."""

    def active() -> bool:
        return Run.objects.filter(status__in=("created", "running")).exists()

    while await in_db(active):
        await asyncio.sleep(0.02)


def say(path: str, text: str = "hello", **body: Any) -> Any:
    """Send to an agent or a group, wait for all that follows, and return the answer."""

    async def scenario() -> Any:
        given = {"messages": [{"role": "user", "content": text}], **body}
        answer = await post(f"/v1/{path}/messages", given)
        await settle()
        return answer

    return play(scenario)


def together(*scenarios: Callable[[], Awaitable[Any]]) -> list[Any]:
    """Play scenarios at the same time, and wait for all that follows."""

    async def scenario() -> list[Any]:
        done = await asyncio.gather(*(one() for one in scenarios))
        await settle()
        return list(done)

    found: list[Any] = play(scenario)
    return found


def names(agent: Any) -> list[str]:
    """Return the names of an agent's tools."""
    return [tool["name"] for tool in agent["tools"]]


def texts(request: Any) -> list[str]:
    """Return what the messages of a chat request say, in order."""
    return [str(row.get("content") or "") for row in request["messages"]]
