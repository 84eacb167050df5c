"""Streams over REST: the rules that let clients of both eras read them."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models import Run
from tests.app.conftest import Api
from tests.app.posting import stream
from tests.app.test_messages import HELLO, agent, make  # noqa: F401
from tests.fakes.openai_replies import Call, Failure, Reply, error_body
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

STREAMING = {"streaming": True, **HELLO}
TOKENS = {"stream_tokens": True, **STREAMING}


def test_order_and_form(agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    openai.push("Grüße an [DONE].")
    found = stream(agent["id"], HELLO)
    assert found.status == 200
    assert found.types == ["ping", "assistant_message", "stop_reason", "usage_statistics"]
    assert all(line.startswith("data: ") and "\n" not in line for line in found.lines)
    assert found.lines[-1] == "data: [DONE]"
    assert found.raw.count(b"[DONE]") == 1
    assert found.frames[1]["content"] == "Grüße an [DONE]."
    assert {frame["run_id"] for frame in found.frames[:2]} == {Run.objects.get().id}
    assert found.frames[0]["id"].startswith("ping-")
    assert found.frames[1]["seq_id"] is None


def test_the_flag_on_the_plain_route_streams_for_anybody(
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
) -> None:
    found = stream(agent["id"], STREAMING, path="messages", User_Agent="curl/8")
    assert found.types[-2:] == ["stop_reason", "usage_statistics"]
    found = stream(agent["id"], {"include_pings": False, **STREAMING}, path="messages")
    assert "ping" not in found.types


def test_tokens_arrive_in_pieces_of_one_message(
    api: Api,
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
) -> None:
    call = Call("memory_insert", {"label": "human", "new_string": "Oslo."}, "call_1")
    openai.push(
        Reply(text="One moment please.", reasoning="Think hard.", calls=(call,)), "Done it."
    )
    found = stream(agent["id"], TOKENS)
    stored = api.get(f"/v1/agents/{agent['id']}/messages").json()[2:]
    for message in stored:
        pieces = [
            frame
            for frame in found.frames
            if (frame.get("id"), frame.get("otid")) == (message["id"], message["otid"])
        ]
        assert pieces, message
        assert {piece["message_type"] for piece in pieces} == {message["message_type"]}
        for key in ("content", "reasoning"):
            if key in message:
                assert "".join(piece[key] for piece in pieces) == message[key]
                assert len(pieces) > 1
        if message["message_type"] == "tool_call_message":
            written = "".join(piece["tool_call"]["arguments"] or "" for piece in pieces)
            assert written == message["tool_call"]["arguments"]
            assert all(piece["tool_calls"] == piece["tool_call"] for piece in pieces)
    assert len(found.of_type("tool_return_message")) == 1


def test_words_said_through_a_tool_stream_as_words(api: Api, openai: FakeOpenAI) -> None:
    agent = make(api, agent_type="memgpt_v2_agent")  # noqa: F811
    words = 'Hello "Bob",\nthis is Grüße 🎉 to you.'
    openai.push(Reply(calls=(Call("send_message", {"message": words}),)))
    found = stream(agent["id"], TOKENS)
    said = found.of_type("assistant_message")
    assert len(said) > 1
    assert "".join(frame["content"] for frame in said) == words
    assert "tool_return_message" not in found.types


@pytest.mark.parametrize("body", [HELLO, TOKENS])
def test_a_failing_stream_ends_in_order(agent: Any, openai: FakeOpenAI, body: Any) -> None:  # noqa: F811
    openai.push(Failure(500, error_body("broken")))
    found = stream(agent["id"], body)
    assert found.types == ["ping", "stop_reason", "error_message"]
    assert found.lines[-2].startswith("event: error\ndata: ")
    assert found.lines[-1] == "data: [DONE]"
    stop, error = found.frames[1:]
    assert stop["stop_reason"] in ("error", "llm_api_error")
    assert set(error) == {"message_type", "run_id", "error_type", "message", "detail", "seq_id"}
    assert error["error_type"] == "llm_error"


def test_old_clients_get_no_error_frame(agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    openai.push(Failure(500, error_body("broken")))
    found = stream(agent["id"], HELLO, X_Fern_Language="JavaScript")
    assert found.types == ["ping", "stop_reason"]
    assert b"event:" not in found.raw


def test_a_background_stream_is_numbered(agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    call = Call("memory_insert", {"label": "human", "new_string": "Oslo."})
    openai.push(Reply(calls=(call,)), "Done.")
    found = stream(agent["id"], {"background": True, **STREAMING}, path="messages")
    numbers = [frame["seq_id"] for frame in found.frames if frame.get("seq_id")]
    assert numbers == [1, 2, 3, 4, 5]  # the stop and the usage too
    assert Run.objects.get().background


def test_silence_is_broken_by_pings(agent: Any, openai: FakeOpenAI, settings: Any) -> None:  # noqa: F811
    settings.PING_INTERVAL_S = 0.1
    openai.push(Reply("Slow.", delay_s=0.45))
    found = stream(agent["id"], HELLO)
    assert found.types.count("ping") >= 3
    quiet = stream(agent["id"], {"include_pings": False, **STREAMING}, path="messages")
    assert "ping" not in quiet.types


def test_only_some_types(agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    openai.push(Reply(text="Hi.", reasoning="Hm."))
    body = {"include_return_message_types": ["assistant_message"], **TOKENS}
    assert set(stream(agent["id"], body).types) == {
        "ping",
        "assistant_message",
        "stop_reason",
        "usage_statistics",
    }


def test_a_resent_stream_tells_the_same_run(agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    openai.push("Once.")
    first = stream(agent["id"], HELLO)
    again = stream(agent["id"], HELLO, X_Stainless_Retry_Count="1")
    assert again.frames[1:3] == first.frames[1:3]
    assert Run.objects.count() == 1


def test_what_cannot_be_sent_is_no_stream(agent: Any) -> None:  # noqa: F811
    from tests.app.posting import play, post

    path = f"/v1/agents/{agent['id']}/messages/stream"
    assert play(lambda: post(path, {"messages": []})).status_code == 422
