"""Streams, by step and by token, are read to their end by every client without an error."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.driving import Client
from tests.contract.samples import INSERT, kinds, new_clients_only, user
from tests.fakes.openai_replies import Call, Reply, Usage
from tests.fakes.openai_server import FakeOpenAI

ANSWER = "Grüße [DONE] — all fine, 日本 too."


def read_stream(client: Client, agent: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = client.call(
        "messages.stream", agent_id=agent["id"], messages=user("hows it going????"), **options
    )
    return frames


def without_pings(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [frame for frame in frames if frame["message_type"] != "ping"]


def assert_ends_with_usage(frames: list[dict[str, Any]], fake: FakeOpenAI) -> None:
    assert kinds(frames)[-2:] == ["stop_reason", "usage_statistics"]
    assert frames[-2]["stop_reason"] == "end_turn"
    usage = frames[-1]
    assert usage["prompt_tokens"] == sum(u.prompt for u in fake.usages)
    assert usage["completion_tokens"] == sum(u.completion for u in fake.usages)
    assert usage["step_count"] == len(fake.chats)


def test_steps(client: Client, agent: dict[str, Any], fake_openai: FakeOpenAI) -> None:
    fake_openai.push(Reply(ANSWER, reasoning="Short thought.", usage=Usage(77, 11)))
    frames = without_pings(read_stream(client, agent))
    assert kinds(frames)[:-2] == ["reasoning_message", "assistant_message"]
    assert frames[1]["content"] == ANSWER
    assert_ends_with_usage(frames, fake_openai)


def test_tokens(client: Client, agent: dict[str, Any], fake_openai: FakeOpenAI) -> None:
    fake_openai.push(Reply(ANSWER, reasoning="One two three.", usage=Usage(77, 11)))
    frames = without_pings(read_stream(client, agent, stream_tokens=True))
    spoken = [f for f in frames if f["message_type"] == "assistant_message"]
    thought = [f for f in frames if f["message_type"] == "reasoning_message"]
    assert len(spoken) > 1
    assert "".join(f["content"] for f in spoken) == ANSWER
    assert "".join(f["reasoning"] for f in thought) == "One two three."
    assert len({f["id"] for f in spoken}) == 1
    assert_ends_with_usage(frames, fake_openai)


@pytest.mark.parametrize("stream_tokens", [False, True])
def test_tool_call_and_return(
    client: Client, agent: dict[str, Any], fake_openai: FakeOpenAI, stream_tokens: bool
) -> None:
    fake_openai.push(Reply(calls=(Call("memory_insert", INSERT),)), Reply("Noted."))
    frames = without_pings(read_stream(client, agent, stream_tokens=stream_tokens))
    calls = [f["tool_call"] for f in frames if f["message_type"] == "tool_call_message"]
    returned = [f for f in frames if f["message_type"] == "tool_return_message"]
    assert "".join(call.get("name") or "" for call in calls) == "memory_insert"
    assert "Scoop" in "".join(call.get("arguments") or "" for call in calls)
    assert (len(calls) > 1) == stream_tokens
    assert [f["status"] for f in returned] == ["success"]
    assert {call["tool_call_id"] for call in calls} == {returned[0]["tool_call_id"]}
    assert_ends_with_usage(frames, fake_openai)


def test_streamed_messages_are_the_stored_ones(
    client: Client, agent: dict[str, Any], fake_openai: FakeOpenAI
) -> None:
    fake_openai.push(Reply("Stored as streamed."))
    frames = read_stream(client, agent, stream_tokens=True)
    streamed = {f["id"] for f in frames if f["message_type"] == "assistant_message"}
    listed = client.call("messages.list", agent_id=agent["id"])
    stored = {m["id"] for m in listed if m["message_type"] == "assistant_message"}
    assert streamed <= stored
    assert listed[-1]["content"] == "Stored as streamed."


@new_clients_only
def test_new_spelling_of_a_stream(
    client: Client, agent: dict[str, Any], fake_openai: FakeOpenAI
) -> None:
    fake_openai.push(Reply("By the newer way."))
    options = {"streaming": True, "stream_tokens": True, "messages": user("hello")}
    frames = client.call("messages.create", agent_id=agent["id"], **options)
    spoken = [f["content"] for f in frames if f["message_type"] == "assistant_message"]
    assert "".join(spoken) == "By the newer way."
