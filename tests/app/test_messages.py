"""Sending messages over REST and reading them again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.test import AsyncClient

from agents.models import Agent, Message, RequestPart, Run
from letta_site.core.aio import in_db
from letta_site.core.types import Actor
from tests.app.conftest import Api
from tests.app.posting import play, post, send
from tests.fakes.openai_replies import Call, Failure, Reply, error_body
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

HELLO = {"messages": [{"role": "user", "content": "hello"}]}
HEADER = set("id date name message_type otid sender_id step_id is_err seq_id run_id".split())
USAGE_KEYS = set(
    "message_type completion_tokens prompt_tokens total_tokens step_count run_ids "
    "cached_input_tokens cache_write_tokens reasoning_tokens context_tokens".split()
)


def make(api: Api, **body: Any) -> Any:
    blocks = [{"label": "human", "value": "Bob"}]
    body = {"model": "openai/gpt-4o-mini", "memory_blocks": blocks, **body}
    return api.send("POST", "/v1/agents/", body).json()


@pytest.fixture
def agent(api: Api, openai: FakeOpenAI) -> Any:
    return make(api)


def history(api: Api, agent: Any, **query: Any) -> list[Any]:
    response = api.get(f"/v1/agents/{agent['id']}/messages", query)
    assert response.status_code == 200, response.content
    found: list[Any] = response.json()
    return found


def types(messages: list[Any]) -> list[str]:
    return [message["message_type"] for message in messages]


def test_a_blocking_answer(agent: Any, openai: FakeOpenAI) -> None:
    openai.push("Hello, Bob.")
    answer = send(agent["id"], HELLO).json()
    assert set(answer) == {"messages", "stop_reason", "usage", "logprobs", "turns"}
    (message,) = answer["messages"]
    assert set(message) == HEADER | {"content"}
    assert (message["message_type"], message["content"]) == ("assistant_message", "Hello, Bob.")
    assert message["id"].removeprefix("message-")[:-2] == message["otid"][:-2]
    assert message["date"].endswith("+00:00") and len(message["date"]) == 25
    assert answer["stop_reason"] == {"message_type": "stop_reason", "stop_reason": "end_turn"}
    assert set(answer["usage"]) == USAGE_KEYS
    assert answer["usage"]["step_count"] == 1
    assert answer["usage"]["prompt_tokens"] == openai.usages[0].prompt


def test_tools_show_in_both_eras_forms(api: Api, agent: Any, openai: FakeOpenAI) -> None:
    call = Call("memory_insert", {"label": "human", "new_string": "Oslo."}, "call_1")
    openai.push(Reply(text="Let me see.", reasoning="Hm.", calls=(call,)), "Noted.")
    messages = send(agent["id"], HELLO).json()["messages"]
    assert types(messages) == [
        "reasoning_message",
        "assistant_message",
        "tool_call_message",
        "tool_return_message",
        "assistant_message",
    ]
    reasoning, _, called, returned, _ = messages
    assert (reasoning["reasoning"], reasoning["source"]) == ("Hm.", "reasoner_model")
    assert called["tool_call"] == called["tool_calls"][0]
    assert called["tool_call"]["tool_call_id"] == "call_1"
    assert [one["otid"][-1] for one in messages[:3]] == [
        f"{(int(reasoning['otid'][-1], 16) + n) % 16:x}" for n in range(3)
    ]
    one = returned["tool_returns"][0]
    assert (returned["name"], returned["status"]) == ("memory_insert", "success")
    assert one == {
        "type": "tool",
        **{
            key: returned[key]
            for key in ("tool_return", "status", "tool_call_id", "stdout", "stderr")
        },
    }
    assert len({message["step_id"] for message in messages}) == 2
    assert len({message["run_id"] for message in messages}) == 1
    assert history(api, agent)[2:] == messages


def test_input_is_short_for_one_user_message(api: Api, agent: Any, openai: FakeOpenAI) -> None:
    send(agent["id"], {"input": "hi"})
    send(agent["id"], {"input": [{"type": "text", "text": "there"}]})
    said = [one["content"] for one in history(api, agent) if one["message_type"] == "user_message"]
    assert said == ["hi", "there"]


def test_the_senders_otid_and_name_are_kept(api: Api, agent: Any, openai: FakeOpenAI) -> None:
    message = {"role": "user", "content": "hi", "otid": "mine", "name": "Ann"}
    send(agent["id"], {"messages": [message]})
    stored = history(api, agent)[1]
    assert (stored["otid"], stored["name"]) == ("mine", "Ann")
    assert stored["run_id"] == Run.objects.get().id
    send(agent["id"], HELLO)
    assert len(history(api, agent)[3]["otid"]) == 36


def test_pictures(api: Api, agent: Any, openai: FakeOpenAI) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "iVBO"}
    content = [{"type": "text", "text": "Look."}, {"type": "image", "source": source}]
    assert send(agent["id"], {"input": content}).status_code == 200
    part = openai.chats[0]["messages"][-1]["content"][1]
    assert part["image_url"]["url"] == "data:image/png;base64,iVBO"
    shown = history(api, agent)[1]["content"]
    assert shown[1]["source"]["data"] == "iVBO"
    inline = {"type": "image", "source": {"type": "url", "url": "data:image/png;base64,AAAA"}}
    send(agent["id"], {"input": [inline]})
    assert openai.chats[1]["messages"][-1]["content"][0]["image_url"]["url"].endswith("AAAA")
    bad = {"type": "image", "source": {"type": "url", "url": "file:///etc/passwd"}}
    assert send(agent["id"], {"input": [bad]}).status_code == 400


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({}, 422, "Must specify either 'input' or 'messages'."),
        ({"messages": None}, 422, "Must specify either"),
        ({"input": "a", **HELLO}, 422, "Cannot specify both 'input' and 'messages'"),
        ({"messages": []}, 422, "Messages must not be empty"),
        ({"messages": "hi"}, 422, "valid list"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, 422, "role"),
        ({"messages": [{"content": "x"}]}, 422, "role"),
        ({"messages": [{"role": "user", "content": None}]}, 422, "content"),
        ({"messages": [{"role": "user", "content": ""}]}, 400, "content is empty"),
        ({"messages": [{"role": "user", "content": []}]}, 400, "content is empty"),
        ({"input": ""}, 400, "content is empty"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, 422, "video"),
        ({"max_steps": "x", **HELLO}, 422, "max_steps"),
        ({"stream_tokens": True, **HELLO}, 422, "stream_tokens can only be true"),
        ({"include_pings": False, **HELLO}, 422, "include_pings can only be false"),
        ({"background": True, **HELLO}, 422, "background can only be true"),
        ({"messages": [{"approve": True, "approval_request_id": "x"}]}, 400, "No tool call waits"),
        ({"messages": [{"type": "tool_return", "tool_returns": []}]}, 400, "answers nothing"),
        ({"client_tools": [{"description": "x"}], **HELLO}, 422, "name"),
        ({"client_tools": [{"name": "no spaces"}], **HELLO}, 422, "client_tools"),
        ([], 422, "body"),
    ],
)
def test_what_cannot_be_sent(api: Api, agent: Any, body: Any, status: int, text: str) -> None:
    response = send(agent["id"], body)
    assert (response.status_code, text in response.json()["detail"]) == (status, True)
    assert not Run.objects.exists()


@pytest.mark.parametrize("steps", [0, -1])
def test_no_steps_is_an_empty_answer(agent: Any, steps: int) -> None:
    response = send(agent["id"], {"max_steps": steps, **HELLO})
    assert response.json()["messages"] == []
    assert response.json()["stop_reason"]["stop_reason"] == "end_turn"


def test_a_failing_model_is_one_clear_error(api: Api, agent: Any, openai: FakeOpenAI) -> None:
    openai.push(Failure(401, error_body("bad key")))
    response = send(agent["id"], HELLO)
    assert response.status_code == 401
    assert response.json()["error"]["type"] == "llm_authentication"
    assert response["x-should-retry"] == "false"
    assert types(history(api, agent)) == ["system_message", "user_message"]
    openai.push("Fine again.")
    assert send(agent["id"], HELLO).status_code == 200
    after = api.get(f"/v1/agents/{agent['id']}").json()
    assert after["last_stop_reason"] == "end_turn"


def test_no_key_names_the_variable(api: Api, owner: Actor) -> None:
    agent = make(api, model="anthropic/claude-sonnet-4-5")
    response = send(agent["id"], HELLO)
    assert response.status_code == 401
    assert "ANTHROPIC_API_KEY" in str(response.json())


def test_only_some_types(api: Api, agent: Any, openai: FakeOpenAI) -> None:
    openai.push(Reply(text="Hi.", reasoning="Hm."))
    body = {"include_return_message_types": ["reasoning_message"], **HELLO}
    assert types(send(agent["id"], body).json()["messages"]) == ["reasoning_message"]
    assert types(history(api, agent, include_return_message_types="assistant_message")) == [
        "assistant_message"
    ]
    bad = {"include_return_message_types": ["nope"], **HELLO}
    assert send(agent["id"], bad).status_code == 422


def test_agents_that_speak_by_a_tool(api: Api, openai: FakeOpenAI) -> None:
    agent = make(api, agent_type="memgpt_v2_agent")
    say = Call("send_message", {"message": "Hello, Bob.", "thinking": "A greeting."})
    openai.push(Reply(calls=(say,)))
    messages = send(agent["id"], HELLO).json()["messages"]
    assert types(messages) == ["reasoning_message", "assistant_message"]
    assert (messages[0]["source"], messages[1]["content"]) == (
        "non_reasoner_model",
        "Hello, Bob.",
    )
    raw = history(api, agent, use_assistant_message="false")[-3:]
    assert types(raw) == ["reasoning_message", "tool_call_message", "tool_return_message"]
    openai.push(Reply(calls=(say,)))
    body = {"use_assistant_message": False, **HELLO}
    assert types(send(agent["id"], body).json()["messages"])[-1] == "tool_return_message"


def test_the_list_is_chronological_with_cursors_in_time(
    api: Api, agent: Any, openai: FakeOpenAI
) -> None:
    for n in range(3):
        send(agent["id"], {"input": f"m{n}"})
    whole = [one["id"] for one in history(api, agent)]
    assert len(whole) == 7
    assert [one["id"] for one in history(api, agent, limit=2)] == whole[-2:]
    assert [one["id"] for one in history(api, agent, limit=2, order="asc")] == whole[:2]
    assert [one["id"] for one in history(api, agent, after=whole[4])] == whole[5:]
    assert [one["id"] for one in history(api, agent, before=whole[3], limit=2)] == whole[1:3]
    assert history(api, agent, after=whole[-1]) == []
    path = f"/v1/agents/{agent['id']}/messages"
    for cursor in ("nonsense", "message-00000000-0000-4000-8000-000000000000"):
        response = api.get(path, {"after": cursor})
        assert response.status_code == 404
        assert response.json()["detail"].startswith(f"No message found with id '{cursor}'")
    assert api.get(path, {"order": "bogus"}).status_code == 422


def test_the_cost_of_a_list_does_not_grow(
    api: Api, agent: Any, openai: FakeOpenAI, django_assert_num_queries: Any
) -> None:
    send(agent["id"], HELLO)
    for limit in (1, 100):
        with django_assert_num_queries(2):
            history(api, agent, limit=limit)


def test_an_async_send_answers_with_its_run(api: Api, agent: Any, openai: FakeOpenAI) -> None:
    openai.push("Later.")
    path = f"/v1/agents/{agent['id']}/messages/async"

    async def scenario() -> Any:
        response = await post(path, HELLO)
        while await in_db(Run.objects.exclude(status="completed").exists):
            await asyncio.sleep(0.02)
        return response.json()

    run = play(scenario)
    assert (run["background"], run["metadata"]) == (True, {"run_type": "send_message_async"})
    assert api.get(f"/v1/runs/{run['id']}").json()["status"] == "completed"


def test_a_resent_request_is_answered_once(api: Api, agent: Any, openai: FakeOpenAI) -> None:
    openai.push("Once.")
    first = send(agent["id"], HELLO).json()
    again = send(agent["id"], HELLO, X_Stainless_Retry_Count="1").json()
    assert again["messages"] == first["messages"]
    assert again["stop_reason"] == first["stop_reason"]
    assert Run.objects.count() == 1
    send(agent["id"], HELLO, X_Stainless_Retry_Count="0")
    assert Run.objects.count() == 2


def test_a_request_resent_while_it_runs_waits_for_its_end(agent: Any, openai: FakeOpenAI) -> None:
    openai.push(Reply("Slow.", delay_s=0.3))
    path = f"/v1/agents/{agent['id']}/messages"

    async def scenario() -> list[Any]:
        first = asyncio.create_task(post(path, HELLO))
        while not await in_db(Run.objects.exists):
            await asyncio.sleep(0.02)
        second = await post(path, HELLO, X_Stainless_Retry_Count="1")
        return [(await first).json()["messages"], second.json()["messages"]]

    one, two = play(scenario)
    assert one == two != []
    assert Run.objects.count() == 1


def test_cancelling(api: Api, agent: Any, openai: FakeOpenAI) -> None:
    openai.push(Reply("Slow.", delay_s=5))
    path = f"/v1/agents/{agent['id']}/messages"

    async def scenario() -> list[Any]:
        sent = asyncio.create_task(post(path, HELLO))
        while not await in_db(Run.objects.filter(status="running").exists):
            await asyncio.sleep(0.02)
        return [await post(f"{path}/cancel", {}), await sent]

    cancelled, answer = play(scenario)
    run = Run.objects.get()
    assert cancelled.json() == {run.id: "cancelled"}
    assert answer.json()["stop_reason"]["stop_reason"] == "cancelled"
    assert run.status == "cancelled"


def test_cancelling_nothing(agent: Any) -> None:
    path = f"/v1/agents/{agent['id']}/messages/cancel"
    assert play(lambda: post(path, {})).status_code == 409
    unknown = "run-00000000-0000-4000-8000-000000000000"
    assert play(lambda: post(path, {"run_ids": [unknown]})).json() == {unknown: "failed"}


@pytest.mark.parametrize("path", ["", "/stream", "/async", "/cancel"])
def test_a_stranger_cannot_send(api: Api, stranger: Actor, path: str) -> None:
    theirs = Agent.objects.create(org_id=stranger.org_id, name="x", model="letta/demo")
    for agent_id in (theirs.id, "agent-00000000-0000-4000-8000-000000000000"):
        full = f"/v1/agents/{agent_id}/messages{path}"
        assert play(lambda full=full: post(full, HELLO)).status_code == 404
    assert not Message.objects.exists()


def test_the_offline_model_answers(api: Api, owner: Actor) -> None:
    agent = make(api, model="letta/demo")
    answer = send(agent["id"], {"input": "My name is Ann."})
    assert answer.status_code == 200, answer.content
    assert answer.json()["messages"][-1]["message_type"] == "assistant_message"


@pytest.mark.parametrize(
    ("handle", "status"), [("nope", 400), ("elsewhere/gpt", 404), ("openai/nope", 404)]
)
@pytest.mark.parametrize("path", ["messages", "messages/stream", "messages/async"])
def test_an_unknown_model_is_refused_before_anything_is_stored(
    api: Api, agent: Any, handle: str, status: int, path: str
) -> None:
    answer = play(
        lambda: post(f"/v1/agents/{agent['id']}/{path}", HELLO | {"override_model": handle})
    )
    assert answer.status_code == status
    assert handle in str(answer.json()["what"]) or "provider/model" in answer.json()["what"]
    assert types(history(api, agent)) == ["system_message"] and not Run.objects.exists()


def test_an_agent_that_is_deleted_at_work_stops_first(
    api: Api, agent: Any, openai: FakeOpenAI
) -> None:
    openai.answer_with(lambda _: Reply("Slow.", delay_s=1.0))

    async def scenario() -> Any:
        path = f"/v1/agents/{agent['id']}"
        sent = asyncio.create_task(post(f"{path}/messages", HELLO))
        while not openai.chats:
            await asyncio.sleep(0.02)
        gone = await AsyncClient().delete(path)
        return gone, await sent

    gone, answer = play(scenario)
    assert (gone.status_code, answer.status_code) == (200, 200)
    assert answer.json()["stop_reason"]["stop_reason"] == "cancelled"
    assert not Run.objects.exists()


def test_what_an_agent_was_told_goes_with_it(api: Api, agent: Any, openai: FakeOpenAI) -> None:
    other = make(api)
    for one in (agent, other):
        openai.push("Hello.")
        assert send(one["id"], HELLO).status_code == 200
    told = RequestPart.objects.filter(text__contains="AGENT_ID")
    assert told.count() == 2
    play(lambda: AsyncClient().delete(f"/v1/agents/{agent['id']}"))
    assert [other["id"] in one.text for one in told] == [True]
