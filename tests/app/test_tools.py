"""Tools over REST, their own and an agent's."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models import Tool
from letta_site.core.types import Actor
from tests.app.conftest import Api
from tests.app.posting import play, post

pytestmark = pytest.mark.django_db

TOOL_KEYS = set(
    "id tool_type description source_type name tags source_code json_schema args_json_schema "
    "return_char_limit pip_requirements npm_requirements default_requires_approval "
    "enable_parallel_execution created_by_id last_updated_by_id metadata_ project_id".split()
)
ECHO = '''def echo(x: str, times: int = 1) -> str:
    """Say it again.

    Args:
        x (str): The text.
        times: How often.

    Returns:
        str: The same.
    """
    return x * times
'''
UNKNOWN = "tool-00000000-0000-4000-8000-000000000000"


def create(api: Api, source: str = ECHO, **body: Any) -> Any:
    response = api.send("POST", "/v1/tools/", {"source_code": source, **body})
    assert response.status_code == 200, response.content
    return response.json()


def test_a_tool_from_source(api: Api) -> None:
    tool = create(api, tags=["t"])
    assert set(tool) == TOOL_KEYS
    assert (tool["name"], tool["tool_type"], tool["tags"]) == ("echo", "custom", ["t"])
    assert tool["metadata_"].keys() == {"tool_hash"}
    assert tool["json_schema"] == {
        "name": "echo",
        "description": "Say it again.",
        "parameters": {
            "type": "object",
            "properties": {
                "x": {"type": "string", "description": "The text."},
                "times": {"type": "integer", "description": "How often."},
            },
            "required": ["x"],
        },
    }
    assert api.get(f"/v1/tools/{tool['id']}").json() == tool


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_the_same_name_replaces(api: Api, method: str) -> None:
    first = create(api)
    body = {"source_code": ECHO.replace("Say it", "Shout it")}
    second = api.send(method, "/v1/tools/", body).json()
    assert second["id"] == first["id"]
    assert second["description"] == "Shout it again."
    assert Tool.objects.filter(tool_type="custom").count() == 1


def test_a_schema_can_be_given(api: Api) -> None:
    schema = {"name": "other", "description": "d", "parameters": {"type": "object"}}
    tool = create(api, "function other() {}", source_type="typescript", json_schema=schema)
    assert (tool["name"], tool["json_schema"]) == ("other", schema)
    args = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}
    tool = create(api, "class A: pass\ndef typed(x): pass", args_json_schema=args)
    assert (tool["name"], tool["json_schema"]["parameters"]) == ("typed", args)


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({}, 422, "source_code"),
        ({"source_code": ECHO, "name": "x"}, 422, "extra"),
        ({"source_code": ""}, 400, "missing source_code"),
        ({"source_code": "def f(:"}, 400, "Failed to parse source code"),
        ({"source_code": "x = 1"}, 400, "No functions found"),
        ({"source_code": "def nodoc(): pass"}, 400, "Function nodoc missing docstring"),
        ({"source_code": 'def f(x):\n    """D."""'}, 400, "lacks a type annotation"),
        ({"source_code": 'def f(x: str):\n    """D."""'}, 400, "lacks a description"),
        ({"source_code": ECHO, "source_type": "cobol"}, 400, "Unknown tool source type: cobol"),
        ({"source_code": "x", "source_type": "typescript"}, 422, "json_schema"),
        ({"source_code": ECHO.replace("echo", "e" * 49)}, 400, "49 characters"),
        ({"source_code": ECHO.replace("echo", "send_message")}, 400, "built-in"),
        ({"source_code": ECHO, "return_char_limit": 0}, 422, "return_char_limit"),
        ({"source_code": ECHO, "json_schema": {"name": "a b"}}, 400, "not a tool name"),
    ],
)
def test_what_cannot_be_made(api: Api, body: Any, status: int, text: str) -> None:
    response = api.send("POST", "/v1/tools/", body)
    assert (response.status_code, text in response.json()["detail"]) == (status, True)


def test_changing_a_tool(api: Api) -> None:
    tool = create(api)
    path = f"/v1/tools/{tool['id']}"
    source = ECHO.replace("Say it", "Shout it")
    after = api.send("PATCH", path, {"source_code": source, "tags": ["x"]}).json()
    assert after["json_schema"]["description"] == "Shout it again."
    assert after["tags"] == ["x"]
    renamed = api.send("PATCH", path, {"source_code": ECHO.replace("echo", "other")})
    assert renamed.status_code == 400
    odd = api.send("PATCH", path, {"json_schema": {"name": "different"}})
    assert odd.status_code == 400
    after = api.send("PATCH", path, {"metadata_": {"k": 1}, "return_char_limit": 7}).json()
    assert (after["metadata_"]["k"], after["return_char_limit"]) == (1, 7)


def test_built_in_tools_are_always_there(api: Api) -> None:
    listed = api.get("/v1/tools/").json()
    assert all(set(tool) == TOOL_KEYS for tool in listed)
    tool = next(tool for tool in listed if tool["name"] == "memory_insert")
    assert tool["tags"] == [tool["tool_type"]]
    assert api.send("DELETE", f"/v1/tools/{tool['id']}").json() is None
    names = {tool["name"] for tool in api.send("POST", "/v1/tools/add-base-tools").json()}
    assert "memory_insert" in names
    path = f"/v1/tools/{api.get('/v1/tools/', {'name': 'memory_insert'}).json()[0]['id']}"
    assert api.send("PATCH", path, {"source_code": ECHO}).status_code == 400


def test_seeding_costs_one_query_when_nothing_is_to_do(
    owner: Actor, django_assert_num_queries: Any
) -> None:
    from agents.services.tool_seed import ensure_base_tools

    ensure_base_tools(owner)
    with django_assert_num_queries(1):
        ensure_base_tools(owner)


def test_a_changed_built_in_tool_is_refreshed(owner: Actor) -> None:
    from agents.services.tool_seed import ensure_base_tools

    ensure_base_tools(owner)
    Tool.objects.filter(name="memory_insert").update(description="old", metadata={})
    ensure_base_tools(owner)
    assert Tool.objects.get(name="memory_insert").description != "old"


def test_filters(api: Api) -> None:
    tool = create(api)

    def found(**query: Any) -> list[str]:
        listed = [one["name"] for one in api.get("/v1/tools/", query).json()]
        assert api.get("/v1/tools/count", query).json() == len(listed)
        return listed

    assert found(name="echo") == ["echo"]
    assert found(search="ech") == ["echo"]
    assert found(tool_types="custom,external_mcp") == ["echo"]
    assert found(tool_ids=[tool["id"]]) == ["echo"]
    assert set(found(names="echo,send_message")) == {"echo", "send_message"}
    assert "echo" not in found(return_only_letta_tools="true")
    assert "echo" not in found(exclude_tool_types="custom")
    assert api.get("/v1/tools/count", {"exclude_letta_tools": "true"}).json() == 1
    assert api.get("/v1/tools/", {"tool_types": "nope"}).status_code == 400
    assert api.get("/v1/tools/", {"after": UNKNOWN}).status_code == 404


def test_a_strangers_tool_is_not_there(api: Api, stranger: Actor) -> None:
    theirs = Tool.objects.create(org_id=stranger.org_id, name="theirs")
    for tool_id in (theirs.id, UNKNOWN):
        for method in ("GET", "PATCH", "DELETE"):
            body = None if method == "GET" else {}
            assert api.send(method, f"/v1/tools/{tool_id}", body).status_code == 404
    assert api.get("/v1/tools/", {"name": "theirs"}).json() == []


# --- an agent's tools ------------------------------------------------------------------------


@pytest.fixture
def agent(api: Api) -> Any:
    body = {"model": "letta/demo", "memory_blocks": [{"label": "human", "value": "Bob"}]}
    return api.send("POST", "/v1/agents/", body).json()


def test_attach_and_detach_return_the_agent(api: Api, agent: Any) -> None:
    tool, path = create(api), f"/v1/agents/{agent['id']}/tools"
    for _ in range(2):
        after = api.send("PATCH", f"{path}/attach/{tool['id']}").json()
        assert [one["name"] for one in after["tools"]].count("echo") == 1
    assert "echo" in [one["name"] for one in api.get(path).json()]
    after = api.send("PATCH", f"{path}/detach/{tool['id']}").json()
    assert "echo" not in [one["name"] for one in after["tools"]]
    assert api.send("PATCH", f"{path}/attach/{UNKNOWN}").status_code == 404


def test_the_list_of_an_agents_tools_is_whole_unless_paged(api: Api, agent: Any) -> None:
    path = f"/v1/agents/{agent['id']}/tools"
    for n in range(12):
        tool = create(api, ECHO.replace("echo", f"echo_{n}"))
        api.send("PATCH", f"{path}/attach/{tool['id']}")
    assert len(api.get(path).json()) == 15
    assert len(api.get(path, {"limit": 5}).json()) == 5


def test_approval_by_body_or_query(api: Api, agent: Any) -> None:
    path = f"/v1/agents/{agent['id']}/tools/approval/memory_insert"
    rule = {"tool_name": "memory_insert", "type": "requires_approval"}
    for _ in range(2):
        assert api.send("PATCH", path, {"requires_approval": True}).json()["tool_rules"] == [rule]
    assert api.send("PATCH", f"{path}?requires_approval=false").json()["tool_rules"] == []
    assert api.send("PATCH", path).status_code == 422
    other = f"/v1/agents/{agent['id']}/tools/approval/nope?requires_approval=true"
    assert api.send("PATCH", other).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_built_in_tool_runs_by_hand(api: Api, agent: Any) -> None:
    path = f"/v1/agents/{agent['id']}/tools"
    args = {"label": "human", "new_string": "Lives in Oslo."}
    response = play(lambda: post(f"{path}/memory_insert/run", {"args": args}))
    assert response.json()["status"] == "success", response.content
    blocks = api.get(f"/v1/agents/{agent['id']}").json()["blocks"]
    assert blocks[0]["value"] == "Bob\nLives in Oslo."
    failed = play(lambda: post(f"{path}/memory_insert/run", {"args": {"label": "no"}})).json()
    assert (failed["status"], failed["func_return"]) == ("error", None)
    assert play(lambda: post(f"{path}/nope/run", {})).status_code == 404
