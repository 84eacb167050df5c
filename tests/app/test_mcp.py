"""MCP servers: real ones on loopback, one of each transport, well behaved and not."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from agents.mcp import sessions
from agents.models import McpServer, Tool
from letta_site.core.types import Actor
from tests.app.company import make
from tests.app.conftest import Api
from tests.app.posting import play as play_alone
from tests.app.posting import post, send
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI
from tests.product import ROOT, free_port

pytestmark = pytest.mark.django_db(transaction=True)

MODULE = ("-m", "tests.fakes.mcp_server")
TOOLS = {"add", "fail", "slow", "huge", "die", "picture", "headers", "variable"}


@dataclass
class Served:
    """A running server: where it is, over either transport."""

    process: subprocess.Popen[bytes]
    port: int
    sse_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    @property
    def sse_url(self) -> str:
        return f"http://127.0.0.1:{self.sse_port}/sse"

    def config(self, kind: str, **more: Any) -> dict[str, Any]:
        url = self.sse_url if kind == "sse" else self.url
        return {"mcp_server_type": kind, "server_url": url, **more}


def start(port: int, sse_port: int) -> Served:
    command = [sys.executable, *MODULE, "http", str(port), str(sse_port)]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=ROOT, stdout=quiet, stderr=quiet)
    for one in (port, sse_port):
        await_port(one)
    return Served(process, port, sse_port)


def await_port(port: int) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"nothing came up at port {port}")


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Served]:
    served = start(free_port(), free_port())
    yield served
    served.process.kill()
    served.process.wait()


@pytest.fixture
def doomed(request: pytest.FixtureRequest) -> Iterator[Served]:
    """A server of this test alone, which may kill it."""
    served = start(free_port(), free_port())
    yield served
    served.process.kill()
    served.process.wait()


def play(scenario: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run a scenario on a loop of its own, and end its sessions before the loop ends."""

    async def whole() -> Any:
        try:
            return await scenario()
        finally:
            await sessions.close_all()

    return play_alone(whole)


async def ask(method: str, path: str, body: Any = None) -> Any:
    from django.test import AsyncClient

    data = b"" if body is None else json.dumps(body)
    client = AsyncClient()
    return await client.generic(method, path, data, content_type="application/json")


def stdio() -> dict[str, Any]:
    return {"mcp_server_type": "stdio", "command": sys.executable, "args": list(MODULE) + ["stdio"]}


def allow(settings: Any) -> None:
    settings.MCP_COMMANDS = [f"{sys.executable} {' '.join(MODULE)}"]


async def add(config: Any, name: str = "mine") -> Any:
    answer = await ask("POST", "/v1/mcp-servers/", {"server_name": name, "config": config})
    assert answer.status_code == 200, answer.content
    return answer.json()


async def run(server: Any, tool_name: str, **args: Any) -> Any:
    """Call a tool by its id and return the response."""
    tools = (await ask("GET", f"/v1/mcp-servers/{server['id']}/tools")).json()
    tool = next(one for one in tools if one["name"] == tool_name)
    path = f"/v1/mcp-servers/{server['id']}/tools/{tool['id']}/run"
    return await ask("POST", path, {"args": args})


def kinds(served: Served, settings: Any) -> list[Any]:
    allow(settings)
    return [served.config("streamable_http"), served.config("sse"), stdio()]


# --- every transport ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [0, 1, 2], ids=["streamable_http", "sse", "stdio"])
def test_a_server_of_each_transport_is_synced_and_its_tools_run(
    api: Api, shared_server: Served, settings: Any, kind: int
) -> None:
    config = kinds(shared_server, settings)[kind]

    async def scenario() -> None:
        server = await add(config)
        assert server["server_name"] == "mine"
        assert server["mcp_server_type"] == config["mcp_server_type"]
        tools = (await ask("GET", f"/v1/mcp-servers/{server['id']}/tools")).json()
        assert {tool["name"] for tool in tools} == TOOLS
        assert {tool["tool_type"] for tool in tools} == {"external_mcp"}
        assert tools[0]["tags"] == ["mcp:mine"]
        done = (await run(server, "add", a=2, b=3)).json()
        assert (done["status"], done["func_return"]) == ("success", "5")

    play(scenario)


def test_the_older_dialect_adds_lists_runs_and_removes_by_name(
    api: Api, shared_server: Served
) -> None:
    async def scenario() -> None:
        body = {"server_name": "old", "type": "streamable_http", "server_url": shared_server.url}
        root = "/v1/tools/mcp/servers"
        tried = (await ask("POST", f"{root}/test", body)).json()
        assert TOOLS < {tool["name"] for tool in tried["tools"]}
        assert (await ask("GET", root)).json() == {}
        added = (await ask("PUT", root, body)).json()
        assert [one["server_name"] for one in added] == ["old"]
        assert added[0]["type"] == "streamable_http"
        assert list((await ask("GET", root)).json()) == ["old"]
        offered = (await ask("GET", f"{root}/old/tools")).json()
        health = {tool["name"]: tool["health"]["status"] for tool in offered}
        assert health["odd"] == "INVALID"
        assert health["fail"] == "STRICT_COMPLIANT"
        assert health["add"] == "NON_STRICT_ONLY"
        registered = (await ask("POST", f"{root}/old/add")).json()
        assert registered["name"] == "add"
        done = (await ask("POST", f"{root}/old/tools/add/execute", {"args": {"a": 4}})).json()
        assert done["func_return"] == "5"
        patched = (await ask("PATCH", f"{root}/old", {"token": "s3cret-token"})).json()
        assert patched["auth_token"] == "********"
        assert (await ask("POST", f"{root}/old/resync")).status_code == 200
        assert (await ask("DELETE", f"{root}/old")).json() == []
        assert (await ask("GET", f"{root}/old/tools")).status_code == 404

    play(scenario)


@pytest.mark.parametrize("kind", ["streamable_http", "sse"])
def test_a_kind_that_older_clients_leave_out_is_told_by_the_address(
    api: Api, shared_server: Served, kind: str
) -> None:
    url = shared_server.config(kind)["server_url"]

    async def scenario() -> Any:
        body = {"server_name": "old", "server_url": url}
        return (await ask("PUT", "/v1/tools/mcp/servers", body)).json()

    assert play(scenario)[0]["type"] == kind
    assert Tool.objects.filter(name="add").exists()


# --- in the loop -------------------------------------------------------------------------------


def test_an_agent_calls_a_tool_of_a_server(
    api: Api, openai: FakeOpenAI, shared_server: Served
) -> None:
    play(lambda: add(shared_server.config("streamable_http")))
    tool = Tool.objects.get(name="add")
    agent = make(api, tool_ids=[tool.id])
    openai.push(Reply(calls=[Call("add", {"a": "20", "b": 22})]), Reply("It is 42."))
    answer = send(agent["id"], {"messages": [{"role": "user", "content": "add"}]}).json()
    returned = [one for one in answer["messages"] if one["message_type"] == "tool_return_message"]
    assert [(one["status"], one["tool_return"]) for one in returned] == [("success", "42")]
    asked = {one["function"]["name"]: one["function"] for one in openai.chats[0]["tools"]}
    assert asked["add"]["parameters"]["properties"]["a"]["type"] == "integer"


def test_a_tool_of_a_server_that_is_down_is_an_error_the_agent_reads(
    api: Api, openai: FakeOpenAI, doomed: Served
) -> None:
    play(lambda: add(doomed.config("streamable_http")))
    doomed.process.kill()
    doomed.process.wait()
    agent = make(api, tool_ids=[Tool.objects.get(name="add").id])
    openai.push(Reply(calls=[Call("add", {"a": 1})]), Reply("It is down."))
    answer = send(agent["id"], {"messages": [{"role": "user", "content": "add"}]}).json()
    returned = next(m for m in answer["messages"] if m["message_type"] == "tool_return_message")
    assert returned["status"] == "error"
    assert "127.0.0.1" in returned["tool_return"]
    assert answer["stop_reason"]["stop_reason"] == "end_turn"
    assert "connection" in McpServer.objects.get().last_error


def test_secrets_of_an_agent_fill_in_the_headers(
    api: Api, shared_server: Served, openai: FakeOpenAI
) -> None:
    headers = {"X-Team": "{{ TEAM | blue }}", "X-Plain": "plain-secret"}
    config = shared_server.config(
        "streamable_http", auth_token="{{ TOKEN | none }}", custom_headers=headers
    )
    server = play(lambda: add(config))
    assert server["custom_headers"] == {"X-Team": "********", "X-Plain": "********"}
    assert "plain-secret" not in McpServer.objects.get().sealed_secrets
    tool = Tool.objects.get(name="headers")
    agent = make(api, tool_ids=[tool.id], secrets={"TOKEN": "t-1"})
    path = f"/v1/agents/{agent['id']}/tools/headers/run"
    seen = json.loads(play(lambda: post(path, {"args": {}})).json()["func_return"])
    assert seen["authorization"] == "Bearer t-1"
    assert (seen["x-team"], seen["x-plain"]) == ("blue", "plain-secret")


def test_a_cancelled_run_does_not_wait_for_a_slow_tool(
    api: Api, openai: FakeOpenAI, shared_server: Served, settings: Any
) -> None:
    settings.MCP_TIMEOUT_S = 170

    play(lambda: add(shared_server.config("streamable_http")))
    agent = make(api, tool_ids=[Tool.objects.get(name="slow").id])
    openai.push(Reply(calls=[Call("slow", {"seconds": 170})]))
    path = f"/v1/agents/{agent['id']}/messages"

    async def scenario() -> Any:
        body = {"messages": [{"role": "user", "content": "wait"}]}
        sending = asyncio.create_task(post(path, body))
        while not openai.chats:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        await post(f"{path}/cancel", {})
        return (await sending).json()

    assert play(scenario)["stop_reason"]["stop_reason"] == "cancelled"


# --- awkward servers ---------------------------------------------------------------------------


def test_a_server_that_is_down_is_stored_and_says_so(api: Api) -> None:
    async def scenario() -> None:
        url = f"http://127.0.0.1:{free_port()}/mcp"
        server = await add({"mcp_server_type": "streamable_http", "server_url": url})
        status = (await ask("GET", f"/v1/mcp-servers/{server['id']}/status")).json()
        assert status["last_success_at"] is None
        assert url in status["last_error"]
        refused = await ask("PATCH", f"/v1/mcp-servers/{server['id']}/refresh")
        assert refused.status_code == 502
        assert refused.json()["error"]["type"] == "mcp_connection_error"
        assert refused["x-should-retry"] == "false"
        assert len((await ask("GET", "/v1/mcp-servers/")).json()) == 1

    play(scenario)


@pytest.mark.parametrize("kind", [0, 1, 2], ids=["streamable_http", "sse", "stdio"])
def test_a_slow_call_is_given_up_and_disturbs_no_other(
    api: Api, shared_server: Served, settings: Any, kind: int
) -> None:
    config = kinds(shared_server, settings)[kind]

    async def scenario() -> None:
        server = await add(config)
        settings.MCP_TIMEOUT_S = 3
        slow, quick = await asyncio.gather(
            run(server, "slow", seconds=30), run(server, "slow", seconds=0.5)
        )
        assert slow.status_code == 408
        assert quick.json()["func_return"] == "done"
        assert (await run(server, "add", a=1)).json()["func_return"] == "2"

    play(scenario)


@pytest.mark.parametrize("kind", [0, 1, 2], ids=["streamable_http", "sse", "stdio"])
def test_a_server_that_dies_during_a_call_fails_that_call(
    api: Api, doomed: Served, settings: Any, kind: int
) -> None:
    config = kinds(doomed, settings)[kind]

    async def scenario() -> None:
        server = await add(config)
        settings.MCP_TIMEOUT_S = 8
        died = await run(server, "die")
        assert died.status_code in (408, 502)
        after = await run(server, "add", a=1)
        if kind == 2:  # a program is started anew
            assert after.json()["func_return"] == "2"
        else:
            assert after.status_code == 502

    play(scenario)


def test_errors_pictures_and_huge_answers_are_text(api: Api, shared_server: Served) -> None:
    async def scenario() -> None:
        server = await add(shared_server.config("streamable_http"))
        failed = (await run(server, "fail")).json()
        assert (failed["status"], failed["func_return"]) == ("error", None)
        assert failed["stderr"][0].startswith("Error: ")
        shown = (await run(server, "picture")).json()["func_return"]
        assert shown == "look:\n[image: image/png, 1 kB, not shown]"
        large = (await run(server, "huge", chars=300_000)).json()["func_return"]
        assert len(large) == 300_000
        larger = await run(server, "huge", chars=20_000_000)
        assert larger.status_code == 502
        assert (await run(server, "add", a=1)).json()["func_return"] == "2"

    play(scenario)


def test_a_schema_that_nobody_can_use_is_left_out_and_told(api: Api, shared_server: Served) -> None:
    async def scenario() -> None:
        server = await add(shared_server.config("streamable_http"))
        status = (await ask("GET", f"/v1/mcp-servers/{server['id']}/status")).json()
        assert [one["name"] for one in status["refused_tools"]] == ["odd"]
        await ask("PATCH", "/v1/tools/mcp/servers/mine", {"server_name": "other"})
        refused = await ask("POST", "/v1/tools/mcp/servers/other/odd")
        assert refused.status_code == 400

    play(scenario)
    schema = Tool.objects.get(name="add").json_schema
    assert schema["mcp:SCHEMA_STATUS"] == "NON_STRICT_ONLY"
    assert "b is optional" in schema["mcp:SCHEMA_WARNINGS"][0]
    assert schema["parameters"]["additionalProperties"] is False
    assert Tool.objects.get(name="add").tags == ["mcp:other"]


# --- what is refused ---------------------------------------------------------------------------


def test_commands_are_refused_unless_the_operator_names_them(api: Api, settings: Any) -> None:
    def create(**changes: Any) -> Any:
        body = {"server_name": "cmd", "config": {**stdio(), **changes}}
        return api.send("POST", "/v1/mcp-servers/", body)

    settings.MCP_COMMANDS = []
    assert create().status_code == 400
    allow(settings)
    assert create(args=["-c", "pass"]).status_code == 400
    assert create(command="/bin/sh").status_code == 400
    assert create(env={"PYTHONPATH": "/tmp"}).status_code == 400
    assert not McpServer.objects.exists()


def test_a_command_that_is_no_longer_allowed_is_not_started(api: Api, settings: Any) -> None:
    allow(settings)

    async def scenario() -> None:
        server = await add(stdio())
        await sessions.close_all()
        settings.MCP_COMMANDS = []
        refused = await ask("PATCH", f"/v1/mcp-servers/{server['id']}/refresh")
        assert refused.status_code == 502
        assert "switched off" in refused.json()["error"]["message"]

    play(scenario)


@pytest.mark.parametrize("url", ["http://10.0.0.1/mcp", "http://169.254.169.254/", "http://[::]/"])
def test_private_addresses_are_not_entered(
    api: Api, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(host: str, _port: int) -> list[str]:
        return [host]

    monkeypatch.setattr("letta_site.core.fetch._resolve", resolve)

    async def scenario() -> None:
        await add({"mcp_server_type": "streamable_http", "server_url": url})

    play(scenario)
    assert "private network" in McpServer.objects.get().last_error


def test_loopback_needs_leave_where_others_come_in(
    api: Api, settings: Any, shared_server: Served
) -> None:
    settings.MCP_REACH = "public"
    play(lambda: add(shared_server.config("streamable_http")))
    assert "private network" in McpServer.objects.get().last_error


@pytest.mark.parametrize(
    ("config", "status"),
    [
        ({"mcp_server_type": "carrier_pigeon"}, 422),
        ({"mcp_server_type": "sse"}, 422),
        ({"mcp_server_type": "sse", "server_url": "http://a/", "surplus": 1}, 422),
        ({"mcp_server_type": "sse", "server_url": "file:///a"}, 400),
        ({"mcp_server_type": "sse", "server_url": "http://u:p@a"}, 400),
    ],
)
def test_what_is_not_a_server_is_refused(api: Api, config: Any, status: int) -> None:
    body = {"server_name": "x", "config": config}
    assert api.send("POST", "/v1/mcp-servers/", body).status_code == status


def test_a_name_belongs_to_one_server_of_an_organisation(
    api: Api, stranger: Actor, shared_server: Served
) -> None:
    McpServer.objects.create(org_id=stranger.org_id, name="mine", kind="sse", url="http://a/")

    async def scenario() -> None:
        await add(shared_server.config("sse"))
        body = {"server_name": "mine", "config": shared_server.config("sse")}
        assert (await ask("POST", "/v1/mcp-servers/", body)).status_code == 409

    play(scenario)


def test_servers_of_another_organisation_are_not_there(api: Api, stranger: Actor) -> None:
    row = McpServer.objects.create(org_id=stranger.org_id, name="far", kind="sse", url="http://a/")
    path = f"/v1/mcp-servers/{row.id}"
    change = {"config": {"mcp_server_type": "sse", "server_url": "http://b/"}}

    async def scenario() -> None:
        for method, end, body in [
            ("GET", "", None),
            ("PATCH", "", change),
            ("DELETE", "", None),
            ("GET", "/tools", None),
            ("GET", "/status", None),
            ("PATCH", "/refresh", None),
        ]:
            assert (await ask(method, path + end, body)).status_code == 404, (method, end)
        assert (await ask("GET", f"/v1/mcp-servers/connect/{row.id}")).status_code == 404
        assert (await ask("GET", "/v1/mcp-servers/")).json() == []
        assert (await ask("GET", "/v1/tools/mcp/servers/far/tools")).status_code == 404
        assert (await ask("DELETE", "/v1/tools/mcp/servers/far")).status_code == 404

    play(scenario)


def test_tools_go_with_their_server(api: Api, shared_server: Served) -> None:
    async def scenario() -> None:
        server = await add(shared_server.config("sse"))
        gone = await ask("DELETE", f"/v1/mcp-servers/{server['id']}")
        assert (gone.status_code, gone.content) == (204, b"")

    play(scenario)
    assert not Tool.objects.filter(tool_type="external_mcp").exists()


def test_a_name_that_is_taken_is_lengthened_and_still_called_by_its_own(
    api: Api, shared_server: Served
) -> None:
    source = (
        'def add(a: int) -> int:\n    """Add.\n\n    Args:\n        a: it\n    """\n    return a\n'
    )
    assert api.send("POST", "/v1/tools/", {"source_code": source}).status_code == 200

    async def scenario() -> None:
        server = await add(shared_server.config("sse"))
        assert (await run(server, "mine_add", a=1)).json()["func_return"] == "2"

    play(scenario)
    clash = source.replace("def add", "def mine_add")
    assert api.send("POST", "/v1/tools/", {"source_code": clash}).status_code == 400
