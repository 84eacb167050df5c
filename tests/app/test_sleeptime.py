"""Agents whose memory another one tends in the background."""

from __future__ import annotations

from typing import Any

import pytest

from agents.engine.events import RunFinished
from agents.models import Group, Run
from agents.runtime import boot
from agents.runtime.followups import follow_up
from agents.services.runs import end_run, open_run
from agents.services.snapshot import begin_run
from agents.types import InputMessage, RunInput, TextPart, Usage
from letta_site.core.aio import in_db
from letta_site.core.ids import DEFAULT_ORG_ID, DEFAULT_USER_ID
from letta_site.core.types import Actor
from tests.app.company import fetch, make, names, say, settle, texts
from tests.app.conftest import Api
from tests.app.posting import play, send, stream
from tests.fakes.openai_replies import Call, Failure, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

BLOCKS = [{"label": "human", "value": "Name: Bob"}, {"label": "persona", "value": "Kind."}]


@pytest.fixture
def main(api: Api, openai: FakeOpenAI) -> Any:
    return make(api, name="Sam", memory_blocks=BLOCKS, enable_sleeptime=True)


def tending(api: Api, main: Any) -> Any:
    (agent_id,) = main["managed_group"]["agent_ids"]
    return fetch(api, f"agents/{agent_id}")


def every(api: Api, main: Any, turns: int) -> None:
    config = {"manager_type": "sleeptime", "sleeptime_agent_frequency": turns}
    path = f"/v1/groups/{main['managed_group']['id']}"
    assert api.send("PATCH", path, {"manager_config": config}).status_code == 200


def labels(agent: Any) -> list[str]:
    return [block["label"] for block in agent["blocks"]]


def test_the_pair(api: Api, main: Any) -> None:
    assert main["enable_sleeptime"] is True
    group = main["managed_group"]
    assert main["multi_agent_group"] == group
    assert group["manager_type"] == "sleeptime" and group["sleeptime_agent_frequency"] == 5
    assert group["manager_agent_id"] == main["id"] and group["turns_counter"] == 0
    assert names(main) == ["send_message", "conversation_search", "archival_memory_search"]
    rules = {rule["tool_name"]: rule["type"] for rule in main["tool_rules"]}
    assert rules["send_message"] == "exit_loop" and len(rules) == 3
    other = tending(api, main)
    assert (other["name"], other["agent_type"]) == ("Sam-sleeptime", "sleeptime_agent")
    assert other["model"] == main["model"]
    assert labels(other) == ["human", "persona", "memory_persona"]
    assert [block["id"] for block in other["blocks"][:2]] == [b["id"] for b in main["blocks"]]
    assert labels(main) == ["human", "persona"]
    assert fetch(api, f"groups/{group['id']}") == group
    assert other["managed_group"] is None
    assert [one["id"] for one in fetch(api, f"agents/{other['id']}/groups")] == [group["id"]]


def test_a_pair_made_later_keeps_the_tools(api: Api, openai: FakeOpenAI) -> None:
    agent = make(api, memory_blocks=BLOCKS)
    path = f"/v1/agents/{agent['id']}"
    for _ in range(2):
        changed = api.send("PATCH", path, {"enable_sleeptime": True}).json()
    assert names(changed) == names(agent)
    assert Group.objects.count() == 1
    assert labels(tending(api, changed)) == ["human", "persona", "memory_persona"]


@pytest.mark.parametrize("tokens", [None, False, True])
def test_what_it_sends_is_its_answer(
    api: Api, main: Any, openai: FakeOpenAI, tokens: bool | None
) -> None:
    assert main["agent_type"] == "letta_v1_agent"
    openai.push(Reply(calls=(Call("send_message", {"message": "Hello, Bob."}, "call_1"),)))
    if tokens is None:
        answer = send(main["id"], {"input": "hello"}).json()["messages"]
    else:
        heard = stream(main["id"], {"input": "hello", "stream_tokens": tokens})
        answer = [one for one in heard.frames if "otid" in one and one["otid"]]
    assert {one["message_type"] for one in answer} == {"assistant_message"}
    assert "".join(one["content"] for one in answer) == "Hello, Bob."
    kept = fetch(api, f"agents/{main['id']}/messages")
    assert [one["message_type"] for one in kept[-2:]] == ["user_message", "assistant_message"]
    raw = fetch(api, f"agents/{main['id']}/messages?use_assistant_message=false")
    assert [one["message_type"] for one in raw[-2:]] == ["tool_call_message", "tool_return_message"]


def test_blocks_follow(api: Api, main: Any) -> None:
    block = api.send("POST", "/v1/blocks/", {"label": "notes", "value": "-"}).json()
    path = f"/v1/agents/{main['id']}/core-memory/blocks"
    api.send("PATCH", f"{path}/attach/{block['id']}")
    assert "notes" in labels(tending(api, main))
    api.send("PATCH", f"{path}/detach/{block['id']}")
    assert labels(tending(api, main)) == ["human", "persona", "memory_persona"]
    wanted = [main["blocks"][0]["id"], block["id"]]
    api.send("PATCH", f"/v1/agents/{main['id']}", {"block_ids": wanted})
    assert sorted(labels(tending(api, main))) == ["human", "memory_persona", "notes"]


def test_deleting_the_main_agent_takes_both(api: Api, main: Any) -> None:
    other, group = tending(api, main), main["managed_group"]["id"]
    assert api.delete(f"/v1/agents/{main['id']}").status_code == 200
    fetch(api, f"agents/{other['id']}", 404)
    fetch(api, f"groups/{group}", 404)


def test_deleting_the_tending_agent_ends_the_pair(api: Api, main: Any) -> None:
    api.delete(f"/v1/agents/{tending(api, main)['id']}")
    left = fetch(api, f"agents/{main['id']}")
    assert left["enable_sleeptime"] is None and left["managed_group"] is None
    assert labels(left) == ["human", "persona"]


def test_deleting_the_group_ends_the_pair(api: Api, main: Any) -> None:
    other = tending(api, main)
    api.delete(f"/v1/groups/{main['managed_group']['id']}")
    assert fetch(api, f"agents/{main['id']}")["enable_sleeptime"] is None
    fetch(api, f"agents/{other['id']}")


def test_every_second_turn_is_followed(api: Api, main: Any, openai: FakeOpenAI) -> None:
    every(api, main, 2)
    other = tending(api, main)
    openai.push("Hello, Bob.")
    first = say(f"agents/{main['id']}", "I am Bob.").json()
    assert first["usage"]["run_ids"] is None
    edit = {"label": "human", "new_string": "Lives in Oslo."}
    openai.push(
        "Oslo, nice.",
        Reply(calls=(Call("memory_insert", edit),)),
        Reply(calls=(Call("memory_finish_edits"),)),
    )
    second = say(f"agents/{main['id']}", "I live in Oslo.").json()
    (run_id,) = second["usage"]["run_ids"]
    run = fetch(api, f"runs/{run_id}")
    assert (run["agent_id"], run["status"], run["background"]) == (other["id"], "completed", True)
    assert run["metadata"]["run_type"] == "sleeptime"
    told = texts(openai.chats[2])[-1]
    for line in ("user: I am Bob.", "assistant: Hello, Bob.", "user: I live in Oslo."):
        assert line in told
    after = fetch(api, f"agents/{main['id']}")
    assert after["blocks"][0]["value"] == "Name: Bob\nLives in Oslo."
    assert after["managed_group"]["turns_counter"] == 2
    assert after["managed_group"]["last_processed_message_id"] in after["message_ids"]


def test_each_time_only_what_is_new(api: Api, main: Any, openai: FakeOpenAI) -> None:
    every(api, main, 1)
    for text in ("first words", "second words"):
        openai.push("Yes.", Reply(calls=(Call("memory_finish_edits"),)))
        assert say(f"agents/{main['id']}", text).json()["usage"]["run_ids"]
    told = texts(openai.chats[3])[-1]
    assert "second words" in told and "first words" not in told
    # The main agent sees the tended memory, and nobody tends the one who tends.
    assert Run.objects.count() == 4


def test_a_failed_turn_is_not_followed(api: Api, main: Any, openai: FakeOpenAI) -> None:
    every(api, main, 1)
    openai.push(Failure(401, {"error": {"message": "no"}}))
    assert say(f"agents/{main['id']}").status_code >= 400
    assert Run.objects.count() == 1
    assert fetch(api, f"agents/{main['id']}")["managed_group"]["turns_counter"] == 0


def test_switched_off_nothing_follows(api: Api, main: Any, openai: FakeOpenAI) -> None:
    every(api, main, 1)
    api.send("PATCH", f"/v1/agents/{main['id']}", {"enable_sleeptime": False})
    say(f"agents/{main['id']}")
    assert Run.objects.count() == 1


def test_a_failing_follower_leaves_the_answer_alone(
    api: Api, main: Any, openai: FakeOpenAI
) -> None:
    every(api, main, 1)
    openai.push("Fine.", Failure(401, {"error": {"message": "no"}}))
    answer = say(f"agents/{main['id']}")
    assert answer.status_code == 200
    run = fetch(api, f"runs/{answer.json()['usage']['run_ids'][0]}")
    assert run["status"] == "failed"


def test_voice_agents_are_tended_by_their_buffer(api: Api, openai: FakeOpenAI) -> None:
    blocks = [{"label": "human", "value": "Bob"}]
    agent = make(api, agent_type="voice_convo_agent", memory_blocks=blocks, enable_sleeptime=True)
    assert names(agent) == ["send_message", "search_memory"]
    group = agent["managed_group"]
    assert group["manager_type"] == "voice_sleeptime"
    buffer = (group["max_message_buffer_length"], group["min_message_buffer_length"])
    assert buffer == (30, 15)
    assert tending(api, agent)["agent_type"] == "voice_sleeptime_agent"
    config = {"manager_type": "voice_sleeptime"}
    config |= {"max_message_buffer_length": 3, "min_message_buffer_length": 2}
    api.send("PATCH", f"/v1/groups/{group['id']}", {"manager_config": config})
    chunk = {"start_index": 0, "end_index": 1, "context": "Bob asked for jazz."}
    for text in ("jazz please", "louder"):
        openai.push(Reply(calls=(Call("send_message", {"message": "Sure."}),)))
        if text == "louder":
            openai.push(
                Reply(calls=(Call("store_memories", {"chunks": [chunk]}),)),
                Reply(calls=(Call("finish_rethinking_memory"),)),
            )
        answer = say(f"agents/{agent['id']}", text).json()
    assert len(answer["usage"]["run_ids"]) == 1
    told = texts(openai.chats[2])[-1]
    assert "0. user: jazz please\n1. assistant: Sure." in told and "louder" not in told
    passages = fetch(api, f"agents/{agent['id']}/archival-memory")
    assert [one["text"] for one in passages] == ["Bob asked for jazz."]


@pytest.mark.parametrize("agent_type", ["memgpt_v2_agent", "memgpt_agent", "react_agent"])
def test_other_types_have_the_same_tools(api: Api, openai: FakeOpenAI, agent_type: str) -> None:
    agent = make(api, agent_type=agent_type, enable_sleeptime=True, memory_blocks=BLOCKS)
    assert names(agent) == ["send_message", "conversation_search", "archival_memory_search"]
    assert tending(api, agent)["agent_type"] == "sleeptime_agent"


def test_nobody_tends_the_one_who_tends(api: Api, openai: FakeOpenAI) -> None:
    agent = make(api, agent_type="sleeptime_agent", enable_sleeptime=True)
    assert agent["managed_group"] is None


def test_a_voice_agent_works_alone_too(api: Api, openai: FakeOpenAI) -> None:
    agent = make(api, agent_type="voice_convo_agent")
    openai.push(Reply(calls=(Call("send_message", {"message": "Yes."}),)))
    assert say(f"agents/{agent['id']}").json()["messages"][0]["content"] == "Yes."


def test_a_block_of_the_agents_own_making_is_shared(
    api: Api, main: Any, openai: FakeOpenAI
) -> None:
    every(api, main, 1)
    tool = next(t for t in fetch(api, "tools/?limit=100") if t["name"] == "memory")
    api.send("PATCH", f"/v1/agents/{main['id']}/tools/attach/{tool['id']}")
    new = {"command": "create", "path": "/memories/plans", "description": "-", "file_text": "Rest"}
    openai.push(Reply(calls=(Call("memory", new),)), "Planned.")
    say(f"agents/{main['id']}")
    assert "plans" in labels(tending(api, main))


def test_what_waits_at_a_stop_is_taken_up_at_the_start(
    api: Api, main: Any, openai: FakeOpenAI
) -> None:
    every(api, main, 1)

    async def stopped() -> None:
        # The server goes down with the run still in its queue.
        actor = Actor(DEFAULT_ORG_ID, DEFAULT_USER_ID)
        wish = RunInput(main["id"], (InputMessage("user", (TextPart("hi"),)),))
        ref, _ = await in_db(open_run, actor, wish)
        begun = await in_db(begin_run, ref.run_id)
        assert begun is not None and begun.tended
        end, opened = await follow_up(begun, RunFinished("end_turn", Usage(), 1))
        assert [one.run_id for one, _ in opened] == list(end.run_ids) != []
        await in_db(end_run, ref.run_id, "end_turn", None)  # else it would go on at the start

    async def started() -> None:
        await boot.start()
        await settle()

    play(stopped)
    openai.push(Reply(calls=(Call("memory_finish_edits"),)))
    play(started)
    run = Run.objects.get(metadata__run_type="sleeptime")
    assert run.status == "completed"
