"""Custom tools, from their source to what an agent sees of a call."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.models import Run, Tool
from agents.runtime import runner
from agents.sandbox import folders as sandbox_folders
from agents.sandbox import walls
from agents.types import InputMessage, RunInput, TextPart
from letta_site.core.aio import in_db
from letta_site.core.types import Actor
from memory.models import Block, BlockVersion
from tests.app.company import fetch, make, settle
from tests.app.conftest import Api
from tests.app.posting import play, post, send
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(walls._found("auto") is None, reason="there is no sandbox here"),
]


def source(signature: str, body: str, returns: str = "str", **described: str) -> str:
    names = "\n".join(f"        {name}: {text}" for name, text in described.items())
    section = f"\n\n    Args:\n{names}\n    " if names else ""
    code = "\n".join(f"    {line}" for line in body.splitlines())
    return f'def {signature} -> {returns}:\n    """Do it.{section}"""\n{code}\n'


def create(api: Api, code: str, **body: Any) -> Any:
    response = api.send("POST", "/v1/tools/", {"source_code": code, **body})
    assert response.status_code == 200, response.content
    return response.json()


def agent_with(api: Api, code: str, agent: Any = None, **body: Any) -> tuple[Any, Any]:
    tool = create(api, code, **body)
    blocks = [{"label": "human", "value": "Bob"}, {"label": "persona", "value": "Kind."}]
    made = make(api, memory_blocks=blocks, tool_ids=[tool["id"]], **(agent or {}))
    return made, tool


def by_hand(agent: Any, name: str, **args: Any) -> Any:
    path = f"/v1/agents/{agent['id']}/tools/{name}/run"
    response = play(lambda: post(path, {"args": args}))
    assert response.status_code == 200, response.content
    return response.json()


def trial(code: str, args: Any, **body: Any) -> Any:
    return play(lambda: post("/v1/tools/run", {"source_code": code, "args": args, **body}))


# --- source that is tried without being stored --------------------------------------------------


def test_source_is_run_and_nothing_of_it_is_kept(api: Api) -> None:
    code = source("echo(x: str)", 'print("seen", x)\nreturn x + "!"', x="Text.")
    said = trial(code, {"x": "hey"}).json()
    assert (said["id"], said["tool_call_id"], said["message_type"]) == (
        "null",
        "null",
        "tool_return_message",
    )
    assert (said["tool_return"], said["status"]) == ("hey!", "success")
    assert (said["stdout"], said["stderr"]) == (["seen hey\n"], [])
    assert said["tool_returns"][0]["tool_return"] == "hey!"
    assert not Tool.objects.filter(name="echo").exists()


def test_what_a_tool_raises_is_told_with_its_lines(api: Api) -> None:
    code = source("boom(x: str)", 'raise ValueError("boom " + x)', x="Text.")
    said = trial(code, {"x": "1"}).json()
    assert said["status"] == "error"
    assert said["tool_return"] == "Error executing function boom: ValueError: boom 1"
    assert 'raise ValueError("boom " + x)' in said["stderr"][0]
    assert "agents" not in said["stderr"][0]


def test_arguments_that_do_not_fit(api: Api) -> None:
    said = trial(source("echo(x: str)", "return x", x="Text."), {}).json()
    assert said["status"] == "error"
    assert "missing 1 required positional argument: 'x'" in said["tool_return"]


@pytest.mark.parametrize(
    ("code", "body", "status", "text"),
    [
        ("def f(:", {}, 400, "Failed to parse source code"),
        ("x = 1", {}, 400, "No functions found"),
        ("", {}, 400, "missing source_code"),
        ("def f(): pass", {"name": "g"}, 400, "No function named g"),
        ("x" * 200_001, {}, 400, "200001 characters"),
        ("def f(): pass", {"source_type": "cobol"}, 400, "cobol"),
        ("def f(): pass", {"odd": 1}, 422, "odd"),
    ],
)
def test_source_that_is_not_even_run(
    api: Api, code: str, body: Any, status: int, text: str
) -> None:
    response = trial(code, {}, **body)
    assert (response.status_code, text in response.json()["detail"]) == (status, True)


def test_typescript_is_kept_but_not_run(api: Api) -> None:
    said = trial("function f() {}", {}, source_type="typescript").json()
    assert (said["status"], "typescript" in said["tool_return"]) == ("error", True)


def test_variables_are_given_to_this_call_alone(api: Api, monkeypatch: Any) -> None:
    monkeypatch.setenv("SERVER_SECRET", "canary")
    code = "import os\n" + source("show()", "return dict(os.environ)", "dict")
    said = trial(code, {}, env_vars={"MINE": "1"}).json()
    shown = json.loads(said["tool_return"])
    assert (shown.pop("MINE"), "canary" in said["tool_return"]) == ("1", False)
    assert set(shown) == {"PATH", "HOME", "TMPDIR", "LANG"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("None", "None"),
        ("{'a': [1, 'ä']}", '{"a": [1, "ä"]}'),
        ("3", "3"),
        ("'a\\x00b\\ud800'", "ab\ufffd"),
        ("{1, 1}", "[1]"),
        ("float('nan')", "NaN"),
        ("__import__('datetime').date(2026, 1, 2)", "2026-01-02"),
    ],
)
def test_what_the_model_reads_of_a_value(api: Api, value: str, text: str) -> None:
    assert trial(source("f()", f"return {value}"), {}).json()["tool_return"] == text


def test_deep_and_endless_results_are_errors(api: Api) -> None:
    deep = source("f()", "x = []\nfor _ in range(900): x = [x]\nreturn x", "list")
    cycle = source("f()", "x = []\nx.append(x)\nreturn x", "list")
    for code in (deep, cycle):
        assert trial(code, {}).json()["status"] == "error"


def test_models_and_dates_arrive_as_what_the_annotation_names(api: Api) -> None:
    code = (
        "from datetime import date\nfrom pydantic import BaseModel\n\n"
        "class Item(BaseModel):\n    name: str\n    count: int = 1\n\n"
        "def order(items: list[Item], day: date) -> str:\n    return "
        "', '.join(f'{one.count} {one.name}' for one in items) + day.strftime(' %d/%m')\n"
    )
    args = {"items": [{"name": "nails"}, {"name": "bricks", "count": 3}], "day": "2026-11-22"}
    assert trial(code, args).json()["tool_return"] == "1 nails, 3 bricks 22/11"


def test_an_async_tool(api: Api) -> None:
    code = "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 'awaited'\n"
    assert trial(code, {}).json()["tool_return"] == "awaited"


# --- tools of an agent, by hand -----------------------------------------------------------------


def test_an_attached_tool_by_hand(api: Api) -> None:
    code = source("add(a: int, b: int)", "return a + b", "int", a="One.", b="Other.")
    agent, _ = agent_with(api, code)
    assert by_hand(agent, "add", a=1, b="2") == {
        "status": "success",
        "func_return": 3,
        "agent_state": None,
        "stdout": [],
        "stderr": [],
        "sandbox_config_fingerprint": None,
    }
    failed = by_hand(agent, "add", a=1)
    assert (failed["status"], failed["func_return"]) == ("error", None)
    assert "'b' is missing" in failed["stderr"][0]
    other = make(api)
    missing = play(lambda: post(f"/v1/agents/{other['id']}/tools/add/run", {"args": {}}))
    assert missing.status_code == 404


def test_a_long_result_is_cut_and_says_so(api: Api) -> None:
    agent, _ = agent_with(api, source("f()", 'return "x" * 500'), return_char_limit=100)
    returned = by_hand(agent, "f")["func_return"]
    assert returned.startswith("x" * 100 + "... [NOTE")


def test_memory_that_a_tool_changes(api: Api) -> None:
    body = (
        'human = agent_state.memory.get_block("human")\n'
        'agent_state.memory.update_block_value("human", human.value + "\\nLives in " + city)\n'
        'agent_state.memory.get_block("persona").value = "Curt."\n'
        "return agent_id + str(agent_state.memory.list_block_labels())"
    )
    code = source('move(agent_state: "AgentState", city: str)', body, city="Where.")
    agent, tool = agent_with(api, code)
    assert set(tool["json_schema"]["parameters"]["properties"]) == {"city"}
    done = by_hand(agent, "move", city="Oslo")
    assert done["func_return"] == f"{agent['id']}['human', 'persona']", done
    values = {one["label"]: one["value"] for one in fetch(api, f"agents/{agent['id']}")["blocks"]}
    assert values == {"human": "Bob\nLives in Oslo", "persona": "Curt."}
    version = BlockVersion.objects.get(block__label="persona", n=2)
    assert (version.agent_id, version.tool_name) == (agent["id"], "move")


def test_the_agents_own_id_is_filled_in(api: Api) -> None:
    agent, _ = agent_with(api, source("who(agent_id: str)", "return agent_id", agent_id="Whose."))
    assert by_hand(agent, "who")["func_return"] == agent["id"]
    assert by_hand(agent, "who", agent_id="agent-x")["func_return"] == "agent-x"


def test_memory_that_may_not_be_changed(api: Api) -> None:
    body = 'agent_state.memory.update_block_value("human", "Eve")\nreturn "done"'
    agent, _ = agent_with(api, source("steal(agent_state: object)", body))
    Block.objects.filter(label="human").update(read_only=True)
    done = by_hand(agent, "steal")
    assert (done["status"], "read-only" in done["stderr"][0]) == ("error", True)
    assert Block.objects.get(label="human").value == "Bob"


def test_a_tool_that_fails_changes_no_memory(api: Api) -> None:
    body = 'agent_state.memory.update_block_value("human", "Eve")\nraise ValueError("no")'
    agent, _ = agent_with(api, source("steal(agent_state: object)", body))
    assert by_hand(agent, "steal")["status"] == "error"
    assert Block.objects.get(label="human").value == "Bob"


def test_secrets_reach_the_tools_of_their_agent_alone(api: Api) -> None:
    code = "import os\n" + source("key()", 'return os.environ.get("KEY", "none")')
    agent, tool = agent_with(api, code, {"secrets": {"KEY": "s3cret"}})
    other = make(api, tool_ids=[tool["id"]])
    assert by_hand(agent, "key")["func_return"] == "s3cret"
    assert by_hand(other, "key")["func_return"] == "none"
    code = "import os\n" + source("ids()", 'return os.environ["LETTA_AGENT_ID"]')
    agent, _ = agent_with(api, code)
    assert by_hand(agent, "ids")["func_return"] == agent["id"]


# --- tools in runs ------------------------------------------------------------------------------


def returns(answer: Any) -> list[Any]:
    assert answer.status_code == 200, answer.content
    messages = answer.json()["messages"]
    return [one for one in messages if one["message_type"] == "tool_return_message"]


def test_an_agent_calls_a_tool_of_its_own(api: Api, openai: FakeOpenAI) -> None:
    code = source("add(a: int, b: int)", 'print("adding")\nreturn a + b', "int", a="A.", b="B.")
    agent, _ = agent_with(api, code)
    openai.push(Reply(calls=(Call("add", {"a": 2, "b": 3}),)), "Five.")
    answer = send(agent["id"], {"input": "2 + 3?"})
    (said,) = returns(answer)
    assert (said["tool_return"], said["status"], said["stdout"]) == ("5", "success", ["adding\n"])
    assert answer.json()["messages"][-1]["content"] == "Five."
    sent = openai.chats[0]["tools"]
    assert "add" in [tool["function"]["name"] for tool in sent]


def test_a_failing_tool_is_told_to_the_model(api: Api, openai: FakeOpenAI) -> None:
    agent, _ = agent_with(api, source("boom()", 'raise ValueError("no")'))
    openai.push(Reply(calls=(Call("boom", {}),)), "It failed.")
    (said,) = returns(send(agent["id"], {"input": "go"}))
    assert (said["status"], said["tool_return"]) == (
        "error",
        "Error executing function boom: ValueError: no",
    )
    assert "Traceback" in said["stderr"][0]


def test_edits_of_two_calls_in_one_step_are_both_kept(api: Api, openai: FakeOpenAI) -> None:
    body = (
        'old = agent_state.memory.get_block("human").value\n'
        'agent_state.memory.update_block_value("human", old + "\\n" + fact)\nreturn "ok"'
    )
    code = source("note(agent_state: object, fact: str)", body, fact="What.")
    agent, _ = agent_with(api, code, enable_parallel_execution=True)
    calls = tuple(Call("note", {"fact": fact}) for fact in ("likes tea", "has a dog"))
    openai.push(Reply(calls=calls), "Noted.")
    (said,) = returns(send(agent["id"], {"input": "go"}))
    assert [one["status"] for one in said["tool_returns"]] == ["success"] * 2
    value = Block.objects.get(label="human").value
    assert sorted(value.splitlines()) == ["Bob", "has a dog", "likes tea"]
    version = BlockVersion.objects.filter(block__label="human").order_by("-n")[0]
    assert version.run_id and version.step_id and version.tool_call_id


def test_approval_by_default(api: Api, openai: FakeOpenAI) -> None:
    agent, _ = agent_with(api, source("f()", "return 1"), default_requires_approval=True)
    openai.push(Reply(calls=(Call("f", {}),)))
    answer = send(agent["id"], {"input": "go"}).json()
    assert answer["stop_reason"]["stop_reason"] == "requires_approval"


def test_code_that_is_gone_is_an_error_of_the_tool(api: Api, openai: FakeOpenAI) -> None:
    agent, tool = agent_with(api, source("f()", "return 1"))
    Tool.objects.filter(pk=tool["id"]).update(source_code="")
    openai.push(Reply(calls=(Call("f", {}),)), "Gone.")
    (said,) = returns(send(agent["id"], {"input": "go"}))
    assert (said["status"], "no source code" in said["tool_return"]) == ("error", True)


# --- versions, search, grants -------------------------------------------------------------------


def test_every_saved_state_is_kept_with_its_diff(api: Api) -> None:
    first = source("f()", "return 1", "int")
    tool = create(api, first)
    path = f"/v1/tools/{tool['id']}"
    create(api, first)  # the same again is no new version
    create(api, first.replace("return 1", "return 2"))
    api.send("PATCH", path, {"tags": ["x"]})
    versions = api.get(f"{path}/versions").json()
    assert [one["version"] for one in versions] == [3, 2, 1]
    assert [one["changed"] for one in versions[:2]] == [["tags"], ["source_code"]]
    assert "-    return 1\n+    return 2" in versions[1]["diff"]
    assert versions[2]["content"]["source_code"] == first
    assert [one["version"] for one in api.get(f"{path}/versions?limit=1").json()] == [3]


def test_a_strangers_versions_are_not_there(api: Api, stranger: Actor) -> None:
    tool = create(api, source("f()", "return 1"))
    Tool.objects.filter(pk=tool["id"]).update(org_id=stranger.org_id)
    assert api.get(f"/v1/tools/{tool['id']}/versions").status_code == 404
    assert api.get("/v1/tools/not-an-id/versions").status_code == 422


def test_search_finds_by_name_and_purpose(api: Api) -> None:
    create(api, source("tie_knot()", "return 1").replace("Do it.", "Tie a bowline."), tags=["sea"])
    create(api, source("steer()", "return 1").replace("Do it.", "Avoid a knot of ships."))

    def found(**body: Any) -> list[str]:
        answer = api.send("POST", "/v1/tools/search", body)
        assert answer.status_code == 200, answer.content
        hits = answer.json()
        assert [hit["fts_rank"] for hit in hits] == list(range(1, len(hits) + 1))
        return [hit["tool"]["name"] for hit in hits]

    assert found(query="knot") == ["tie_knot", "steer"]
    assert found(query="knot", limit=1) == ["tie_knot"]
    assert found(query="knot", tags=["sea", "land"]) == ["tie_knot"]
    assert found(query="zebra") == []
    assert found(query="knot", tool_types=["letta_core"]) == []
    assert set(found(tool_types=["custom"])) == {"tie_knot", "steer"}
    assert api.send("POST", "/v1/tools/search", {"limit": 0}).status_code == 422
    assert api.send("POST", "/v1/tools/search", {"tool_types": ["odd"]}).status_code == 400


def test_grants_are_of_the_tool_and_survive_a_new_save(api: Api) -> None:
    code = source("f()", "return 1")
    tool = create(api, code, metadata_={"grants": ["network"], "k": 1})
    path = f"/v1/tools/{tool['id']}"
    assert create(api, code)["metadata_"]["grants"] == ["network"]
    after = api.send("PATCH", path, {"metadata_": {"grants": []}}).json()
    assert after["metadata_"]["grants"] == []
    for odd in ("network", ["root"], {"network": True}):
        answer = api.send("PATCH", path, {"metadata_": {"grants": odd}})
        assert (answer.status_code, "grants" in answer.json()["detail"]) == (400, True)


# --- the server's own client in a tool ----------------------------------------------------------

ASK = source(
    "ask(agent_state: object)",
    "agents = client.agents.list()\n"
    "names = [one.name for one in agents]\n"
    "value = client.agents.blocks.retrieve('human', agent_id=agent_id).value\n"
    "secrets = [one.value for one in client.agents.retrieve(agent_id).secrets]\n"
    "return {'names': names, 'value': value, 'secrets': secrets}",
    "dict",
)
FORGE = source(
    "forge(agent_state: object)",
    "import httpx\nsaid = []\n"
    "for method, path in [('POST', '/v1/tools/'), ('POST', '/v1/%74ools/run'),\n"
    "                     ('PATCH', f'/v1/agents/{agent_id}/tools/approval/forge'),\n"
    "                     ('GET', '/admin/'), ('GET', '/latest/agents/')]:\n"
    "    said.append(client._client.request(method, 'http://letta' + path, json={}).status_code)\n"
    "return said",
    "list",
)


@pytest.fixture
def letta_client(monkeypatch: pytest.MonkeyPatch) -> str:
    """The published client, where it is installed for the contract tests."""
    folder = Path(__file__).resolve().parents[2] / ".clients" / "py1"
    if not (folder / "letta_client").exists():
        pytest.skip("the published client is not installed")
    real = str(folder.resolve())
    monkeypatch.setattr(walls, "installed", lambda: (real,))
    known = walls.readable()
    monkeypatch.setattr(walls, "readable", lambda: (*known, real))
    return real


def test_a_tool_asks_this_server(api: Api, letta_client: str) -> None:
    facts = {"name": "Ann", "secrets": {"KEY": "canary"}}
    agent, _ = agent_with(api, ASK, facts, metadata_={"grants": ["server"]})
    done = by_hand(agent, "ask")
    # Its own secrets are in its environment; those of all agents are not for asking.
    assert done["func_return"] == {"names": ["Ann"], "value": "Bob", "secrets": [""]}, done


def test_a_tool_cannot_make_itself_more_than_it_is(api: Api, letta_client: str) -> None:
    agent, _ = agent_with(api, FORGE, metadata_={"grants": ["server"]})
    assert by_hand(agent, "forge")["func_return"] == [403] * 5


def test_without_the_grant_there_is_no_client(api: Api, letta_client: str) -> None:
    agent, _ = agent_with(api, ASK)
    assert "name 'client' is not defined" in by_hand(agent, "ask")["stderr"][0]


def test_a_tool_sees_its_own_organisation_only(
    api: Api, letta_client: str, foreign_agent: Any
) -> None:
    code = source(
        "peek(agent_state: object, other: str)",
        "try:\n    return client.agents.retrieve(other).name\n"
        "except Exception as error:\n    return str(getattr(error, 'status_code', error))",
        other="Id.",
    )
    agent, _ = agent_with(api, code, metadata_={"grants": ["server"]})
    assert by_hand(agent, "peek", other=foreign_agent["id"])["func_return"] == "404"


# --- cancelling and side by side ----------------------------------------------------------------

SLEEP = source("rest()", "import time\ntime.sleep(60)\nreturn 'rested'")


def folders() -> set[Path]:
    return set(Path(sandbox_folders.base()).iterdir())


async def until(condition: Callable[[], Any], seconds: float) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        await asyncio.sleep(0.01)
    return found


def test_cancelling_a_run_ends_its_tool(api: Api, openai: FakeOpenAI, owner: Actor) -> None:
    agent, _ = agent_with(api, SLEEP)
    openai.push(Reply(calls=(Call("rest", {}),)))
    before = folders()

    async def scenario() -> tuple[Any, Any]:
        wish = RunInput(agent["id"], (InputMessage("user", (TextPart("rest"),)),))
        ref, ear = await runner.send(owner, wish)
        await ear.aclose()
        (folder,) = await until(lambda: folders() - before, 10)
        await runner.cancel_runs(owner, agent["id"], [ref.run_id])
        gone = await until(lambda: not folder.exists(), 2)
        await settle()
        return gone, (await in_db(lambda: Run.objects.get(pk=ref.run_id))).status

    assert play(scenario) == (True, "cancelled")
    openai.push("Awake.")
    assert send(agent["id"], {"input": "well?"}).status_code == 200


@pytest.mark.parametrize("parallel", [True, False])
def test_tools_run_side_by_side_only_where_they_may(
    api: Api, openai: FakeOpenAI, parallel: bool
) -> None:
    """Each call says when it began and ended, by the one clock of the machine."""
    body = (
        "import time\nbegan = time.monotonic()\ntime.sleep(0.5)\n"
        "return f'{began} {time.monotonic()}'"
    )
    agent, _ = agent_with(api, source("span()", body), enable_parallel_execution=parallel)
    openai.push(Reply(calls=(Call("span", {}), Call("span", {}))), "Done.")
    (said,) = returns(send(agent["id"], {"input": "go"}))
    first, second = (tuple(map(float, one["tool_return"].split())) for one in said["tool_returns"])
    assert (max(first[0], second[0]) < min(first[1], second[1])) == parallel


# --- what is refused says what to do ------------------------------------------------------------


def test_packages_that_are_not_installed(api: Api) -> None:
    wanted = [{"name": "absent-package", "version": "1.0"}]
    said = trial(source("f()", "return 1"), {}, pip_requirements=wanted).json()
    assert said["status"] == "error"
    assert "absent-package==1.0" in said["tool_return"]
    assert "LETTA_TOOL_INSTALLS=1" in said["tool_return"]


def test_the_network_is_not_there_unless_it_is_granted(api: Api) -> None:
    code = source("f()", "import socket\nsocket.create_connection(('127.0.0.1', 80), 1)")
    assert "metadata_.grants" in trial(code, {}).json()["tool_return"]


def test_a_tool_may_make_a_block_but_not_a_thousand(api: Api) -> None:
    body = (
        "from types import SimpleNamespace as Block\n"
        "for n in range(count):\n"
        "    agent_state.memory.set_block(Block(label=f'new{n}', value='x'))\n"
        "return 'ok'"
    )
    code = source("grow(agent_state: object, count: int)", body, count="How many.")
    agent, _ = agent_with(api, code)
    assert by_hand(agent, "grow", count=1)["status"] == "success"
    assert Block.objects.filter(label="new0").exists()
    assert by_hand(agent, "grow", count=1000)["status"] == "error"
    assert Block.objects.filter(label__startswith="new").count() == 1


def test_a_block_that_cannot_be_is_an_error_of_the_tool(api: Api, openai: FakeOpenAI) -> None:
    body = (
        "from types import SimpleNamespace as Block\n"
        "agent_state.memory.set_block(Block(label='x' * 300, value='x'))\nreturn 'ok'"
    )
    agent, _ = agent_with(api, source("grow(agent_state: object)", body))
    openai.push(Reply(calls=(Call("grow", {}),)), "It failed.")
    (said,) = returns(send(agent["id"], {"input": "go"}))
    assert (said["status"], "label" in said["tool_return"]) == ("error", True)
