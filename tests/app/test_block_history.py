# ruff: noqa: F811 - fixtures of another file are named again as parameters
"""The past of blocks: versions, differences, going back, and an agent's memory at any step."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agents.models import Agent
from letta_site.core.aio import in_db
from letta_site.core.types import Actor
from memory.models import Block, BlockVersion
from tests.app.conftest import Api
from tests.app.posting import post, send
from tests.app.test_messages import HELLO, agent, make  # noqa: F401
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS = 64


@pytest.fixture
def block(api: Api) -> dict[str, Any]:
    made = api.send("POST", "/v1/blocks/", {"label": "plan", "value": "one\ntwo\nthree"}).json()
    api.send("PATCH", f"/v1/blocks/{made['id']}", {"value": "one\n2\nthree\nfour"})
    changed = {"limit": 50, "description": "Plans.", "metadata": {"a": 1}, "hidden": True}
    last: dict[str, Any] = api.send("PATCH", f"/v1/blocks/{made['id']}", changed).json()
    return last


def note(label: str, text: str) -> Reply:
    return Reply(calls=(Call("memory_insert", {"label": label, "new_string": text}),))


def versions(block: dict[str, Any]) -> str:
    return f"/v1/blocks/{block['id']}/versions"


def test_versions_page_in_both_directions(api: Api, owner: Actor, block: dict[str, Any]) -> None:
    newest = api.get(versions(block)).json()
    assert [one["n"] for one in newest] == [3, 2, 1]
    assert [one["parent_n"] for one in newest] == [2, 1, None]
    assert {(one["actor_kind"], one["actor_id"]) for one in newest} == {("user", owner.id)}
    for query, found in (
        ({"limit": 1}, [3]),
        ({"after": 3, "limit": 1}, [2]),
        ({"before": 1}, [3, 2]),
        ({"order": "asc", "after": 1}, [2, 3]),
        ({"order": "asc", "before": 2}, [1]),
    ):
        assert [one["n"] for one in api.get(versions(block), query).json()] == found, query
    assert api.get(versions(block), {"limit": 0}).status_code == 400


def test_one_version(api: Api, block: dict[str, Any]) -> None:
    first = api.get(f"{versions(block)}/1").json()
    assert (first["value"], first["limit"]) == ("one\ntwo\nthree", 100_000)
    assert api.get(f"{versions(block)}/4").status_code == 404
    assert api.get(f"{versions(block)}/99999999999999999999").status_code == 404


def test_what_changed_between_two_versions(api: Api, block: dict[str, Any]) -> None:
    diff = api.get(f"{versions(block)}/diff", {"old": 1, "new": 3}).json()
    assert diff["lines"] == [
        {"op": "replace", "old_line": 2, "new_line": 2, "old": ["two"], "new": ["2"]},
        {"op": "insert", "old_line": 4, "new_line": 4, "old": [], "new": ["four"]},
    ]
    assert "-two\n+2\n" in diff["unified"]
    assert diff["fields"] == {
        "limit": {"old": 100_000, "new": 50},
        "description": {"old": None, "new": "Plans."},
        "metadata": {"old": {}, "new": {"a": 1}},
        "hidden": {"old": None, "new": True},
    }
    last = api.get(f"{versions(block)}/diff").json()
    assert (last["old_version"], last["new_version"], last["lines"]) == (2, 3, [])


def test_an_old_version_becomes_the_newest(api: Api, block: dict[str, Any]) -> None:
    stale = api.send("POST", f"{versions(block)}/1/restore", {"expected_version": 2})
    assert (stale.status_code, stale.json()["version"]) == (409, 3)
    restored = api.send("POST", f"{versions(block)}/1/restore", {"expected_version": 3}).json()
    assert (restored["version"], restored["value"]) == (4, "one\ntwo\nthree")
    assert (restored["limit"], restored["description"]) == (100_000, None)
    assert (restored["metadata"], restored["hidden"]) == ({}, None)
    assert api.get(f"{versions(block)}/3").json()["value"] == "one\n2\nthree\nfour"
    again = api.send("POST", f"{versions(block)}/1/restore").json()
    assert again["version"] == 4  # it is so already


def test_a_stranger_sees_no_versions(api: Api, block: dict[str, Any], stranger: Actor) -> None:
    Block.objects.filter(pk=block["id"]).update(org_id=stranger.org_id)
    for path in ("", "/1", "/diff"):
        assert api.get(f"{versions(block)}{path}").status_code == 404
    assert api.send("POST", f"{versions(block)}/1/restore").status_code == 404


def labelled(memory: dict[str, Any]) -> dict[str, str]:
    return {one["label"]: one["value"] for one in memory["blocks"]}


@pytest.fixture
def lived(api: Api, agent: Any, openai: FakeOpenAI) -> Any:
    """An agent of two turns: it noted Oslo, somebody else made that Bergen, it noted tea."""
    openai.push(note("human", "Oslo."), "Noted.")
    send(agent["id"], HELLO)
    path = f"/v1/agents/{agent['id']}/core-memory/blocks/human"
    api.send("PATCH", path, {"value": "Bob\nBergen."})
    openai.push(note("human", "Tea."), "Noted.")
    send(agent["id"], HELLO)
    return agent


def test_memory_as_of_every_step(api: Api, lived: Any) -> None:
    seen = []
    for step in range(5):
        memory = api.get(f"/v1/agents/{lived['id']}/memory", {"step": step}).json()
        assert (memory["step"], memory["steps"]) == (step, 4)
        (one,) = memory["blocks"]
        seen.append((one["value"], one["version_in_prompt"], one["version"]))
    assert seen == [
        ("Bob", 1, 1),
        ("Bob\nOslo.", 1, 2),
        ("Bob\nOslo.", 2, 2),
        ("Bob\nBergen.\nTea.", 3, 4),
        ("Bob\nBergen.\nTea.", 4, 4),
    ]


def test_memory_as_of_a_message_and_a_moment(api: Api, lived: Any) -> None:
    place = f"/v1/agents/{lived['id']}/memory"
    first = api.get(place, {"step": 1}).json()
    assert first["blocks"][0]["tool_name"] == "memory_insert"
    assert api.get(place, {"step": first["step_id"]}).json() == first
    assert api.get(place, {"at": first["created_at"]}).json() == first
    shown = api.get(f"/v1/agents/{lived['id']}/messages").json()
    call = next(one for one in shown if one["message_type"] == "tool_call_message")
    assert api.get(place, {"message_id": call["id"]}).json() == first
    users = [one["id"] for one in shown if one["message_type"] == "user_message"]
    assert api.get(place, {"message_id": users[0]}).json()["step"] == 0
    assert api.get(place, {"message_id": users[1]}).json()["step"] == 2


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 400),
        ({"step": 1, "at": "2026-01-01T00:00:00Z"}, 400),
        ({"step": "soon"}, 422),
        ({"step": "step-1"}, 422),
        ({"step": 5}, 404),
        ({"message_id": "message-00000000-0000-4000-8000-000000000000"}, 404),
    ],
)
def test_points_in_time_that_there_are_not(
    api: Api, lived: Any, query: dict[str, Any], status: int
) -> None:
    assert api.get(f"/v1/agents/{lived['id']}/memory", query).status_code == status


def test_a_block_that_is_gone_is_named_and_an_agent_elsewhere_is_not(
    api: Api, lived: Any, stranger: Actor
) -> None:
    place = f"/v1/agents/{lived['id']}/memory"
    api.delete(f"/v1/blocks/{lived['memory']['blocks'][0]['id']}")
    (gone,) = api.get(place, {"step": 1}).json()["blocks"]
    assert (gone["id"], gone["deleted"]) == (lived["memory"]["blocks"][0]["id"], True)
    Agent.objects.filter(pk=lived["id"]).update(org_id=stranger.org_id)
    assert api.get(place, {"step": 1}).status_code == 404


def test_memory_at_a_step_costs_the_same_at_any_length(
    api: Api, lived: Any, openai: FakeOpenAI, django_assert_num_queries: Any
) -> None:
    place = f"/v1/agents/{lived['id']}/memory"
    with django_assert_num_queries(6):
        api.get(place, {"step": 4})
    for n in range(3):
        api.send("POST", "/v1/blocks/", {"label": f"b{n}", "value": "x"})
        openai.push("Yes.")
        send(lived["id"], HELLO)
    with django_assert_num_queries(6):
        api.get(place, {"step": 4})


async def try_line(block: dict[str, Any], line: str) -> Any:
    change = {"value": f"{block['value']}\n{line}", "expected_version": block["version"]}
    return await post(f"/v1/blocks/{block['id']}", change, method="PATCH")


async def add_line(block: dict[str, Any], line: str, few: asyncio.Semaphore) -> int:
    """Add a line as a careful client does; return how often it had to begin again.

    All try at once, and those who were too late two at a time.
    """
    answer = await try_line(block, line)
    for tries in range(WRITERS):
        if answer.status_code == 200:
            return tries
        async with few:
            now = answer.json() if tries else await in_db(_current, block["id"])
            assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
            answer = await try_line({**block, **now}, line)
    raise AssertionError("never got through")


def _current(block_id: str) -> dict[str, Any]:
    return dict(Block.objects.values("version", "value").get(pk=block_id))


def test_64_clients_writing_one_block_at_once_lose_nothing(api: Api) -> None:
    made = api.send("POST", "/v1/blocks/", {"label": "log", "value": "start"}).json()
    lines = [f"line {n}" for n in range(WRITERS)]

    async def scenario() -> list[int]:
        few = asyncio.Semaphore(2)
        return await asyncio.gather(*(add_line(made, line, few) for line in lines))

    tries = asyncio.run(scenario())
    row = Block.objects.get(pk=made["id"])
    assert sorted(row.value.split("\n")[1:]) == sorted(lines)
    assert row.version == WRITERS + 1 == BlockVersion.objects.filter(block=row).count()
    assert tries.count(0) == 1  # of those who tried at once, one was the first


def test_64_agents_writing_one_shared_block_at_once_lose_nothing(
    api: Api, openai: FakeOpenAI
) -> None:
    made = api.send("POST", "/v1/blocks/", {"label": "log", "value": "start"}).json()
    crew = [make(api, memory_blocks=[], block_ids=[made["id"]])["id"] for _ in range(WRITERS)]
    numbers = iter(range(WRITERS))

    def answer(request: Any) -> Reply:
        told = request["messages"][-1]["role"] == "tool"
        return Reply("Noted.") if told else note("log", f"line {next(numbers)}")

    openai.answer_with(answer)

    async def scenario() -> list[Any]:
        places = (f"/v1/agents/{one}/messages" for one in crew)
        return await asyncio.gather(*(post(place, HELLO) for place in places))

    answers = asyncio.run(scenario())
    assert {one.status_code for one in answers} == {200}
    row = Block.objects.get(pk=made["id"])
    assert sorted(row.value.split("\n")[1:]) == sorted(f"line {n}" for n in range(WRITERS))
    written = BlockVersion.objects.filter(block=row, n__gt=1)
    assert {one.agent_id for one in written} == set(crew)
    assert all(one.step_id and one.tool_name == "memory_insert" for one in written)
    assert row.version == WRITERS + 1


def test_pages_leave_versions_with_their_author_too(
    api: Api, owner: Actor, block: dict[str, Any]
) -> None:
    saved = api.post(f"/blocks/{block['id']}/save", {"value": "typed", "version": 3})
    assert saved.status_code == 302, saved.content
    newest = api.get(versions(block)).json()[0]
    assert (newest["n"], newest["value"], newest["actor_id"]) == (4, "typed", owner.id)
    api.post(f"/blocks/{block['id']}/restore", {"n": 1, "version": 4})
    newest = api.get(versions(block)).json()[0]
    assert (newest["n"], newest["value"], newest["limit"]) == (5, "one\ntwo\nthree", 100_000)
