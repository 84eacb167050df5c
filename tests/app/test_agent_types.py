"""Every type of agent over REST: how it begins, what it has, how it speaks."""

from __future__ import annotations

import pytest

from tests.app.company import fetch, make, names, say
from tests.app.conftest import Api
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

MEMGPT = ["send_message", "conversation_search", "core_memory_append", "core_memory_replace"]
MEMGPT += ["memory", "memory_apply_patch"]
TOOLS = {
    "letta_v1_agent": ["conversation_search", "memory_replace", "memory_insert"],
    "memgpt_v2_agent": ["send_message", "conversation_search", "memory_replace", "memory_insert"],
    "memgpt_agent": MEMGPT,
    "split_thread_agent": MEMGPT,
    "sleeptime_agent": [
        "memory_replace",
        "memory_insert",
        "memory_rethink",
        "memory_finish_edits",
    ],
    "voice_convo_agent": ["send_message", "search_memory"],
    "voice_sleeptime_agent": [
        "store_memories",
        "rethink_user_memory",
        "finish_rethinking_memory",
    ],
    "react_agent": [],
    "workflow_agent": [],
}
LOGIN = {"memgpt_v2_agent", "memgpt_agent", "split_thread_agent", "voice_convo_agent"}
LOGIN |= {"react_agent", "workflow_agent"}
HEARTBEATS = {"memgpt_v2_agent", "memgpt_agent", "split_thread_agent", "voice_convo_agent"}
THINKING = HEARTBEATS - {"voice_convo_agent"}
TERMINAL = {"send_message", "memory_finish_edits", "finish_rethinking_memory"}
every_type = pytest.mark.parametrize("agent_type", TOOLS)


@every_type
def test_what_it_has_and_how_it_begins(api: Api, openai: FakeOpenAI, agent_type: str) -> None:
    agent = make(api, agent_type=agent_type)
    assert names(agent) == TOOLS[agent_type]
    rules = {rule["tool_name"]: rule["type"] for rule in agent["tool_rules"]}
    ruled = [] if agent_type == "letta_v1_agent" else TOOLS[agent_type]
    assert rules == {n: "exit_loop" if n in TERMINAL else "continue_loop" for n in ruled}
    begun = fetch(api, f"agents/{agent['id']}/messages")
    kinds_begun = [one["message_type"] for one in begun]
    assert kinds_begun[0] == "system_message"
    assert (len(kinds_begun) > 1) == (agent_type in LOGIN)
    if agent_type in LOGIN:
        assert kinds_begun[-1] == "user_message"
        assert '"type": "login"' in begun[-1]["content"]
        assert "assistant_message" in kinds_begun
    assert agent["message_buffer_autoclear"] is (agent_type == "workflow_agent")


@every_type
def test_one_turn(api: Api, openai: FakeOpenAI, agent_type: str) -> None:
    agent = make(api, agent_type=agent_type)
    spoken = Call("send_message", {"message": "Hello there.", "thinking": "A greeting."})
    if agent_type in HEARTBEATS:
        openai.push(Reply(calls=(spoken,)))
    else:
        openai.push("Hello there.")
    answer = say(f"agents/{agent['id']}").json()
    said = [one for one in answer["messages"] if one["message_type"] == "assistant_message"]
    assert [one["content"] for one in said] == ["Hello there."]
    assert answer["stop_reason"]["stop_reason"] == "end_turn"
    (request,) = openai.chats
    asked = {
        row["function"]["name"]: row["function"]["parameters"]["properties"]
        for row in request.get("tools", ())
    }
    for name, properties in asked.items():
        wanted = agent_type in HEARTBEATS and name not in TERMINAL
        assert ("request_heartbeat" in properties) is wanted
        assert ("thinking" in properties) is (agent_type in THINKING)
    if asked:
        needed = "required" if agent_type in HEARTBEATS else "auto"
        assert request["tool_choice"] == needed
    if agent_type in THINKING:
        thoughts = [one for one in answer["messages"] if one["message_type"] == "reasoning_message"]
        assert [one["reasoning"] for one in thoughts] == ["A greeting."]


@pytest.mark.parametrize("agent_type", sorted(HEARTBEATS))
def test_a_call_can_ask_for_another_turn(api: Api, openai: FakeOpenAI, agent_type: str) -> None:
    agent = make(api, agent_type=agent_type, include_base_tool_rules=False)
    search = next(name for name in names(agent) if "search" in name)
    openai.push(
        Reply(calls=(Call(search, {"request_heartbeat": True}),)),
        Reply(calls=(Call("send_message", {"message": "Nothing."}),)),
    )
    answer = say(f"agents/{agent['id']}").json()
    assert answer["usage"]["step_count"] == 2
    assert '"type": "heartbeat"' in openai.chats[1]["messages"][-1]["content"]


@pytest.mark.parametrize("agent_type", sorted(HEARTBEATS))
def test_without_a_call_these_have_not_answered(
    api: Api, openai: FakeOpenAI, agent_type: str
) -> None:
    agent = make(api, agent_type=agent_type)
    openai.push("I only think.")
    answer = say(f"agents/{agent['id']}")
    assert answer.status_code >= 400
    assert fetch(api, f"agents/{agent['id']}")["last_stop_reason"] == "no_tool_call"


def test_a_raw_call_on_request(api: Api, openai: FakeOpenAI) -> None:
    agent = make(api, agent_type="memgpt_v2_agent")
    openai.push(Reply(calls=(Call("send_message", {"message": "Hi."}),)))
    answer = say(f"agents/{agent['id']}", use_assistant_message=False).json()
    kinds = [one["message_type"] for one in answer["messages"]]
    assert kinds == ["tool_call_message", "tool_return_message"]
    assert answer["messages"][1]["tool_return"] == "Sent message successfully."


def test_a_tending_agent_ends_its_turn_by_a_call(api: Api, openai: FakeOpenAI) -> None:
    blocks = [{"label": "human", "value": "Bob"}]
    agent = make(api, agent_type="sleeptime_agent", memory_blocks=blocks)
    openai.push(
        Reply(calls=(Call("memory_rethink", {"label": "human", "new_memory": "Bob, Oslo"}),)),
        Reply(calls=(Call("memory_finish_edits"),)),
    )
    answer = say(f"agents/{agent['id']}").json()
    assert answer["usage"]["step_count"] == 2
    assert answer["stop_reason"]["stop_reason"] == "tool_rule"
    assert fetch(api, f"agents/{agent['id']}")["blocks"][0]["value"] == "Bob, Oslo"


def test_a_workflow_starts_fresh_each_time(api: Api, openai: FakeOpenAI) -> None:
    agent = make(api, agent_type="workflow_agent")
    for text in ("first", "second"):
        say(f"agents/{agent['id']}", text)
    assert [row["role"] for row in openai.chats[1]["messages"]] == ["system", "user"]


def test_an_unknown_type_is_refused(api: Api) -> None:
    body = {"model": "openai/gpt-4o-mini", "agent_type": "poet"}
    assert api.send("POST", "/v1/agents/", body).status_code == 422
