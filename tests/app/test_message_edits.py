"""Editing what is stored: the old words are kept, the new ones are found and sent."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models import Agent, Message, MessageVersion
from letta_site.core.types import Actor
from memory.services.candidates import SearchQuery
from memory.services.search import search
from tests.app.conftest import Api
from tests.app.posting import play, post, send
from tests.app.test_messages import HELLO, agent, history, make  # noqa: F401
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)


def edit(api: Api, agent: Any, message_id: str, body: Any) -> Any:  # noqa: F811
    return api.send("PATCH", f"/v1/agents/{agent['id']}/messages/{message_id}", body)


@pytest.fixture
def told(api: Api, agent: Any, openai: FakeOpenAI) -> dict[str, Any]:  # noqa: F811
    openai.push(Reply("I like green.", reasoning="Which one?"))
    send(agent["id"], {"input": "What do you like?"})
    return {one["message_type"]: one for one in history(api, agent)}


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("user_message", "content"),
        ("assistant_message", "content"),
        ("reasoning_message", "reasoning"),
        ("system_message", "content"),
    ],
)
def test_each_form(
    api: Api,
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
    told: dict[str, Any],
    kind: str,
    key: str,
) -> None:
    before = told[kind]
    answer = edit(api, agent, before["id"], {"message_type": kind, key: "Fresh words."})
    assert answer.status_code == 200, answer.content
    assert answer.json() == {**before, key: "Fresh words."}
    shown = [one for one in history(api, agent) if one["message_type"] == kind]
    assert shown == [answer.json()]
    version = MessageVersion.objects.get()
    assert before[key] in [part["text"] for part in version.content]
    assert (version.message_id, version.n, version.actor_kind) == (before["id"], 1, "user")
    if key == "content":
        send(agent["id"], HELLO)
        assert "Fresh words." in str(openai.chats[-1]["messages"])


def test_the_search_finds_the_new_words(api: Api, agent: Any, told: Any, owner: Actor) -> None:  # noqa: F811
    body = {"message_type": "assistant_message", "content": "I like purple."}
    edit(api, agent, told["assistant_message"]["id"], body)

    def found(word: str) -> int:
        return len(search(SearchQuery(owner.org_id, [agent["id"]], "message", word)))

    assert (found("purple"), found("green")) == (1, 0)


def test_parts_and_bare_bodies(api: Api, agent: Any, told: Any) -> None:  # noqa: F811
    user = told["user_message"]["id"]
    parts = {"content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]}
    assert edit(api, agent, user, parts).json()["content"] == "A\nB"
    assert edit(api, agent, user, {"content": "A\nB"}).status_code == 200
    assert MessageVersion.objects.count() == 2


@pytest.mark.parametrize(
    "kind", [{"agent_type": "memgpt_v2_agent"}, {"enable_sleeptime": True}], ids=["old", "tended"]
)
def test_words_said_through_a_tool(api: Api, openai: FakeOpenAI, kind: Any) -> None:
    agent = make(api, **kind)  # noqa: F811
    openai.push(Reply(calls=(Call("send_message", {"message": "Hello."}),)))
    send(agent["id"], HELLO)
    said = Message.objects.filter(role="assistant").order_by("-seq").first()
    body = {"message_type": "assistant_message", "content": "Good day."}
    assert edit(api, agent, said.id, body).json()["content"] == "Good day."
    assert "Good day." in str(history(api, agent))


def test_what_cannot_be_edited(api: Api, agent: Any, told: Any, stranger: Actor) -> None:  # noqa: F811
    user, reply = told["user_message"]["id"], told["assistant_message"]["id"]
    wrong = {"message_type": "assistant_message", "content": "x"}
    assert edit(api, agent, user, wrong).status_code == 400
    assert edit(api, agent, reply, {"content": ""}).status_code == 400
    assert edit(api, agent, reply, {}).status_code == 422
    assert edit(api, agent, reply, {"message_type": "ping", "content": "x"}).status_code == 422
    assert edit(api, agent, "message-x", {"content": "x"}).status_code == 422
    unknown = "message-00000000-0000-4000-8000-000000000000"
    assert edit(api, agent, unknown, {"content": "x"}).status_code == 404
    Agent.objects.update(org_id=stranger.org_id)
    assert edit(api, agent, user, {"content": "x"}).status_code == 404
    assert not MessageVersion.objects.exists()


def test_one_question_leaves_no_trace(api: Api, agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    openai.push("Forty-two.")
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    body = {"prompt": "Six by seven?", "system_prompt": "Count.", "response_schema": schema}
    path = f"/v1/agents/{agent['id']}/generate"
    answer = play(lambda: post(path, body))
    assert answer.status_code == 200, answer.content
    found = answer.json()
    assert (found["content"], found["usage"]["step_count"]) == ("Forty-two.", 1)
    (chat,) = openai.chats
    assert [row["content"] for row in chat["messages"]] == ["Count.", "Six by seven?"]
    assert "tools" not in chat
    assert chat["response_format"]["json_schema"]["schema"] == schema
    play(lambda: post(path, {"prompt": "x", "override_model": "openai/gpt-4o"}))
    assert openai.chats[-1]["model"] == "gpt-4o"
    assert Message.objects.count() == 1
    assert play(lambda: post(path, {"prompt": ""})).status_code == 422
    unknown = "/v1/agents/agent-00000000-0000-4000-8000-000000000000/generate"
    assert play(lambda: post(unknown, {"prompt": "x"})).status_code == 404
