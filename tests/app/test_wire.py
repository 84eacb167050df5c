"""Messages and frames, without a server: every type, and every rule of a stream."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.engine.events import (
    ReasoningDelta,
    RunStarted,
    StepCommitted,
    StepStarted,
    TextDelta,
    ToolCallDelta,
)
from agents.types import (
    ImagePart,
    Message,
    ReasoningPart,
    TextPart,
    ToolCall,
    ToolReturn,
    Usage,
)
from agents.wire.callers import Caller, caller_of
from agents.wire.encode import FrameEncoder, partial_argument
from agents.wire.messages import View, encode_message
from agents.wire.sse import frame

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
MESSAGE_ID = "message-b233082c-c5cb-4cbf-bdf8-d10ad365dae9"
HEADER = set("id date name message_type otid sender_id step_id is_err seq_id run_id".split())
KEYS = {
    "system_message": {"content"},
    "user_message": {"content"},
    "assistant_message": {"content"},
    "reasoning_message": {"source", "reasoning", "signature"},
    "hidden_reasoning_message": {"state", "hidden_reasoning"},
    "tool_call_message": {"tool_call", "tool_calls"},
    "approval_request_message": {"tool_call", "tool_calls"},
    "approval_response_message": {"approvals", "approve", "approval_request_id", "reason"},
    "summary_message": {"summary", "compaction_stats"},
    "tool_return_message": {
        "tool_return",
        "status",
        "tool_call_id",
        "stdout",
        "stderr",
        "tool_returns",
    },
}
BY_TOOL = View(text_is_reply=False)
CALL = ToolCall("c1", "echo", "{}")
SAY = ToolCall("c2", "send_message", '{"message": "Hello."}')


def message(role: Any, *parts: Any, **fields: Any) -> Message:
    return Message(MESSAGE_ID, role, NOW, parts=parts, **fields)


def types(found: list[dict[str, Any]]) -> list[str]:
    return [one["message_type"] for one in found]


APPROVAL = {"type": "approval", "tool_call_id": "c1", "approve": False, "reason": "no"}
SUMMARY = json.dumps({"type": "system_alert", "message": "Short.", "compaction_stats": {"a": 1}})


@pytest.mark.parametrize(
    ("given_message", "view", "expected"),
    [
        (message("system", TextPart("s")), View(), ["system_message"]),
        (message("user", TextPart("u")), View(), ["user_message"]),
        (message("assistant", TextPart("a")), View(), ["assistant_message"]),
        (message("assistant", TextPart("a")), BY_TOOL, ["reasoning_message"]),
        (message("assistant", TextPart("")), View(), []),
        (message("assistant", ReasoningPart("")), View(), ["hidden_reasoning_message"]),
        (message("assistant", ImagePart(url="x")), View(), []),
        (
            message("assistant", ReasoningPart("r"), TextPart("a"), tool_calls=(CALL, SAY)),
            View(),
            ["reasoning_message", "assistant_message", "assistant_message", "tool_call_message"],
        ),
        (
            message("assistant", ReasoningPart("r", native=False), tool_calls=(CALL, SAY)),
            BY_TOOL,
            ["reasoning_message", "assistant_message", "tool_call_message"],
        ),
        (message("assistant", tool_calls=(SAY,)), View(), ["assistant_message"]),
        (
            message("assistant", tool_calls=(SAY,)),
            View(use_assistant_message=False),
            ["tool_call_message"],
        ),
        (message("tool", tool_returns=(ToolReturn("c1", "echo", "x"),)), View(), None),
        (message("tool", tool_returns=(ToolReturn("c2", "send_message", "x"),)), BY_TOOL, []),
        (message("approval", tool_calls=(CALL,)), View(), ["approval_request_message"]),
        (message("approval", approvals=(APPROVAL,)), View(), ["approval_response_message"]),
        (message("summary", TextPart(SUMMARY)), View(), ["user_message"]),
        (message("summary", TextPart(SUMMARY)), View(compaction=True), ["summary_message"]),
    ],
)
def test_what_a_stored_message_becomes(
    given_message: Message, view: View, expected: list[str] | None
) -> None:
    found = encode_message(given_message, view)
    assert types(found) == (["tool_return_message"] if expected is None else expected)
    for one in found:
        assert set(one) == HEADER | KEYS[one["message_type"]]
        assert one["date"] == "2026-01-02T03:04:05+00:00"


def test_old_keys_repeat_the_first_of_the_new_ones() -> None:
    returns = (ToolReturn("c1", "echo", "x"), ToolReturn("c3", "other", "y", "error"))
    (found,) = encode_message(message("tool", tool_returns=returns), View())
    assert (found["tool_return"], found["tool_call_id"], found["name"]) == ("x", "c1", "echo")
    assert [one["status"] for one in found["tool_returns"]] == ["success", "error"]
    (found,) = encode_message(message("approval", approvals=(APPROVAL,)), View())
    assert (found["approve"], found["reason"]) == (False, "no")


def test_otids_count_the_parts_and_filters_do_not_change_them() -> None:
    whole = message("assistant", ReasoningPart("r"), TextPart("a"), tool_calls=(CALL,))
    found = encode_message(whole, View())
    assert [one["otid"][-2:] for one in found] == ["80", "81", "82"]
    (call,) = encode_message(whole, View(types=frozenset({"tool_call_message"})))
    assert call["otid"] == found[2]["otid"]
    (user,) = encode_message(message("user", TextPart("u"), otid="mine"), View())
    assert user["otid"] == "mine"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"type": "user_message", "message": "hi", "time": "t"}', "hi"),
        ('{"type": "heartbeat", "reason": "r"}', '{"type": "heartbeat", "reason": "r"}'),
        ("{not json", "{not json"),
        ("[1]", "[1]"),
    ],
)
def test_only_a_users_envelope_is_opened(text: str, shown: str) -> None:
    assert encode_message(message("user", TextPart(text)), View())[0]["content"] == shown


# --- frames ----------------------------------------------------------------------------------


def encoder(**fields: Any) -> FrameEncoder:
    return FrameEncoder("run-1", fields.pop("view", View()), tokens=True, **fields)


def play(one: FrameEncoder, *events: Any) -> list[dict[str, Any]]:
    return [found for event in events for found in one.frames(event)]


START = StepStarted("step-1", MESSAGE_ID, 1, NOW)


def test_pieces_have_the_ids_of_the_whole() -> None:
    stored = message(
        "assistant",
        ReasoningPart("Hm."),
        TextPart("Hi."),
        tool_calls=(CALL,),
        step_id="step-1",
        run_id="run-1",
    )
    pieces = play(
        encoder(),
        RunStarted(()),
        START,
        ReasoningDelta(MESSAGE_ID, "H"),
        ReasoningDelta(MESSAGE_ID, "m."),
        TextDelta(MESSAGE_ID, "Hi."),
        ToolCallDelta(MESSAGE_ID, 0, "c1", "echo", ""),
        ToolCallDelta(MESSAGE_ID, 0, "c1", None, "{}"),
        StepCommitted("step-1", 1, (stored,), Usage()),
    )
    wholes = {one["otid"]: one for one in encode_message(stored, View())}
    assert [piece["otid"][-1] for piece in pieces] == list("00122")
    for piece in pieces:
        whole = wholes[piece["otid"]]
        same = ("id", "message_type", "step_id", "run_id", "date")
        assert [piece[key] for key in same] == [whole[key] for key in same]
    assert pieces[-1]["tool_calls"] == {"name": None, "arguments": "{}", "tool_call_id": "c1"}


def test_what_was_not_streamed_comes_with_the_commit() -> None:
    stored = message("assistant", TextPart("Hi."))
    one = encoder()
    commit = StepCommitted("step-1", 1, (stored,), Usage())
    assert types(play(one, START, commit)) == ["assistant_message"]
    assert play(one, commit) == []


def test_own_words_and_heartbeats_are_no_answer() -> None:
    stored = (message("user", TextPart("u")), message("approval", approvals=(APPROVAL,)))
    commit = StepCommitted("step-1", 1, stored, Usage())
    assert play(FrameEncoder("run-1", View()), commit) == []


@given(st.text(), st.data())
def test_an_argument_can_be_read_while_it_is_written(text: str, data: st.DataObject) -> None:
    escape = data.draw(st.booleans())
    whole = json.dumps({"thinking": 'say "message": now', "message": text}, ensure_ascii=escape)
    cut = data.draw(st.integers(0, len(whole)))
    assert text.startswith(partial_argument(whole[:cut], "message"))
    assert partial_argument(whole, "message") == text


def test_frames_are_ascii_and_hold_no_false_end() -> None:
    raw = frame({"content": "ü [DONE] \n"})
    assert raw.count(b"\n") == 2 and raw.endswith(b"\n\n")
    assert b"[DONE]" not in raw and raw.isascii()
    assert json.loads(raw[6:]) == {"content": "ü [DONE] \n"}


@pytest.mark.parametrize(
    ("headers", "caller"),
    [
        ({}, Caller()),
        ({"X-Fern-Language": "JavaScript"}, Caller(old=True)),
        ({"X-Stainless-Retry-Count": "2"}, Caller(resends=True)),
        ({"X-Stainless-Retry-Count": "x"}, Caller()),
        ({"X-Project-Id": "p"}, Caller(project_id="p")),
    ],
)
def test_who_is_calling(headers: dict[str, str], caller: Caller) -> None:
    assert caller_of(headers) == caller
