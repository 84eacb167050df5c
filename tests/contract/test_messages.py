"""Sending and reading messages: types, order and usage as each client sees them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.driving import Client, ClientError
from tests.contract.samples import INSERT, agent_fields, block_values, kinds, user
from tests.fakes.openai_replies import Call, Failure, Reply, Usage, error_body
from tests.fakes.openai_server import FakeOpenAI


def test_reply_with_reasoning_and_usage(
    client: Client, agent: dict[str, Any], fake_openai: FakeOpenAI
) -> None:
    fake_openai.push(
        Reply("I am well.", reasoning="They ask how I am.", usage=Usage(321, 12, reasoning=5))
    )
    response = client.call(
        "messages.create", agent_id=agent["id"], messages=user("hows it going????")
    )
    reasoning, spoken = response["messages"]
    assert kinds(response["messages"]) == ["reasoning_message", "assistant_message"]
    assert reasoning["reasoning"] == "They ask how I am."
    assert spoken["content"] == "I am well."
    assert response["stop_reason"]["stop_reason"] == "end_turn"
    usage = response["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (321, 12)
    assert (usage["total_tokens"], usage["step_count"]) == (333, 1)
    assert not [line for line in client.said if "Failed to validate" in line]


def test_provider_gets_the_memory_and_the_message(
    client: Client, agent: dict[str, Any], fake_openai: FakeOpenAI
) -> None:
    client.call("messages.create", agent_id=agent["id"], messages=user("hows it going????"))
    sent = fake_openai.chats[0]
    assert sent["model"] == "gpt-4o-mini"
    assert sent["messages"][0]["role"] == "system"
    assert "Bob the Builder" in sent["messages"][0]["content"]
    assert sent["messages"][-1] == {"role": "user", "content": "hows it going????"}
    names = {tool["function"]["name"] for tool in sent["tools"]}
    assert {"memory_insert", "memory_replace", "conversation_search"} <= names


def test_memory_tool_edits_the_block(
    client: Client, agent: dict[str, Any], fake_openai: FakeOpenAI
) -> None:
    fake_openai.push(Reply(calls=(Call("memory_insert", INSERT),)), Reply("Noted."))
    response = client.call(
        "messages.create", agent_id=agent["id"], messages=user("My dog is called Scoop.")
    )
    assert kinds(response["messages"]) == [
        "tool_call_message",
        "tool_return_message",
        "assistant_message",
    ]
    called, returned, _ = response["messages"]
    assert called["tool_call"]["name"] == "memory_insert"
    assert returned["tool_call_id"] == called["tool_call"]["tool_call_id"]
    assert returned["status"] == "success"
    found = client.call("agents.retrieve", agent_id=agent["id"])
    assert "Scoop" in block_values(found)["human"]
    assert response["usage"]["step_count"] == 2
    assert response["usage"]["prompt_tokens"] == sum(u.prompt for u in fake_openai.usages)
    assert response["usage"]["completion_tokens"] == sum(u.completion for u in fake_openai.usages)


def test_failing_tool_reports_an_error_and_the_turn_goes_on(
    client: Client, agent: dict[str, Any], fake_openai: FakeOpenAI
) -> None:
    wrong = {"label": "human", "old_string": "no such text", "new_string": "x"}
    fake_openai.push(Reply(calls=(Call("memory_replace", wrong),)), Reply("That did not work."))
    response = client.call("messages.create", agent_id=agent["id"], messages=user("Replace it."))
    returned = response["messages"][1]
    assert (returned["message_type"], returned["status"]) == ("tool_return_message", "error")
    assert response["messages"][-1]["content"] == "That did not work."


def test_history_is_listed_oldest_first(
    client: Client, agent: dict[str, Any], fake_openai: FakeOpenAI
) -> None:
    fake_openai.push("one", "two")
    for text in ("first", "second"):
        client.call("messages.create", agent_id=agent["id"], messages=user(text))
    listed = client.call("messages.list", agent_id=agent["id"])
    assert len({message["id"] for message in listed}) == len(listed)
    spoken = [m for m in listed if m["message_type"] in ("user_message", "assistant_message")]
    assert [m["content"] for m in spoken][-4:] == ["first", "one", "second", "two"]


def test_history_pages_by_absolute_time(
    client: Client, agent: dict[str, Any], fake_openai: FakeOpenAI
) -> None:
    fake_openai.push("one", "two")
    for text in ("first", "second"):
        client.call("messages.create", agent_id=agent["id"], messages=user(text))
    listing = {"agent_id": agent["id"], "first_page": True}
    newest = client.call("messages.list", limit=2, **listing)
    assert [m["content"] for m in newest] == ["second", "two"]
    older = client.call("messages.list", limit=2, before=newest[0]["id"], **listing)
    assert [m["content"] for m in older] == ["first", "one"]
    newer = client.call("messages.list", after=older[-1]["id"], **listing)
    assert [m["content"] for m in newer] == ["second", "two"]
    assert client.call("messages.list", after=newest[-1]["id"], **listing) == []


def test_reset_drops_the_context(
    client: Client, agent: dict[str, Any], fake_openai: FakeOpenAI
) -> None:
    client.call("messages.create", agent_id=agent["id"], messages=user("the old story"))
    state = client.call("messages.reset", agent_id=agent["id"], add_default_initial_messages=False)
    assert state["id"] == agent["id"] and len(state["message_ids"]) == 1
    client.call("messages.create", agent_id=agent["id"], messages=user("a new story"))
    sent = fake_openai.chats[-1]["messages"]
    assert [message["role"] for message in sent] == ["system", "user"]
    assert "the old story" not in str(sent)


def test_provider_error_reaches_the_caller_once(
    client: Client, agent: dict[str, Any], fake_openai: FakeOpenAI
) -> None:
    refusal = Failure(400, error_body("This request is refused by the provider."))
    fake_openai.answer_with(lambda request: refusal)
    with pytest.raises(ClientError) as caught:
        client.call("messages.create", agent_id=agent["id"], messages=user("hello"))
    assert caught.value.status == 400
    assert len(fake_openai.chats) == 1
    fake_openai.reset()
    response = client.call("messages.create", agent_id=agent["id"], messages=user("again"))
    assert kinds(response["messages"]) == ["assistant_message"]


@pytest.mark.parametrize("content", ["", []])
def test_empty_message_is_refused(client: Client, agent: dict[str, Any], content: Any) -> None:
    message = {"role": "user", "content": content}
    with pytest.raises(ClientError) as caught:
        client.call("messages.create", agent_id=agent["id"], messages=[message])
    assert caught.value.status in (400, 422)


def test_older_agent_types_speak_through_a_tool(client: Client, fake_openai: FakeOpenAI) -> None:
    agent = client.call("agents.create", **agent_fields(agent_type="memgpt_v2_agent"))
    speak = Call("send_message", {"message": "Can we fix it?", "request_heartbeat": False})
    fake_openai.push(Reply(reasoning="A question is best.", calls=(speak,)))
    response = client.call("messages.create", agent_id=agent["id"], messages=user("hello"))
    assert kinds(response["messages"]) == ["reasoning_message", "assistant_message"]
    assert response["messages"][-1]["content"] == "Can we fix it?"
    fake_openai.push(Reply(reasoning="Again.", calls=(speak,)))
    raw = client.call(
        "messages.create", agent_id=agent["id"], messages=user("hi"), use_assistant_message=False
    )
    assert kinds(raw["messages"])[-2:] == ["tool_call_message", "tool_return_message"]
    client.call("agents.delete", agent_id=agent["id"])
