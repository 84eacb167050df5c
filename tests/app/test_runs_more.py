"""More of runs and steps, messages of all agents, and batches."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agents.models import Batch, Message, Run, Step
from letta_site.core.aio import in_db
from letta_site.core.types import Actor
from tests.app.conftest import Api
from tests.app.posting import play, post, send, stream
from tests.app.test_messages import HELLO, agent, history, make  # noqa: F401
from tests.fakes.openai_replies import Call, Failure, Reply, error_body
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)


def test_feedback(api: Api, agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    send(agent["id"], HELLO)
    path = f"/v1/steps/{Step.objects.get().id}"
    given = api.send("PATCH", f"{path}/feedback", {"feedback": "positive", "tags": ["a"]}).json()
    assert (given["feedback"], given["tags"]) == ("positive", ["a"])
    assert api.get(path).json() == given
    assert len(api.get("/v1/steps/", {"feedback": "positive"}).json()) == 1
    assert len(api.get("/v1/steps/", {"has_feedback": "false"}).json()) == 0
    for query, found in (
        ({"project_id": "none"}, 0),
        ({"end_date": "2020-01-01T00:00:00"}, 0),
        ({"start_date": "2020-01-01"}, 1),
    ):
        assert len(api.get("/v1/steps/", query).json()) == found
    for tags, found in ((["a"], 1), (["b"], 0), (["b", "a"], 1), (['"a"', "%"], 0)):
        assert len(api.get("/v1/steps/", {"tags": tags}).json()) == found
    by_query = api.send("PATCH", f"{path}/feedback?feedback=negative").json()
    assert (by_query["feedback"], by_query["tags"]) == ("negative", ["a"])
    assert api.send("PATCH", f"{path}/feedback?feedback=perhaps").status_code == 422
    back = api.send("PATCH", f"{path}/feedback", {"feedback": None}).json()
    assert (back["feedback"], back["tags"]) == (None, ["a"])
    assert api.send("PATCH", f"{path}/feedback", {"feedback": "meh"}).status_code == 422
    unknown = "/v1/steps/step-00000000-0000-4000-8000-000000000000/feedback"
    assert api.send("PATCH", unknown, {"feedback": "positive"}).status_code == 404


def test_the_trace_of_a_run(api: Api, agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    edit = Call("memory_insert", {"label": "human", "new_string": "Oslo."})
    openai.push(Reply(calls=(edit,)), "Done.")
    send(agent["id"], HELLO)
    run = Run.objects.get()
    spans = api.get(f"/v1/runs/{run.id}/trace").json()
    names = [one["span_name"] for one in spans]
    assert names[0] == "run" and names[-1] == "tool memory_insert" and len(names) == 4
    known = {one["span_id"] for one in spans}
    assert all(one["parent_span_id"] in known for one in spans[1:])
    assert len(api.get(f"/v1/runs/{run.id}/trace", {"limit": 1}).json()) == 1


def test_true_statuses_and_filters(api: Api, agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    openai.push(
        "Fine.",
        Failure(500, error_body("broken")),
        Reply("Cut off", finish_reason="length"),
        Reply(calls=(Call("memory_insert", {"label": "human", "new_string": "x"}),)),
    )
    send(agent["id"], HELLO)
    stream(agent["id"], HELLO)
    send(agent["id"], HELLO)
    send(agent["id"], {"max_steps": 1, **HELLO})
    rows = api.get("/v1/runs/", {"ascending": "true"}).json()
    assert [(one["status"], one["stop_reason"]) for one in rows] == [
        ("completed", "end_turn"),
        ("failed", "llm_api_error"),
        ("failed", "max_tokens_exceeded"),
        ("completed", "max_steps"),
    ]
    assert all(one["total_duration_ns"] > 0 and one["completed_at"] for one in rows)
    kinds = [one["metadata"]["run_type"] for one in rows]
    assert kinds[:2] == ["send_message", "send_message_streaming"]

    def ids(**query: Any) -> list[str]:
        return [one["id"] for one in api.get("/v1/runs/", query).json()]

    newest = [one["id"] for one in rows][::-1]
    assert ids() == newest
    assert ids(order="asc", ascending="false") == newest[::-1]
    assert ids(statuses="failed") == newest[1:3]
    assert ids(stop_reason="max_steps") == newest[:1]
    assert ids(agent_ids=agent["id"], limit=2) == newest[:2]
    assert ids(after=newest[0], before=newest[3]) == newest[1:3]
    assert api.get("/v1/runs/", {"statuses": "resting"}).status_code == 422


@pytest.mark.parametrize("mode", ["messages", "messages/stream", "background", "messages/async"])
def test_only_the_wanted_types_in_every_mode(
    api: Api,
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
    mode: str,
) -> None:
    edit = Call("memory_insert", {"label": "human", "new_string": "Oslo."})
    openai.push(Reply(text="A moment.", calls=(edit,)), "Done.")
    body: dict[str, Any] = {"include_return_message_types": ["tool_return_message"], **HELLO}
    if mode == "messages":
        shown = send(agent["id"], body).json()["messages"]
    elif mode == "messages/async":

        async def scenario() -> None:
            await post(f"/v1/agents/{agent['id']}/{mode}", body)
            while await in_db(Run.objects.exclude(status="completed").exists):
                await asyncio.sleep(0.02)

        play(scenario)
        shown = api.get(f"/v1/runs/{Run.objects.get().id}/messages").json()
    else:
        if mode == "background":
            body |= {"streaming": True, "background": True, "stream_tokens": True}
        found = stream(agent["id"], body, path="messages" if mode == "background" else mode)
        ends = ("ping", "stop_reason", "usage_statistics")
        shown = [one for one in found.frames if one["message_type"] not in ends]
    assert [one["message_type"] for one in shown] == ["tool_return_message"]


def test_overrides_hold_for_one_send(agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    body = {"override_model": "openai/gpt-4o", "override_system": "You are a pirate.", **HELLO}
    send(agent["id"], body)
    send(agent["id"], HELLO)
    first, second = openai.chats
    assert (first["model"], second["model"]) == ("gpt-4o", "gpt-4o-mini")
    assert first["messages"][0]["content"] == "You are a pirate."
    assert second["messages"][0]["content"] != "You are a pirate."


def test_messages_of_all_agents(api: Api, agent: Any, openai: FakeOpenAI, stranger: Actor) -> None:  # noqa: F811
    other = make(api, agent_type="memgpt_v2_agent")
    Message.objects.filter(agent_id=other["id"]).exclude(role="system").delete()
    send(agent["id"], {"input": "one"})
    openai.push(Reply("A thought.", calls=(Call("send_message", {"message": "Said."}),)))
    send(other["id"], {"input": "two"})
    rows = api.get("/v1/messages/").json()
    said = [one["content"] for one in rows if one["message_type"] == "user_message"]
    assert said == ["one", "two"]
    kinds = [one["message_type"] for one in rows[-2:]]
    assert kinds == ["reasoning_message", "assistant_message"]
    ids = [one["id"] for one in rows]
    assert [one["id"] for one in api.get("/v1/messages/", {"limit": 2}).json()] == ids[-2:]
    assert api.get("/v1/messages/", {"after": ids[-1]}).json() == []
    assert [one["id"] for one in api.get("/v1/messages/", {"before": ids[1]}).json()] == ids[:1]
    assert api.get(f"/v1/messages/{ids[-1]}").json() == rows[-2:]
    unknown = "message-00000000-0000-4000-8000-000000000000"
    assert api.get(f"/v1/messages/{unknown}").status_code == 404
    assert api.get("/v1/messages/", {"after": unknown}).status_code == 404


def test_a_batch(api: Api, agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    other = make(api)
    requests = [{"agent_id": one["id"], "input": f"to {one['name']}"} for one in (agent, other)]

    async def scenario() -> Any:
        answer = await post("/v1/messages/batches", {"requests": requests})
        while await in_db(Run.objects.exclude(status="completed").exists):
            await asyncio.sleep(0.02)
        return answer.json()

    made = play(scenario)
    assert made["id"].startswith("job-")
    assert (made["job_type"], made["status"] in ("running", "completed")) == ("batch", True)
    path = f"/v1/messages/batches/{made['id']}"
    ended = api.get(path).json()
    assert ended["status"] == "completed" and ended["completed_at"]
    assert api.get("/v1/messages/batches").json() == [ended]
    messages = api.get(f"{path}/messages").json()["messages"]
    assert [one["role"] for one in messages].count("assistant") == 2
    mine = api.get(f"{path}/messages", {"agent_id": other["id"]}).json()["messages"]
    assert {one["agent_id"] for one in mine} == {other["id"]}
    assert play(lambda: _patch(f"{path}/cancel")).status_code == 409


def test_a_batch_is_all_or_nothing_at_the_door(agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    unknown = "agent-00000000-0000-4000-8000-000000000000"
    requests = [{"agent_id": agent["id"], "input": "x"}, {"agent_id": unknown, "input": "x"}]
    answer = play(lambda: post("/v1/messages/batches", {"requests": requests}))
    assert answer.status_code == 404
    assert not Run.objects.exists() and not Batch.objects.exists()


def test_a_batch_with_an_agent_that_waits_for_an_answer(
    api: Api,
    agent: Any,  # noqa: F811
    guarded: Any,
    openai: FakeOpenAI,
) -> None:
    edit = Call("memory_insert", {"label": "human", "new_string": "x"}, "call_1")
    openai.push(Reply(calls=(edit,)))
    assert send(guarded["id"], HELLO).json()["stop_reason"]["stop_reason"] == "requires_approval"
    requests = [{"agent_id": one["id"], "input": "x"} for one in (agent, guarded)]
    answer = play(lambda: post("/v1/messages/batches", {"requests": requests}))
    assert (answer.status_code, answer.json()["code"]) == (409, "PENDING_APPROVAL")
    assert Run.objects.count() == 1 and not Batch.objects.exists()


def test_a_batch_is_cancelled(api: Api, agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    openai.answer_with(lambda _: Reply("Slow.", delay_s=5))
    requests = [{"agent_id": agent["id"], "input": str(n)} for n in range(3)]

    async def scenario() -> Any:
        made = (await post("/v1/messages/batches", {"requests": requests})).json()
        while not await in_db(Run.objects.filter(status="running").exists):
            await asyncio.sleep(0.02)
        await _patch(f"/v1/messages/batches/{made['id']}/cancel")
        while await in_db(Run.objects.exclude(status="cancelled").exists):
            await asyncio.sleep(0.02)
        return made

    made = play(scenario)
    assert api.get(f"/v1/messages/batches/{made['id']}").json()["status"] == "cancelled"
    assert len(openai.chats) == 1


async def _patch(path: str) -> Any:
    from asgiref.sync import ThreadSensitiveContext
    from django.test import AsyncClient

    async with ThreadSensitiveContext():
        return await AsyncClient().patch(path, "", content_type="application/json")
