"""Tools that the caller offers with a request and runs itself."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models import ToolCall
from memory.models import Block
from tests.app.conftest import Api
from tests.app.posting import send, stream
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

CLOCK = {
    "name": "read_clock",
    "description": "Tell the time here.",
    "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}},
}
ASK = {"messages": [{"role": "user", "content": "What time is it?"}], "client_tools": [CLOCK]}
CALL = Call("read_clock", {"zone": "UTC"}, "call_clock")
RETURN = {"type": "tool", "tool_call_id": "call_clock", "tool_return": "12:30", "status": "success"}


@pytest.fixture
def agent(api: Api, openai: FakeOpenAI) -> Any:
    blocks = [{"label": "human", "value": "Bob"}]
    body = {"model": "openai/gpt-4o-mini", "memory_blocks": blocks}
    return api.send("POST", "/v1/agents/", body).json()


def offered(openai: FakeOpenAI) -> dict[str, Any]:
    return {tool["function"]["name"]: tool["function"] for tool in openai.chats[-1]["tools"]}


def test_the_model_sees_them_for_this_request_only(agent: Any, openai: FakeOpenAI) -> None:
    send(agent["id"], ASK)
    assert offered(openai)["read_clock"] == CLOCK
    send(agent["id"], {"input": "And now?"})
    assert "read_clock" not in offered(openai)


@pytest.mark.parametrize(
    "item",
    [
        {"type": "approval", "approvals": [RETURN]},
        {"type": "tool_return", "tool_returns": [RETURN]},
        {
            "type": "tool_return",
            "tool_returns": [{**RETURN, "tool_return": [{"type": "text", "text": "12:30"}]}],
        },
    ],
)
def test_the_callers_result_goes_to_the_model(agent: Any, openai: FakeOpenAI, item: Any) -> None:
    openai.push(Reply(calls=(CALL,)))
    asked = send(agent["id"], ASK).json()
    assert asked["stop_reason"]["stop_reason"] == "requires_approval"
    assert asked["messages"][-1]["tool_call"]["name"] == "read_clock"
    openai.push("Half past twelve.")
    told = send(agent["id"], {"messages": [item], "client_tools": [CLOCK]}).json()["messages"]
    assert [one["message_type"] for one in told] == ["tool_return_message", "assistant_message"]
    assert (told[0]["tool_return"], told[0]["status"]) == ("12:30", "success")
    assert openai.chats[-1]["messages"][-1]["content"] == "12:30"
    assert "read_clock" in offered(openai)


def test_a_failure_at_the_caller_keeps_what_it_printed(agent: Any, openai: FakeOpenAI) -> None:
    openai.push(Reply(calls=(CALL,)))
    send(agent["id"], ASK)
    failed = {**RETURN, "status": "error", "tool_return": "no clock", "stderr": ["boom"]}
    told = send(agent["id"], {"messages": [{"type": "approval", "approvals": [failed]}]}).json()
    assert told["messages"][0]["stderr"] == ["boom"]
    assert told["messages"][0]["status"] == "error"
    assert ToolCall.objects.get().stderr == ["boom"]


def test_they_take_the_place_of_the_servers_own(agent: Any, openai: FakeOpenAI) -> None:
    openai.push(Reply(calls=(Call("memory_insert", {"x": 1}, "call_clock"),)))
    own = {"name": "memory_insert", "description": "Mine."}
    asked = send(agent["id"], {**ASK, "client_tools": [own]}).json()
    assert asked["stop_reason"]["stop_reason"] == "requires_approval"
    assert offered(openai)["memory_insert"]["description"] == "Mine."
    openai.push("Done.")
    item = {"type": "tool_return", "tool_returns": [RETURN]}
    send(agent["id"], {"messages": [item], "client_tools": [own]})
    assert Block.objects.get().value == "Bob"


def test_its_own_tools_run_beside_them_after_the_answer(agent: Any, openai: FakeOpenAI) -> None:
    edit = Call("memory_insert", {"label": "human", "new_string": "Oslo."}, "call_edit")
    openai.push(Reply(calls=(edit, CALL)))
    asked = send(agent["id"], ASK).json()["messages"]
    assert [one["message_type"] for one in asked] == [
        "tool_call_message",
        "approval_request_message",
    ]
    assert Block.objects.get().value == "Bob"
    openai.push("Done.")
    told = send(agent["id"], {"messages": [{"type": "approval", "approvals": [RETURN]}]}).json()
    returned = told["messages"][0]["tool_returns"]
    assert [one["tool_call_id"] for one in returned] == ["call_edit", "call_clock"]
    assert Block.objects.get().value == "Bob\nOslo."


def test_they_work_in_a_stream(agent: Any, openai: FakeOpenAI) -> None:
    openai.push(Reply(calls=(CALL,)))
    found = stream(agent["id"], {**ASK, "stream_tokens": True})
    assert found.of_type("approval_request_message")[0]["tool_call"]["name"] == "read_clock"
    openai.push("Half past.")
    item = {"type": "approval", "approvals": [RETURN]}
    rest = stream(agent["id"], {"messages": [item], "client_tools": [CLOCK]})
    assert rest.types == [
        "ping",
        "tool_return_message",
        "assistant_message",
        "stop_reason",
        "usage_statistics",
    ]
