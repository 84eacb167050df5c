"""When something goes wrong: the caller learns what, and nothing is lost or left hanging."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.driving import Client, ClientError
from tests.contract.samples import agent_fields, kinds, user
from tests.fakes.openai_replies import Failure, Reply, error_body, rate_limited
from tests.fakes.openai_server import FakeOpenAI
from tests.product import Product

OUTAGE = Failure(503, error_body("The engine is overloaded."))
WRONG_KEY = Failure(401, error_body("Incorrect API key provided.", code="invalid_api_key"))


def api(server: Product, path: str, body: Any = None, method: str = "") -> tuple[int, Any]:
    """Return status and body; a body given as bytes is sent as it is."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    url = server.url + path
    request = urllib.request.Request(url, data=data, headers=headers, method=method or None)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


@pytest.mark.parametrize(
    ("failure", "status"), [(WRONG_KEY, 401), (rate_limited(0), 429), (OUTAGE, 502)]
)
def test_provider_failures_keep_their_meaning(
    letta_server: Product, fake_openai: FakeOpenAI, failure: Failure, status: int
) -> None:
    fake_openai.answer_with(lambda request: failure)
    _, agent = api(letta_server, "/v1/agents/", agent_fields())
    path = f"/v1/agents/{agent['id']}/messages"
    got, body = api(letta_server, path, {"messages": user("hello")})
    assert got == status or (status == 502 and got in (500, 503)), body
    assert "openai" in json.dumps(body).lower()
    fake_openai.reset()
    got, body = api(letta_server, path, {"messages": user("and now?")})
    assert (got, kinds(body["messages"])) == (200, ["assistant_message"])
    history = str(fake_openai.chats[-1]["messages"])
    assert "hello" in history and "and now?" in history


@pytest.mark.parametrize("answer", [OUTAGE, Reply("one two three four", cut_after=3)])
def test_failing_stream_ends(
    client: Client, agent: dict[str, Any], fake_openai: FakeOpenAI, answer: Reply | Failure
) -> None:
    fake_openai.answer_with(lambda request: answer)
    fields = {"agent_id": agent["id"], "messages": user("hello"), "stream_tokens": True}
    try:
        frames = client.call("messages.stream", **fields)
    except ClientError as error:
        assert "Parse" not in error.kind and "Validation" not in error.kind
        assert not client.is_old  # an error frame would break the old TypeScript client
    else:
        stops = [f["stop_reason"] for f in frames if f["message_type"] == "stop_reason"]
        assert stops and stops[0] not in ("end_turn", "max_steps")
    fake_openai.reset()
    response = client.call("messages.create", agent_id=agent["id"], messages=user("again"))
    assert kinds(response["messages"]) == ["assistant_message"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/agents/", b"{not json", 422),
        ("/v1/agents/", {"memory_blocks": "none"}, 422),
        ("/v1/agents/", b"[" + b"9," * 9_000_000 + b"9]", 413),
        ("/v1/nothing/", {}, 404),
    ],
)
def test_bad_requests_are_refused(letta_server: Product, path: str, body: Any, status: int) -> None:
    got, answer = api(letta_server, path, body)
    assert got == status
    assert answer["detail"]


@pytest.fixture
def bare_server(tmp_path: Path) -> Iterator[Product]:
    """A server of this test's own, without any provider key."""
    product = Product(tmp_path / "bare")
    product.start()
    yield product
    product.stop()


def test_without_a_key_the_demo_model_works_and_others_say_what_is_missing(
    bare_server: Product,
) -> None:
    fields = agent_fields(model="letta/demo", embedding=None)
    status, agent = api(bare_server, "/v1/agents/", fields)
    assert status == 200, agent
    path = f"/v1/agents/{agent['id']}"
    status, body = api(bare_server, f"{path}/messages", {"messages": user("My name is Wendy.")})
    assert status == 200 and kinds(body["messages"])[-1] == "assistant_message"
    api(bare_server, path, {"model": "openai/gpt-4o-mini"}, method="PATCH")
    status, body = api(bare_server, f"{path}/messages", {"messages": user("hello")})
    assert status >= 400 and "OPENAI_API_KEY" in json.dumps(body)


@pytest.fixture
def own_server(tmp_path: Path, fake_openai: FakeOpenAI) -> Iterator[Product]:
    """A server that the test may kill."""
    environment = {"OPENAI_BASE_URL": fake_openai.base_url, "OPENAI_API_KEY": "sk-test"}
    product = Product(tmp_path / "own", environment)
    product.start()
    yield product
    product.stop()


def test_killed_in_the_middle_of_an_answer(own_server: Product, fake_openai: FakeOpenAI) -> None:
    """After kill -9 the agent and what was said are there, and it answers again."""
    _, agent = api(own_server, "/v1/agents/", agent_fields())
    path = f"/v1/agents/{agent['id']}/messages"
    assert api(own_server, path, {"messages": user("first")})[0] == 200
    fake_openai.push(Reply("a b c d e f g h i j", delay_s=1))
    status, run = api(own_server, f"{path}/async", {"messages": user("second")})
    assert status == 200, run
    own_server.stop(signal.SIGKILL)
    own_server.start()
    assert api(own_server, f"/v1/runs/{run['id']}")[0] == 200
    status, body = api(own_server, path, {"messages": user("third")})
    assert (status, kinds(body["messages"])) == (200, ["assistant_message"]), body
    assert api(own_server, f"/v1/runs/{run['id']}")[1]["status"] in ("completed", "failed")
    history = str(fake_openai.chats[-1]["messages"])
    assert "first" in history and "second" in history and "third" in history
