"""Conversations: several histories of one agent."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from agents.models import Agent, Conversation, Message, Run
from letta_site.core.aio import in_db
from letta_site.core.types import Actor
from memory.models import Block
from tests.app.conftest import Api
from tests.app.posting import Stream, play, post, read, send
from tests.app.test_messages import HELLO, agent, history, make, types  # noqa: F401
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = set(
    "id agent_id summary in_context_message_ids isolated_block_ids model model_settings "
    "last_message_at created_at updated_at created_by_id last_updated_by_id".split()
)


def create(api: Api, agent_id: str, **body: Any) -> Any:
    answer = api.send("POST", f"/v1/conversations/?agent_id={agent_id}", body)
    assert answer.status_code == 200, answer.content
    return answer.json()


def say(conversation_id: str, text: str, **body: Any) -> Any:
    wanted = {"input": text, "streaming": False, **body}
    return play(lambda: post(f"/v1/conversations/{conversation_id}/messages", wanted))


def listed(api: Api, conversation_id: str, **query: Any) -> list[Any]:
    answer = api.get(f"/v1/conversations/{conversation_id}/messages", query)
    assert answer.status_code == 200, answer.content
    found: list[Any] = answer.json()
    return found


def texts(messages: list[Any]) -> list[str]:
    return [one["content"] for one in messages if one["message_type"] != "system_message"]


def test_a_new_conversation(api: Api, agent: Any) -> None:  # noqa: F811
    made = create(api, agent["id"], summary="Fjords")
    assert set(made) == KEYS
    assert (made["agent_id"], made["summary"]) == (agent["id"], "Fjords")
    (system,) = listed(api, made["id"])
    assert made["in_context_message_ids"] == [system["id"]]
    assert made["id"] in system["content"] and agent["id"] in system["content"]
    assert api.get(f"/v1/conversations/{made['id']}").json() == made
    bare = api.generic("POST", f"/v1/conversations/?agent_id={agent['id']}")
    assert bare.status_code == 200


def test_it_has_its_own_history(api: Api, agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    one, two = create(api, agent["id"]), create(api, agent["id"])
    openai.push("First.", "Second.", "Third.")
    assert say(one["id"], "to one").status_code == 200
    say(two["id"], "to two")
    send(agent["id"], HELLO)
    asked = [[row["content"] for row in chat["messages"][1:]] for chat in openai.chats]
    assert asked == [["to one"], ["to two"], ["hello"]]
    assert [one["id"] in chat["messages"][0]["content"] for chat in openai.chats] == [
        True,
        False,
        False,
    ]
    assert texts(listed(api, one["id"], order="asc")) == ["to one", "First."]
    assert "to one" not in str(history(api, agent))
    assert texts(history(api, agent, conversation_id=one["id"])) == ["to one", "First."]
    run = Run.objects.order_by("seq").first()
    assert run is not None
    assert (run.conversation_id, run.metadata) == (
        one["id"],
        {"run_type": "send_conversation_message"},
    )


def test_the_answer_is_a_stream_by_default(api: Api, agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    made = create(api, agent["id"])
    openai.push("Hi.")

    async def scenario() -> Stream:
        return await read(await post(f"/v1/conversations/{made['id']}/messages", HELLO))

    found = play(scenario)
    assert found.types == ["ping", "assistant_message", "stop_reason", "usage_statistics"]
    assert found.lines[-1] == "data: [DONE]"


@pytest.mark.parametrize("how", ["default", "agent"])
def test_the_agents_own_conversation(
    api: Api,
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
    how: str,
) -> None:
    path = "default" if how == "default" else agent["id"]
    openai.push("Hi.")
    assert say(path, "hello", agent_id=agent["id"]).status_code == 200
    query = {"agent_id": agent["id"]}
    assert listed(api, path, **query) == history(api, agent)
    forked = api.generic("POST", f"/v1/conversations/{path}/fork?agent_id={agent['id']}").json()
    assert texts(listed(api, forked["id"], order="asc")) == ["hello", "Hi."]
    assert api.get("/v1/conversations/default/messages").status_code == 400


def test_pages_go_both_ways(api: Api, agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    made = create(api, agent["id"])
    for n in range(3):
        say(made["id"], f"m{n}")
    newest = [one["id"] for one in listed(api, made["id"])]
    oldest = [one["id"] for one in listed(api, made["id"], order="asc")]
    assert newest == oldest[::-1] and len(newest) == 7
    assert [one["id"] for one in listed(api, made["id"], limit=2)] == newest[:2]
    assert [one["id"] for one in listed(api, made["id"], after=newest[1], limit=2)] == newest[2:4]
    assert [one["id"] for one in listed(api, made["id"], before=newest[2])] == newest[:2]
    path = f"/v1/conversations/{made['id']}/messages"
    assert api.get(path, {"after": "message-nope"}).status_code == 404
    only = listed(api, made["id"], include_return_message_types="assistant_message")
    assert set(types(only)) == {"assistant_message"}


def test_a_second_send_is_refused_while_it_is_busy(
    api: Api,
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
) -> None:
    made = create(api, agent["id"])
    other = create(api, agent["id"])
    openai.answer_with(lambda _: Reply("Slow.", delay_s=0.5))
    path = f"/v1/conversations/{made['id']}/messages"
    plain = {"streaming": False}

    async def scenario() -> list[Any]:
        first = asyncio.create_task(post(path, {"input": "one", **plain}))
        while not await in_db(Run.objects.exists):
            await asyncio.sleep(0.02)
        refused = await post(path, {"input": "two", **plain})
        elsewhere = f"/v1/conversations/{other['id']}/messages"
        free = asyncio.create_task(post(elsewhere, {"input": "three", **plain}))
        queued = await post(path, {"input": "four", "when_busy": "queue", **plain})
        return [refused, await first, await free, queued]

    refused, *others = play(scenario)
    assert refused.status_code == 409
    busy = Run.objects.order_by("seq").first()
    assert refused.json()["run_id"] == busy.id
    assert refused["x-should-retry"] == "false"
    assert [one.status_code for one in others] == [200, 200, 200]
    assert texts(listed(api, made["id"], order="asc")) == ["one", "Slow.", "four", "Slow."]


def test_an_agent_can_refuse_and_interrupt_too(api: Api, agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    openai.push(Reply("Slow.", delay_s=5), "Quick.")
    path = f"/v1/agents/{agent['id']}/messages"

    async def scenario() -> list[Any]:
        first = asyncio.create_task(post(path, {"input": "one"}))
        while not await in_db(Run.objects.filter(status="running").exists):
            await asyncio.sleep(0.02)
        refused = await post(path, {"input": "two", "when_busy": "reject"})
        third = await post(path, {"input": "three", "when_busy": "interrupt"})
        return [refused, await first, third]

    refused, first, third = play(scenario)
    assert refused.status_code == 409
    assert first.json()["stop_reason"]["stop_reason"] == "cancelled"
    assert third.json()["messages"][-1]["content"] == "Quick."
    assert send(agent["id"], {"when_busy": "nap", **HELLO}).status_code == 422


def test_a_fork_shares_the_past_and_not_the_future(
    api: Api,
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
) -> None:
    parent = create(api, agent["id"], summary="Plans")
    openai.push("Once.", "For the parent.", "For the child.", "For the grandchild.")
    say(parent["id"], "shared")
    child = api.send("POST", f"/v1/conversations/{parent['id']}/fork").json()
    before = api.get(f"/v1/conversations/{parent['id']}").json()["in_context_message_ids"]
    assert child["in_context_message_ids"][-2:] == before[1:]
    assert len(child["in_context_message_ids"]) == 3
    say(parent["id"], "to parent")
    say(child["id"], "to child")
    grandchild = api.send("POST", f"/v1/conversations/{child['id']}/fork").json()
    say(grandchild["id"], "to grandchild")
    asked = [[row["content"] for row in chat["messages"][1:]] for chat in openai.chats]
    assert asked[2] == ["shared", "Once.", "to child"]
    assert asked[3] == ["shared", "Once.", "to child", "For the child.", "to grandchild"]
    assert child["id"] in openai.chats[2]["messages"][0]["content"]
    whole = texts(listed(api, grandchild["id"], order="asc"))
    assert whole == [*asked[3], "For the grandchild."]
    first = listed(api, grandchild["id"], order="asc", limit=1)[0]
    assert first["message_type"] == "system_message" and grandchild["id"] in first["content"]
    rest = listed(api, grandchild["id"], order="asc", after=first["id"])
    assert texts(rest) == whole
    step = Run.objects.order_by("seq").last().steps.get()
    trace = api.get(f"/v1/steps/{step.id}/trace").json()
    assert trace["request_verified"] is True
    # The parent goes, what is shared stays until nobody shares it.
    for one in (parent, child):
        assert api.send("DELETE", f"/v1/conversations/{one['id']}").json() is None
        assert api.get(f"/v1/conversations/{one['id']}").status_code == 404
    assert texts(listed(api, grandchild["id"], order="asc")) == whole
    assert len(api.get("/v1/conversations/").json()) == 1
    api.send("DELETE", f"/v1/conversations/{grandchild['id']}")
    assert Conversation.objects.count() == 1
    assert Message.objects.exclude(conversation__is_default=True).count() == 0


def test_isolated_blocks(api: Api, agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    made = create(api, agent["id"], isolated_block_labels=["human"])
    (own,) = made["isolated_block_ids"]
    edit = Call("memory_insert", {"label": "human", "new_string": "Only here."})
    openai.push(Reply(calls=(edit,)), "Noted.", "Hm.")
    say(made["id"], "remember")
    send(agent["id"], HELLO)
    assert "Only here." in Block.objects.get(pk=own).value
    assert "Only here." not in Block.objects.exclude(pk=own).get().value
    assert "Only here." not in openai.chats[-1]["messages"][0]["content"]
    unknown = {"isolated_block_labels": ["nope"]}
    path = f"/v1/conversations/?agent_id={agent['id']}"
    assert api.send("POST", path, unknown).status_code == 400


def test_its_own_model(api: Api, agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    made = create(api, agent["id"], model="openai/gpt-4.1")
    say(made["id"], "hi")
    assert openai.chats[0]["model"] == "gpt-4.1"
    path = f"/v1/conversations/{made['id']}"
    changed = api.send("PATCH", path, {"model": "openai/gpt-4o", "summary": "New"}).json()
    assert (changed["model"], changed["summary"]) == ("openai/gpt-4o", "New")
    say(made["id"], "hi again")
    assert openai.chats[1]["model"] == "gpt-4o"
    assert api.send("PATCH", path, {"model": "nonsense"}).status_code == 400
    assert api.send("PATCH", path, {"model": "elsewhere/gpt"}).status_code == 404


def test_lists(api: Api, agent: Any, openai: FakeOpenAI, django_assert_num_queries: Any) -> None:  # noqa: F811
    made = [create(api, agent["id"], summary=f"Topic {n}") for n in range(3)]
    ids = [one["id"] for one in made]
    found = api.get("/v1/conversations/", {"agent_id": agent["id"]}).json()
    assert [one["id"] for one in found] == ids[::-1]
    oldest = api.get("/v1/conversations/", {"order": "asc", "limit": 2}).json()
    assert [one["id"] for one in oldest] == ids[:2]
    after = api.get("/v1/conversations/", {"after": ids[1]}).json()
    assert [one["id"] for one in after] == ids[:1]
    assert len(api.get("/v1/conversations/", {"summary_search": "topic 2"}).json()) == 1
    say(ids[0], "hi")
    for order in ("last_message_at", "last_run_completion"):
        rows = api.get("/v1/conversations/", {"order_by": order}).json()
        assert rows[0]["id"] == ids[0], order
    for limit in (1, 3):
        with django_assert_num_queries(2):
            assert len(api.get("/v1/conversations/", {"limit": limit}).json()) == limit


def test_recompile_and_preview(api: Api, agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    made = create(api, agent["id"])
    path = f"/v1/conversations/{made['id']}"
    Block.objects.update(value="Changed.", version=2)
    assert "Changed." in api.send("POST", f"{path}/recompile?dry_run=true").json()
    assert "Changed." not in listed(api, made["id"])[0]["content"]
    assert made["id"] in api.send("POST", f"{path}/recompile", {}).json()
    assert "Changed." in listed(api, made["id"])[0]["content"]
    shown = api.send("POST", f"{path}/messages/preview-raw-payload", HELLO).json()
    assert made["id"] in shown["messages"][0]["content"]


def test_cancelling(api: Api, agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    made = create(api, agent["id"])
    path = f"/v1/conversations/{made['id']}"
    openai.push(Reply("Slow.", delay_s=5))

    async def scenario() -> list[Any]:
        idle = await post(f"{path}/cancel", {})
        sent = asyncio.create_task(post(f"{path}/messages", {"input": "x", "streaming": False}))
        while not await in_db(Run.objects.filter(status="running").exists):
            await asyncio.sleep(0.02)
        return [idle, await post(f"{path}/cancel", {}), await sent]

    idle, told, answer = play(scenario)
    assert idle.status_code == 409
    assert told.json() == {Run.objects.get().id: "cancelled"}
    assert answer.json()["stop_reason"]["stop_reason"] == "cancelled"


def test_a_stream_is_found_by_its_conversation(api: Api, agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    made = create(api, agent["id"])
    path = f"/v1/conversations/{made['id']}"
    gate = threading.Event()
    openai.push(Reply("One two three.", wait_for=gate))
    said = {"role": "user", "content": "hi", "otid": "mine"}
    body = {"messages": [said], "background": True}

    async def scenario() -> list[Any]:
        nothing = await post(f"{path}/stream", {})
        first = asyncio.create_task(read(await post(f"{path}/messages", body)))
        while not openai.chats:
            await asyncio.sleep(0.02)
        found = await post(f"{path}/stream", {})
        gate.set()
        second = await read(found)
        again = await read(await post(f"{path}/messages", body))
        by_otid = await read(await post(f"{path}/stream", {"otid": "mine"}))
        run_id = second.frames[-1]["run_id"]
        by_run = await read(await post(f"{path}/stream", {"run_id": run_id, "starting_after": 1}))
        return [nothing, await first, second, again, by_otid, by_run]

    nothing, first, second, again, by_otid, by_run = play(scenario)
    assert nothing.status_code == 400
    assert second.frames[1:] == first.frames[1:] == again.frames[1:] == by_otid.frames[1:]
    assert by_run.frames[1:] == first.frames[2:]
    assert Run.objects.count() == 1


def test_strangers_and_bad_ids(api: Api, agent: Any, stranger: Actor) -> None:  # noqa: F811
    made = create(api, agent["id"])
    Agent.objects.update(org_id=stranger.org_id)
    Conversation.objects.update(org_id=stranger.org_id)
    path = f"/v1/conversations/{made['id']}"
    assert api.get(path).status_code == api.get(f"{path}/messages").status_code == 404
    assert api.send("PATCH", path, {"summary": "x"}).status_code == 404
    assert api.send("DELETE", path).status_code == 404
    for tail in ("fork", "recompile"):
        assert api.send("POST", f"{path}/{tail}").status_code == 404
    for tail in ("messages", "cancel", "stream"):
        assert play(lambda tail=tail: post(f"{path}/{tail}", HELLO)).status_code == 404
    assert api.send("POST", f"/v1/conversations/?agent_id={agent['id']}", {}).status_code == 404
    assert api.get("/v1/conversations/").json() == []
    assert api.get("/v1/conversations/conv-x").status_code == 422
    assert api.send("POST", "/v1/conversations/", {}).status_code == 422


def test_the_default_one_is_not_deleted(api: Api, agent: Any) -> None:  # noqa: F811
    assert api.send("DELETE", f"/v1/conversations/{agent['id']}").status_code == 409
