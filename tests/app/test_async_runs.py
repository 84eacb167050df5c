"""Sends answered at once with a run, and the call back when it has ended."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from agents.models import Batch, Run
from agents.runtime import boot
from agents.services.callbacks import claim_ended_batch
from letta_site.core.aio import in_db
from letta_site.core.errors import Invalid
from letta_site.core.fetch import Limits, check_url, fetch, is_public
from tests.app.conftest import Api
from tests.app.posting import play, post
from tests.app.test_messages import HELLO, agent  # noqa: F401
from tests.fakes.openai_replies import Call, Failure, Reply, error_body
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)


class Hook:
    """Somebody's server, which remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.status = 200
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                hook.told.append(json.loads(self.rfile.read(size)))
                self.send_response(hook.status)
                self.send_header("Location", "http://127.0.0.1:1/")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/done"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.server.shutdown()
    made.server.server_close()


async def called_back(model: type[Run] | type[Batch]) -> None:
    """Wait until every callback of these rows has an outcome."""
    while await in_db(model.objects.filter(callback_status_code=None, callback_error=None).exists):
        await asyncio.sleep(0.02)


def run_async(agent_id: str, body: Any) -> Any:
    async def scenario() -> Any:
        response = await post(f"/v1/agents/{agent_id}/messages/async", body)
        await called_back(Run)
        return response.json()

    return play(scenario)


def test_the_result_is_posted_and_the_outcome_stored(
    api: Api,
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
    hook: Hook,
    settings: Any,
) -> None:
    settings.ALLOW_PRIVATE_CALLBACKS = True
    edit = Call("memory_insert", {"label": "human", "new_string": "Oslo."})
    openai.push(Reply(calls=(edit,)), "Done.")
    run = run_async(agent["id"], {"callback_url": hook.url, **HELLO})
    assert run["status"] in ("created", "running", "completed")
    (told,) = hook.told
    assert set(told) == {"run_id", "status", "completed_at", "metadata"}
    assert (told["run_id"], told["status"]) == (run["id"], "completed")
    result = told["metadata"]["result"]
    assert [one["message_type"] for one in result["messages"]] == [
        "tool_call_message",
        "tool_return_message",
        "assistant_message",
    ]
    assert result["stop_reason"]["stop_reason"] == "end_turn"
    assert result["usage"]["step_count"] == 2
    stored = api.get(f"/v1/runs/{run['id']}").json()
    assert (stored["callback_status_code"], stored["callback_error"]) == (200, None)
    assert stored["callback_sent_at"]


def test_a_failed_run_calls_back_too(
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
    hook: Hook,
    settings: Any,
) -> None:
    settings.ALLOW_PRIVATE_CALLBACKS = True
    hook.status = 302  # and is not followed
    openai.push(Failure(500, error_body("broken")))
    run_async(agent["id"], {"callback_url": hook.url, **HELLO})
    assert hook.told[0]["status"] == "failed"
    assert hook.told[0]["metadata"]["error"]
    assert Run.objects.get().callback_status_code == 302


def test_a_private_address_is_not_called(agent: Any, openai: FakeOpenAI, hook: Hook) -> None:  # noqa: F811
    run_async(agent["id"], {"callback_url": hook.url, **HELLO})
    assert hook.told == []
    run = Run.objects.get()
    assert (run.status, run.callback_status_code) == ("completed", None)
    assert "private network" in str(run.callback_error)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/", "nonsense", "http://a:b@c/"])
def test_what_is_no_callback_url(agent: Any, url: str) -> None:  # noqa: F811
    path = f"/v1/agents/{agent['id']}/messages/async"
    assert play(lambda: post(path, {"callback_url": url, **HELLO})).status_code == 422
    assert not Run.objects.exists()


def test_a_callback_that_was_due_is_made_after_a_restart(
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
    hook: Hook,
    settings: Any,
) -> None:
    settings.ALLOW_PRIVATE_CALLBACKS = True
    run_async(agent["id"], {"callback_url": hook.url, **HELLO})
    Run.objects.update(callback_status_code=None)

    async def scenario() -> None:
        await boot.start()
        while len(hook.told) < 2:
            await asyncio.sleep(0.02)
        await called_back(Run)

    play(scenario)


def test_one_run_of_a_batch_calls_back(agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    requests = [{"agent_id": agent["id"], "input": str(n)} for n in range(3)]

    async def scenario() -> None:
        await post("/v1/messages/batches", {"requests": requests})
        while await in_db(Run.objects.exclude(status="completed").exists):
            await asyncio.sleep(0.02)

    play(scenario)
    Batch.objects.update(callback_url="https://example.com/hook")
    ids = Run.objects.values_list("id", flat=True)
    assert [bool(claim_ended_batch(run_id)) for run_id in ids] == [True, False, False]


def test_a_batch_calls_back_once_at_its_end(
    api: Api,
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
    hook: Hook,
    settings: Any,
) -> None:
    settings.ALLOW_PRIVATE_CALLBACKS = True
    requests = [{"agent_id": agent["id"], "input": str(n)} for n in range(2)]
    body = {"requests": requests, "callback_url": hook.url}

    async def scenario() -> Any:
        made = (await post("/v1/messages/batches", body)).json()
        await called_back(Batch)
        return made

    made = play(scenario)
    assert hook.told == [{"job_id": made["id"], "status": "completed"}]
    shown = api.get(f"/v1/messages/batches/{made['id']}").json()
    assert shown["callback_status_code"] == 200


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("nonsense", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    "url",
    ["http://2130706433/", "http://0x7f000001/", "http://127.1/", "http://[::ffff:127.0.0.1]/"],
)
def test_disguised_addresses_are_seen_through(url: str, monkeypatch: Any) -> None:
    import socket

    monkeypatch.setattr("tests.network.is_loopback", lambda _: True)
    assert socket
    with pytest.raises(Invalid, match="private network"):
        asyncio.run(fetch(url, Limits(2, max_bytes=10)))


def test_an_address_is_checked_before_it_is_used() -> None:
    for url in ("http://", "https://user:x@host/", "http://host:99999/", "x" * 3000):
        with pytest.raises(Invalid):
            check_url(url)
