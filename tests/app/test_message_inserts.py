"""A history that is brought along: stored whole or not at all, found at once, seen if asked for."""

# ruff: noqa: F811 - fixtures of another file are named again as parameters
from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agents.models import Agent, Conversation, Message, Run
from agents.services.health import find_trouble
from agents.services.past_requests import rebuild_request
from letta_site.core.aio import in_db
from letta_site.core.types import Actor
from memory.models import SearchEntry
from memory.services.candidates import SearchQuery
from memory.services.search import search
from tests.app.conftest import Api
from tests.app.posting import play, post, send
from tests.app.test_messages import HELLO, agent, history, make  # noqa: F401
from tests.fakes.openai_replies import Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

DAY = "2024-03-0{}T10:00:00Z"
PAST = [
    {"role": "user", "content": "My boat is called Tern.", "created_at": DAY.format(1)},
    {"role": "assistant", "content": "A fine name.", "created_at": DAY.format(2), "name": "Bo"},
    {"role": "system", "content": "The user came back.", "created_at": DAY.format(3)},
]


def insert(agent_id: str, body: Any) -> Any:
    return play(lambda: post(f"/v1/agents/{agent_id}/messages/insert", body))


def words(messages: list[dict[str, Any]]) -> list[str]:
    return [str(one.get("content")) for one in messages if one["role"] != "system"]


def found(org_id: str, agent_id: str, query: str) -> list[str]:
    wanted = SearchQuery(org_id=org_id, scope_ids=(agent_id,), kind="message", query=query)
    return [hit.ref_id for hit in search(wanted)]


def test_past_messages_are_listed_in_order_with_their_dates_and_names(
    api: Api,
    agent: Any,
) -> None:
    answer = insert(agent["id"], {"messages": PAST})
    assert answer.status_code == 200, answer.content
    body = answer.json()
    default = Conversation.objects.get(agent_id=agent["id"]).id
    assert (body["count"], body["conversation_id"]) == (3, default)
    shown = history(api, agent)[1:]
    assert [one["id"] for one in shown] == body["message_ids"]
    assert [one["content"] for one in shown] == [one["content"] for one in PAST]
    assert [one["date"][:10] for one in shown] == ["2024-03-01", "2024-03-02", "2024-03-03"]
    assert shown[1]["name"] == "Bo"
    assert Run.objects.count() == 0


def test_they_are_found_at_once_and_seen_only_if_asked_for(
    agent: Any,
    openai: FakeOpenAI,
    owner: Actor,
) -> None:
    ids = insert(agent["id"], {"messages": PAST}).json()["message_ids"]
    assert found(owner.org_id, agent["id"], "boat called") == ids[:1]
    seen = {"messages": [{"role": "user", "content": "I moved to Oslo."}], "in_context": True}
    insert(agent["id"], seen)
    openai.push("Hello.")
    send(agent["id"], HELLO)
    assert words(openai.chats[-1]["messages"]) == ["I moved to Oslo.", "hello"]


def test_each_message_may_say_for_itself_whether_it_is_seen(
    api: Api,
    agent: Any,
    openai: FakeOpenAI,
) -> None:
    mixed = [{**PAST[0], "in_context": False}, PAST[1], {"role": "user", "content": "Ahoy."}]
    insert(agent["id"], {"messages": mixed, "in_context": True})
    openai.push("Hello.", "Again.")
    send(agent["id"], HELLO)
    send(agent["id"], HELLO)
    said = ["A fine name.", "Ahoy.", "hello", "Hello.", "hello"]
    assert words(openai.chats[-1]["messages"]) == said
    window = api.get(f"/v1/agents/{agent['id']}").json()["message_ids"]
    assert len(window) == 1 + len(said) + 1  # and the latest answer


def test_a_request_among_which_past_messages_came_is_rebuilt_byte_for_byte(
    api: Api,
    agent: Any,
    openai: FakeOpenAI,
) -> None:
    openai.push("One.", "Two.")
    send(agent["id"], HELLO)
    insert(agent["id"], {"messages": PAST})
    send(agent["id"], HELLO)
    steps = Run.objects.order_by("-seq")[0].steps.all()
    assert [rebuild_request(one)["verified"] for one in steps] == [True]


def test_calls_come_with_their_returns(
    agent: Any,
    openai: FakeOpenAI,
    owner: Actor,
) -> None:
    call = {"id": "c1", "name": "weather", "arguments": '{"city":"Oslo"}'}
    talk = [
        {"role": "user", "content": "Rain?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "Rain.", "tool_call_id": "c1", "status": "error"},
    ]
    assert insert(agent["id"], {"messages": talk, "in_context": True}).json()["count"] == 3
    openai.push("Hello.")
    send(agent["id"], HELLO)
    _, asked, called, returned, _ = openai.chats[-1]["messages"]
    assert (asked["content"], called["tool_calls"][0]["id"]) == ("Rain?", "c1")
    assert (returned["tool_call_id"], "Rain." in returned["content"]) == ("c1", True)
    assert find_trouble(owner, agent["id"]) == []


def test_agents_that_speak_through_a_tool_get_the_past_in_that_form(
    api: Api,
    openai: FakeOpenAI,
    owner: Actor,
) -> None:
    old = make(api, agent_type="memgpt_agent")
    given = insert(old["id"], {"messages": PAST[:2], "in_context": True}).json()
    shown = [one for one in history(api, old) if one["id"] in given["message_ids"]]
    assert [one["message_type"] for one in shown] == ["user_message", "assistant_message"]
    assert shown[1]["content"] == "A fine name."
    assert found(owner.org_id, old["id"], "fine name") == given["message_ids"][1:]
    assert find_trouble(owner, old["id"]) == []


BAD = {
    "an unknown role": ({"role": "king", "content": "x"}, "messages.2.role"),
    "no words": ({"role": "user", "content": "  "}, "messages[2]: its content is empty"),
    "no parts": ({"role": "user", "content": []}, "messages[2]: its content is empty"),
    "a bad moment": ({"role": "user", "content": "x", "created_at": "soon"}, "messages.2.created"),
    "a long name": ({"role": "user", "content": "x", "name": "n" * 201}, "messages.2.name"),
    "a return of no call": (
        {"role": "tool", "content": "x", "tool_call_id": "c9"},
        "messages[2]: it returns a call 'c9' that nobody made",
    ),
    "a tool without a call": ({"role": "tool", "content": "x"}, "messages[2]: tool_call_id"),
    "a call without a return": (
        {"role": "assistant", "tool_calls": [{"id": "c1", "name": "f"}]},
        "messages[2]: nothing answers its tool calls c1",
    ),
    "calls of a user": (
        {"role": "user", "content": "x", "tool_calls": [{"id": "c1", "name": "f"}]},
        "messages[2]: a message of role user cannot make tool calls",
    ),
    "a picture elsewhere": (
        {
            "role": "user",
            "content": [{"type": "image", "source": {"type": "url", "url": "http://a/b.png"}}],
        },
        "messages[2]: a picture must come as base64",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_one_bad_message_is_named_and_nothing_is_stored(agent: Any, name: str) -> None:
    bad, what = BAD[name]
    before = Message.objects.count(), Agent.objects.get().last_seq
    answer = insert(agent["id"], {"messages": [*PAST[:2], bad]})
    assert (answer.status_code, what in answer.json()["what"]) == (422, True), answer.json()
    assert (Message.objects.count(), Agent.objects.get().last_seq) == before
    assert SearchEntry.objects.count() == 0


@pytest.mark.parametrize("count", [0, 1001])
def test_none_and_too_many_are_refused(agent: Any, count: int) -> None:
    answer = insert(agent["id"], {"messages": PAST[:1] * count})
    assert answer.status_code == 422
    assert Message.objects.exclude(role="system").count() == 0


def test_a_thousand_at_once(agent: Any, owner: Actor) -> None:
    many = [{"role": "user", "content": f"Message number{n:04d}."} for n in range(1000)]
    answer = insert(agent["id"], {"messages": many})
    assert answer.json()["count"] == 1000
    rows = Message.objects.filter(agent_id=agent["id"], role="user").order_by("seq")
    assert [row.content[0]["text"] for row in rows] == [one["content"] for one in many]
    assert found(owner.org_id, agent["id"], "number0737") == [answer.json()["message_ids"][737]]


def test_an_import_can_be_repeated(agent: Any) -> None:
    named = [{**one, "otid": f"line-{n}"} for n, one in enumerate(PAST)]
    first = insert(agent["id"], {"messages": named[:2]}).json()["message_ids"]
    again = insert(agent["id"], {"messages": named}).json()["message_ids"]
    assert (again[:2], len(again)) == (first, 3)
    assert Message.objects.filter(otid__startswith="line-").count() == 3
    third = insert(agent["id"], {"messages": PAST}).json()["message_ids"]
    assert not set(third) & set(again)  # without a name it is another one


def test_dates_at_the_edge_of_the_calendar_harm_nobody(api: Api, agent: Any, owner: Actor) -> None:
    edges = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
    old = [{"role": "user", "content": "Tern sails.", "created_at": one} for one in edges]
    assert insert(agent["id"], {"messages": old}).status_code == 200
    assert len(found(owner.org_id, agent["id"], "Tern")) == 2
    assert {one["date"][:4] for one in history(api, agent)[1:]} == {"0002", "9998"}


def test_another_organizations_agent_is_not_found(foreign_agent: dict[str, Any]) -> None:
    assert insert(foreign_agent["id"], {"messages": PAST}).status_code == 404
    assert insert("agent-1", {"messages": PAST}).status_code == 422


def test_a_conversation_gets_its_own_past(api: Api, agent: Any, openai: FakeOpenAI) -> None:
    talk = api.send("POST", f"/v1/conversations/?agent_id={agent['id']}", {}).json()
    body = {"messages": PAST[:1], "in_context": True, "conversation_id": talk["id"]}
    assert insert(agent["id"], body).json()["conversation_id"] == talk["id"]
    openai.push("Hello.")
    send(agent["id"], HELLO)
    assert words(openai.chats[-1]["messages"]) == ["hello"]
    unknown = {**body, "conversation_id": "conv-00000000-0000-4000-8000-000000000009"}
    assert insert(agent["id"], unknown).status_code == 404


def test_nothing_comes_between_calls_that_wait_and_their_answers(api: Api, agent: Any) -> None:
    first = insert(agent["id"], {"messages": PAST[:1]}).json()["message_ids"][0]
    Conversation.objects.update(pending_id=first)
    refused = insert(agent["id"], {"messages": PAST[:1], "in_context": True, "when_busy": "queue"})
    assert (refused.status_code, refused.json()["message_id"]) == (409, first)
    assert insert(agent["id"], {"messages": PAST[:1]}).status_code == 200


def test_while_a_run_works_the_window_is_closed_and_the_past_is_not(
    agent: Any,
    openai: FakeOpenAI,
) -> None:
    """The window of the run stays as it was; one who is willing to wait comes in after it."""
    place = f"/v1/agents/{agent['id']}/messages"
    seen = {"messages": PAST[:1], "in_context": True}
    openai.push(Reply("Slow.", delay_s=0.8), "Quick.")

    async def scenario() -> list[Any]:
        sending = asyncio.create_task(post(place, HELLO))
        while not await in_db(Run.objects.filter(status="running").exists):
            await asyncio.sleep(0.01)
        refused = await post(f"{place}/insert", seen)
        aside = await post(f"{place}/insert", {"messages": PAST[1:2]})
        waited = await post(f"{place}/insert", {**seen, "when_busy": "queue"})
        ended = await in_db(Run.objects.get)
        return [refused, aside, waited, ended.status, await sending]

    refused, aside, waited, status, _ = play(scenario)
    assert (refused.status_code, refused.json()["run_id"]) == (409, Run.objects.get().id)
    assert (aside.status_code, waited.status_code, status) == (200, 200, "completed")
    send(agent["id"], HELLO)
    said = ["hello", "Slow.", "My boat is called Tern.", "hello"]
    assert words(openai.chats[-1]["messages"]) == said
