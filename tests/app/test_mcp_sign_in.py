"""MCP servers that ask for a sign-in: the flow from its first event to a refreshed token."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from agents.mcp import sessions
from agents.models import McpSignIn
from tests.app.conftest import Api
from tests.app.test_mcp import add, ask, await_port, play, run
from tests.product import ROOT, free_port

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def guarded_url() -> Iterator[str]:
    port, quiet = free_port(), subprocess.DEVNULL
    command = [sys.executable, "-m", "tests.fakes.mcp_with_sign_in", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=quiet, stderr=quiet)
    await_port(port)
    yield f"http://127.0.0.1:{port}/mcp"
    process.kill()
    process.wait()


async def sign_in(answer: Any, *, accept: bool = True) -> list[dict[str, Any]]:
    """Follow the stream of a connection, and do what its person would do."""
    events = []
    async for frame in answer.streaming_content:
        event = json.loads(frame.decode().removeprefix("data: "))
        events.append(event)
        if event["event"] == "authorization_url":
            await come_back(event, accept=accept)
    return events


async def come_back(event: dict[str, Any], *, accept: bool) -> None:
    if not accept:
        path = f"/v1/tools/mcp/oauth/callback?state={event['session_id']}&error=access_denied"
        assert (await ask("GET", path)).status_code == 200
        return
    async with httpx2.AsyncClient(trust_env=False) as browser:
        sent_back = await browser.get(event["url"])
    target = urlsplit(sent_back.headers["location"])
    assert (await ask("GET", f"{target.path}?{target.query}")).status_code == 200


def test_a_sign_in_is_followed_kept_and_refreshed(api: Api, guarded_url: str) -> None:
    async def scenario() -> None:
        server = await add({"mcp_server_type": "streamable_http", "server_url": guarded_url})
        path = f"/v1/mcp-servers/{server['id']}"
        status = (await ask("GET", f"{path}/status")).json()
        assert "sign-in" in status["last_error"]
        events = await sign_in(await ask("GET", f"/v1/mcp-servers/connect/{server['id']}"))
        assert [event["event"] for event in events] == [
            "connection_attempt",
            "oauth_required",
            "authorization_url",
            "waiting_for_auth",
            "success",
        ]
        assert events[-1]["tools"][0]["name"] == "open_sesame"
        assert (await run(server, "open_sesame")).json()["func_return"] == "open"
        await sessions.close_all()
        await asyncio.to_thread(time.sleep, 1.1)  # the token is good for one second
        assert (await run(server, "open_sesame")).json()["func_return"] == "open"

    play(scenario)
    kept = McpSignIn.objects.get()
    assert kept.content["tokens"]["access_token"] not in kept.sealed


def test_a_sign_in_that_is_declined_ends_with_an_error(api: Api, guarded_url: str) -> None:
    body = {"server_name": "x", "type": "streamable_http", "server_url": guarded_url}

    async def scenario() -> None:
        answer = await ask("POST", "/v1/tools/mcp/servers/connect", body)
        events = await sign_in(answer, accept=False)
        assert events[-1]["event"] == "error"
        assert "access_denied" in events[-1]["message"]

    play(scenario)
    assert not McpSignIn.objects.exists()


def test_nobody_comes_back_to_a_sign_in_that_is_not_waiting(api: Api) -> None:
    answer = play(lambda: ask("GET", "/v1/tools/mcp/oauth/callback?state=guessed&code=1"))
    assert answer.status_code == 404
