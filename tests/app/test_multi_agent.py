"""Agents that send messages to other agents."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from agents.models import Agent, Conversation, Message, Run
from letta_site.core.types import Actor
from tests.app.company import fetch, make, names, say, settle, texts, together
from tests.app.conftest import Api
from tests.app.posting import play, post
from tests.fakes.openai_replies import Call, Failure, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

WAIT = "send_message_to_agent_and_wait_for_reply"
TAGS = "send_message_to_agents_matching_tags"
ASYNC = "send_message_to_agent_async"


@pytest.fixture
def boss(api: Api, openai: FakeOpenAI) -> Any:
    return make(api, name="Boss", include_multi_agent_tools=True)


def worker(api: Api, name: str, **body: Any) -> Any:
    return make(api, name=name, include_multi_agent_tools=True, **body)


def act(openai: FakeOpenAI, **plans: list[Any]) -> None:
    """Let each agent answer by its own script; the system prompt says who is asked."""

    def answer(request: Any) -> Any:
        prompt = texts(request)[0]
        plan = next(plans[name] for name in plans if f"You are {name}." in prompt)
        return plan.pop(0) if plan else Reply("Done.")

    openai.answer_with(answer)


def ask(agent: Any, text: str = "Well?", tool: str = WAIT) -> Reply:
    return Reply(calls=(Call(tool, {"message": text, "other_agent_id": agent["id"]}),))


def returned(answer: Any) -> Any:
    (one,) = [m for m in answer.json()["messages"] if m["message_type"] == "tool_return_message"]
    return one


def test_the_tools_come_on_request(api: Api, boss: Any) -> None:
    assert names(boss)[-3:] == [WAIT, TAGS, ASYNC]
    assert {t["tool_type"] for t in boss["tools"][-3:]} == {"letta_multi_agent_core"}
    assert not {WAIT, TAGS, ASYNC} & set(names(make(api)))
    ruled = worker(api, "Ruled", agent_type="memgpt_v2_agent")
    rules = {rule["tool_name"]: rule["type"] for rule in ruled["tool_rules"]}
    kinds = {rules[WAIT], rules[TAGS]}
    assert (kinds, rules[ASYNC]) == ({"continue_loop"}, "exit_loop")


def test_asking_and_waiting(api: Api, boss: Any, openai: FakeOpenAI) -> None:
    ann = worker(api, "Ann")
    openai.push(ask(ann, "What is 6 x 7?"), "42", "Ann says 42.")
    answer = say(f"agents/{boss['id']}")
    assert returned(answer)["tool_return"] == "42"
    assert answer.json()["messages"][-1]["content"] == "Ann says 42."
    heard = openai.chats[1]["messages"][-1]
    assert heard["role"] == "system"
    assert heard["content"].startswith(f"[Message from the agent Boss, id {boss['id']}.")
    assert heard["content"].endswith("What is 6 x 7?")
    stored = fetch(api, f"agents/{ann['id']}/messages")[1]
    assert (stored["message_type"], stored["sender_id"]) == ("system_message", boss["id"])
    run = Run.objects.get(agent_id=ann["id"])
    facts = (run.status, run.metadata["sender_agent_id"], run.metadata["path"])
    assert facts == ("completed", boss["id"], [boss["id"]])


def test_an_agent_that_speaks_by_a_tool_is_heard(api: Api, boss: Any, openai: FakeOpenAI) -> None:
    ann = worker(api, "Ann", agent_type="memgpt_v2_agent")
    spoken = Reply(calls=(Call("send_message", {"message": "Through the tool."}),))
    openai.push(ask(ann), spoken, "Thanks.")
    assert returned(say(f"agents/{boss['id']}"))["tool_return"] == "Through the tool."


def test_leaving_a_message(api: Api, boss: Any, openai: FakeOpenAI) -> None:
    ann = worker(api, "Ann", system="You are Ann.")
    api.send("PATCH", f"/v1/agents/{boss['id']}", {"system": "You are Boss."})
    act(openai, Ann=[Reply("Noted.")], Boss=[ask(ann, "Mind the gap.", ASYNC), Reply("Told.")])
    answer = say(f"agents/{boss['id']}")
    assert returned(answer)["tool_return"] == "The message was delivered."
    assert Run.objects.get(agent_id=ann["id"]).status == "completed"
    heard = Message.objects.get(agent_id=ann["id"], sender_id=boss["id"])
    assert heard.content[0]["text"].endswith("Mind the gap.")


def test_asking_all_who_bear_tags(api: Api, boss: Any, openai: FakeOpenAI) -> None:
    crew = {
        name: worker(api, name, tags=tags, system=f"You are {name}.")
        for name, tags in {"Ann": ["crew", "sea"], "Bea": ["crew", "air"], "Cy": ["air"]}.items()
    }
    api.send(
        "PATCH", f"/v1/agents/{boss['id']}", {"tags": ["crew", "sea"], "system": "You are Boss."}
    )
    wanted = {"message": "Ready?", "match_all": ["crew"], "match_some": ["sea", "air"]}
    act(
        openai,
        Ann=[Reply("Aye.")],
        Bea=[Failure(401, {"error": {"message": "no"}})],
        Cy=[],
        Boss=[Reply(calls=(Call(TAGS, wanted),))],
    )
    replies = json.loads(returned(say(f"agents/{boss['id']}"))["tool_return"])
    assert [one["agent_id"] for one in replies] == [crew["Ann"]["id"], crew["Bea"]["id"]]
    assert replies[0]["reply"] == "Aye." and replies[0]["name"] == "Ann"
    assert "could not answer" in replies[1]["error"]


@pytest.mark.parametrize("tool", [WAIT, ASYNC])
def test_nobody_writes_to_itself(boss: Any, openai: FakeOpenAI, tool: str) -> None:
    openai.push(ask(boss, tool=tool), "I see.")
    result = returned(say(f"agents/{boss['id']}"))
    assert result["status"] == "error" and "your own id" in result["tool_return"]


def test_a_circle_of_waiting_is_refused(api: Api, openai: FakeOpenAI) -> None:
    ann, bea, cy = (worker(api, n, system=f"You are {n}.") for n in ("Ann", "Bea", "Cy"))
    act(openai, Ann=[ask(bea)], Bea=[ask(cy)], Cy=[ask(ann)])
    answer = say(f"agents/{ann['id']}")
    assert answer.status_code == 200
    refused = Message.objects.get(agent_id=cy["id"], role="tool").tool_returns[0]
    assert refused["status"] == "error" and "waiting for you" in refused["text"]
    assert set(Run.objects.values_list("status", flat=True)) == {"completed"}


def test_two_who_ask_each_other_at_once_both_end(api: Api, openai: FakeOpenAI) -> None:
    ann, bea = (worker(api, n, system=f"You are {n}.") for n in ("Ann", "Bea"))
    act(openai, Ann=[ask(bea)], Bea=[ask(ann)])
    given = {"messages": [{"role": "user", "content": "Go."}]}
    answers = together(
        *((lambda a=a: post(f"/v1/agents/{a['id']}/messages", given)) for a in (ann, bea))
    )
    assert [answer.status_code for answer in answers] == [200, 200]
    assert set(Run.objects.values_list("status", flat=True)) == {"completed"}


def test_messages_do_not_go_round_for_ever(api: Api, openai: FakeOpenAI) -> None:
    ann, bea = (worker(api, n, system=f"You are {n}.") for n in ("Ann", "Bea"))
    act(
        openai,
        Ann=[one for _ in range(40) for one in (ask(bea, tool=ASYNC), Reply("Sent."))],
        Bea=[one for _ in range(40) for one in (ask(ann, tool=ASYNC), Reply("Sent."))],
    )
    say(f"agents/{ann['id']}")
    assert Run.objects.count() == 12


def test_strangers_are_not_found(api: Api, boss: Any, openai: FakeOpenAI, stranger: Actor) -> None:
    ann = worker(api, "Ann", tags=["crew"])
    Agent.objects.filter(pk=ann["id"]).update(org_id=stranger.org_id)
    Conversation.objects.filter(agent_id=ann["id"]).update(org_id=stranger.org_id)
    openai.push(ask(ann), "Nobody there.")
    result = returned(say(f"agents/{boss['id']}"))
    assert result["status"] == "error" and "not found" in result["tool_return"]
    openai.push(Reply(calls=(Call(TAGS, {"message": "?", "match_all": ["crew"]}),)), "No.")
    assert "no such agent" in returned(say(f"agents/{boss['id']}"))["tool_return"]
    assert not Run.objects.filter(agent_id=ann["id"]).exists()


def test_a_failing_agent_is_a_failing_call(api: Api, boss: Any, openai: FakeOpenAI) -> None:
    ann = worker(api, "Ann")
    openai.push(ask(ann), Failure(401, {"error": {"message": "no"}}), "She is away.")
    answer = say(f"agents/{boss['id']}")
    assert returned(answer)["status"] == "error"
    assert answer.json()["messages"][-1]["content"] == "She is away."


def test_waiting_has_an_end(api: Api, boss: Any, openai: FakeOpenAI, settings: Any) -> None:
    settings.TOOL_TIMEOUT_S = 0.3
    ann = worker(api, "Ann")
    openai.push(ask(ann), Reply("Late.", delay_s=1.0), "No reply.")
    answer = say(f"agents/{boss['id']}")
    assert "was stopped after" in returned(answer)["tool_return"]
    # It waits no longer, so the other may ask it now.
    openai.push(ask(boss), "Yes?", "Thanks.")
    assert returned(say(f"agents/{ann['id']}"))["tool_return"] == "Yes?"


def test_a_call_by_hand(api: Api, boss: Any, openai: FakeOpenAI) -> None:
    ann = worker(api, "Ann")
    openai.push("By hand.")

    async def scenario() -> Any:
        args = {"args": {"message": "Hi", "other_agent_id": ann["id"]}}
        answer = await post(f"/v1/agents/{boss['id']}/tools/{WAIT}/run", args)
        await settle()
        return answer

    result = play(scenario).json()
    assert (result["status"], result["func_return"]) == ("success", "By hand.")
    assert "from the agent Boss" in texts(openai.chats[0])[-1]


def test_stopping_the_one_who_waits(api: Api, boss: Any, openai: FakeOpenAI) -> None:
    ann, held = worker(api, "Ann"), threading.Event()
    openai.push(ask(ann), Reply("At last.", wait_for=held))

    async def scenario() -> Any:
        given = {"messages": [{"role": "user", "content": "Go."}]}
        sent = asyncio.create_task(post(f"/v1/agents/{boss['id']}/messages", given))
        while len(openai.chats) < 2:
            await asyncio.sleep(0.02)
        await post(f"/v1/agents/{boss['id']}/messages/cancel", {})
        answer = await sent
        held.set()
        await settle()
        return answer

    try:
        answer = play(scenario)
    finally:
        held.set()
    assert answer.json()["stop_reason"]["stop_reason"] == "cancelled"
    assert Run.objects.get(agent_id=boss["id"]).status == "cancelled"
    # The message was delivered, and is answered.
    assert Run.objects.get(agent_id=ann["id"]).status == "completed"
