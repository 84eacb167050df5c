"""Groups of agents, and talking to them."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from agents.models import Group, GroupMember, Run
from letta_site.core.types import Actor
from tests.app.company import fetch, make, names, say, settle, texts, together
from tests.app.conftest import Api
from tests.app.posting import Stream, play, post, read
from tests.fakes.openai_replies import Call, Failure, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = set(
    "id manager_type agent_ids description project_id template_id base_template_id deployment_id "
    "shared_block_ids manager_agent_id termination_token max_turns sleeptime_agent_frequency "
    "turns_counter last_processed_message_id max_message_buffer_length min_message_buffer_length "
    "hidden".split()
)
ALL = "send_message_to_all_agents_in_group"
CHOOSE = "choose_next_participant"


@pytest.fixture
def crew(api: Api, openai: FakeOpenAI) -> list[Any]:
    return [make(api, name=name, system=f"You are {name}.") for name in ("Ann", "Bea", "Cy")]


def form(api: Api, members: list[Any], **body: Any) -> Any:
    given = {"agent_ids": [one["id"] for one in members], "description": "A crew", **body}
    answer = api.send("POST", "/v1/groups/", given)
    assert answer.status_code == 200, answer.content
    return answer.json()


def led(api: Api, boss: Any, members: list[Any], kind: str, **config: Any) -> Any:
    manager = {"manager_type": kind, "manager_agent_id": boss["id"], **config}
    return form(api, members, manager_config=manager)


def spoken(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 200, answer.content
    found = [m for m in answer.json()["messages"] if m["message_type"] == "assistant_message"]
    return [(one["name"], one["content"]) for one in found]


# --- making, finding, changing, deleting -----------------------------------------------------


def test_a_group_is_flat(api: Api, crew: list[Any]) -> None:
    group = form(api, crew)
    assert set(group) == KEYS
    assert group["id"].startswith("group-") and group["manager_type"] == "round_robin"
    assert group["agent_ids"] == [one["id"] for one in crew]
    assert (group["description"], group["shared_block_ids"]) == ("A crew", [])
    assert fetch(api, f"groups/{group['id']}") == group
    assert fetch(api, "groups/") == [group] and fetch(api, "groups/count") == 1
    assert fetch(api, f"agents/{crew[1]['id']}/groups") == [group]
    assert fetch(api, f"agents/{crew[0]['id']}")["managed_group"] is None


def test_lists_have_filters_and_pages(api: Api, crew: list[Any]) -> None:
    made = [form(api, crew[:n])["id"] for n in (1, 2)]
    made.append(led(api, crew[2], crew[:2], "supervisor")["id"])
    assert [one["id"] for one in fetch(api, "groups/")] == made
    assert [one["id"] for one in fetch(api, "groups/?order=desc&limit=1")] == made[2:]
    assert [one["id"] for one in fetch(api, f"groups/?after={made[0]}")] == made[1:]
    assert [one["id"] for one in fetch(api, "groups/?manager_type=supervisor")] == made[2:]
    assert fetch(api, "groups/?project_id=elsewhere") == []
    mine = fetch(api, f"agents/{crew[2]['id']}/groups?manager_type=supervisor")
    assert [one["id"] for one in mine] == made[2:]


def test_a_list_costs_the_same_for_many(
    api: Api, crew: list[Any], django_assert_max_num_queries: Any
) -> None:
    for _ in range(6):
        form(api, crew)
    with django_assert_max_num_queries(6):
        assert len(fetch(api, "groups/")) == 6


def test_changing_a_group(api: Api, crew: list[Any]) -> None:
    group = form(api, crew)
    path = f"/v1/groups/{group['id']}"
    body = {"agent_ids": [crew[2]["id"], crew[0]["id"]], "description": "Two"}
    changed = api.send("PATCH", path, {**body, "manager_config": {"max_turns": 4}}).json()
    assert changed["agent_ids"] == body["agent_ids"]
    assert (changed["description"], changed["max_turns"]) == ("Two", 4)
    other = {"manager_type": "supervisor", "manager_agent_id": crew[1]["id"]}
    assert api.send("PATCH", path, {"manager_config": other}).status_code == 400
    assert api.send("PATCH", path, {"nonsense": 1}).status_code == 422


def test_deleting_a_group_leaves_its_agents(api: Api, crew: list[Any]) -> None:
    group = form(api, crew)
    assert api.delete(f"/v1/groups/{group['id']}").status_code == 200
    fetch(api, f"groups/{group['id']}", 404)
    fetch(api, f"agents/{crew[0]['id']}")


def test_a_deleted_agent_leaves_the_group(api: Api, crew: list[Any]) -> None:
    group = form(api, crew)
    api.delete(f"/v1/agents/{crew[0]['id']}")
    ids = fetch(api, f"groups/{group['id']}")["agent_ids"]
    assert ids == [crew[1]["id"], crew[2]["id"]]


@pytest.mark.parametrize(("kind", "tool"), [("supervisor", ALL), ("dynamic", CHOOSE)])
def test_who_leads_gets_a_tool_for_it(api: Api, crew: list[Any], kind: str, tool: str) -> None:
    boss = crew[0]
    group = led(api, boss, crew[1:], kind)
    assert group["manager_agent_id"] == boss["id"]
    assert group["termination_token"] == ("DONE!" if kind == "dynamic" else None)
    leading = fetch(api, f"agents/{boss['id']}")
    assert leading["multi_agent_group"] == leading["managed_group"] == group
    assert names(leading) == [*names(boss), tool]
    api.delete(f"/v1/groups/{group['id']}")
    after = fetch(api, f"agents/{boss['id']}")
    assert names(after) == names(boss) and after["tool_rules"] == boss["tool_rules"]


def test_what_cannot_be_formed(api: Api, crew: list[Any]) -> None:
    ids = [one["id"] for one in crew]
    base = {"agent_ids": ids, "description": ""}
    alone = {"manager_type": "supervisor"}
    inside = {"manager_type": "dynamic", "manager_agent_id": ids[0]}
    nobody = {"agent_ids": ["agent-00000000-0000-4000-8000-000000000000"], "description": ""}
    for body, status in [
        ({**base, "manager_config": alone}, 400),
        ({**base, "manager_config": inside}, 400),
        (nobody, 404),
        ({"agent_ids": ["x"], "description": ""}, 422),
        ({"agent_ids": ids}, 422),
        ({**base, "shared_block_ids": ["block-00000000-0000-4000-8000-000000000000"]}, 404),
        ({**base, "manager_config": {"manager_type": "round_robin", "max_turns": 0}}, 422),
    ]:
        assert api.send("POST", "/v1/groups/", body).status_code == status, body
    assert fetch(api, "groups/count") == 0


def test_shared_blocks(api: Api, crew: list[Any]) -> None:
    one, two = (api.send("POST", "/v1/blocks/", {"label": n, "value": ""}).json() for n in "ab")
    group = form(api, crew, shared_block_ids=[one["id"]])
    assert group["shared_block_ids"] == [one["id"]]
    path = f"/v1/groups/{group['id']}"
    assert api.send("PATCH", f"{path}/blocks/attach/{two['id']}").status_code == 200
    labels = [b["label"] for b in fetch(api, f"agents/{crew[2]['id']}")["blocks"]]
    assert labels == ["a", "b"]
    api.send("PATCH", path, {"shared_block_ids": [two["id"]]})
    assert api.send("PATCH", f"{path}/blocks/detach/{one['id']}").status_code == 404
    assert api.send("PATCH", f"{path}/blocks/detach/{two['id']}").status_code == 200
    assert fetch(api, f"agents/{crew[2]['id']}")["blocks"] == []


def test_strangers_see_nothing(api: Api, crew: list[Any], stranger: Actor) -> None:
    group = form(api, crew)
    GroupMember.objects.get(agent_id=crew[0]["id"]).group.__class__.objects.update(
        org_id=stranger.org_id
    )
    for path in ("", "/messages"):
        fetch(api, f"groups/{group['id']}{path}", 404)
    assert fetch(api, "groups/") == []
    assert say(f"groups/{group['id']}").status_code == 404
    fetch(api, "groups/group-x", 422)


# --- talking ---------------------------------------------------------------------------------


def test_each_in_turn_hears_the_others(api: Api, crew: list[Any], openai: FakeOpenAI) -> None:
    group = form(api, crew)
    openai.push("I am first.", "I am second.", "I am third.")
    answer = say(f"groups/{group['id']}", "Count off.")
    assert spoken(answer) == [
        ("Ann", "I am first."),
        ("Bea", "I am second."),
        ("Cy", "I am third."),
    ]
    body = answer.json()
    senders = [one["sender_id"] for one in body["messages"]]
    assert senders == [one["id"] for one in crew]
    assert body["stop_reason"]["stop_reason"] == "end_turn"
    assert body["usage"]["step_count"] == 3
    assert body["usage"]["prompt_tokens"] == sum(one.prompt for one in openai.usages)
    runs = set(Run.objects.values_list("id", flat=True))
    assert set(body["usage"]["run_ids"]) == runs and len(runs) == 3
    third = texts(openai.chats[2])[1:]
    assert third == ["Count off.", "Ann: I am first.", "Bea: I am second."]
    openai.push("Again first.", "Again second.", "Again third.")
    say(f"groups/{group['id']}", "Once more.")
    first = texts(openai.chats[3])[1:]
    assert first == [
        "Count off.",
        "I am first.",
        "Bea: I am second.",
        "Cy: I am third.",
        "Once more.",
    ]
    assert fetch(api, f"groups/{group['id']}")["turns_counter"] == 6


def test_as_many_turns_as_asked_for(api: Api, crew: list[Any], openai: FakeOpenAI) -> None:
    config = {"manager_type": "round_robin", "max_turns": 2}
    group = form(api, crew, manager_config=config)
    openai.push("one", "two", "three", "four")
    assert spoken(say(f"groups/{group['id']}")) == [("Ann", "one"), ("Bea", "two")]
    # The next request goes on where this one stopped.
    assert spoken(say(f"groups/{group['id']}")) == [("Cy", "three"), ("Ann", "four")]


def test_agents_of_both_loops(api: Api, openai: FakeOpenAI) -> None:
    crew = [make(api, name="New"), make(api, name="Old", agent_type="memgpt_v2_agent")]
    group = form(api, crew)
    openai.push("By text.", Reply(calls=(Call("send_message", {"message": "By tool."}),)))
    assert spoken(say(f"groups/{group['id']}")) == [("New", "By text."), ("Old", "By tool.")]


def test_a_supervisor_asks_its_workers(api: Api, crew: list[Any], openai: FakeOpenAI) -> None:
    group = led(api, crew[0], crew[1:], "supervisor")
    plans = {
        "Ann": [Reply(calls=(Call(ALL, {"message": "Ready?"}),)), Reply("All are ready.")],
        "Bea": [Reply("Bea is.")],
        "Cy": [Reply("Cy is.")],
    }
    openai.answer_with(
        lambda request: plans[texts(request)[0].split("You are ")[1].split(".")[0]].pop(0)
    )
    answer = say(f"groups/{group['id']}", "Are they?")
    assert spoken(answer) == [("Ann", "All are ready.")]
    (result,) = [m for m in answer.json()["messages"] if m["message_type"] == "tool_return_message"]
    assert "Bea is." in result["tool_return"] and "Cy is." in result["tool_return"]
    assert Run.objects.filter(status="completed").count() == 3


def choose(agent: Any) -> Reply:
    return Reply(calls=(Call(CHOOSE, {"next_speaker_agent_id": agent["id"]}),))


def test_a_manager_chooses_who_speaks(api: Api, crew: list[Any], openai: FakeOpenAI) -> None:
    group = led(api, crew[0], crew[1:], "dynamic")
    openai.push(choose(crew[2]), "Cy here.", choose(crew[1]), "Bea here.", "DONE!")
    answer = say(f"groups/{group['id']}", "Discuss.")
    said = [one for one in spoken(answer) if one[0] != "Ann"]
    assert said == [("Cy", "Cy here."), ("Bea", "Bea here.")]
    asked = texts(openai.chats[0])
    assert asked[1] == "Discuss." and crew[1]["id"] in asked[2] and "DONE!" in asked[2]
    assert texts(openai.chats[3])[1:] == ["Discuss.", "Cy: Cy here."]
    assert "Cy: Cy here." in texts(openai.chats[2]) and len(openai.chats) == 5


def test_a_talk_ends_by_its_limit_or_a_speaker(
    api: Api, crew: list[Any], openai: FakeOpenAI
) -> None:
    group = led(api, crew[0], crew[1:], "dynamic", max_turns=1, termination_token="BASTA")
    openai.push(choose(crew[1]), "one")
    assert ("Bea", "one") in spoken(say(f"groups/{group['id']}"))
    assert len(openai.chats) == 2
    api.send("PATCH", f"/v1/groups/{group['id']}", {"manager_config": {"max_turns": 5}})
    openai.push(choose(crew[1]), "two, BASTA")
    say(f"groups/{group['id']}")
    assert len(openai.chats) == 4


def test_a_choice_outside_the_group_is_refused(
    api: Api, crew: list[Any], openai: FakeOpenAI
) -> None:
    group = led(api, crew[0], crew[1:2], "dynamic")
    openai.push(choose(crew[2]), choose(crew[1]), "Here.", "DONE!")
    answer = say(f"groups/{group['id']}")
    assert ("Bea", "Here.") in spoken(answer)
    results = [
        m["tool_return"]
        for m in answer.json()["messages"]
        if m["message_type"] == "tool_return_message"
    ]
    assert "is not in the group" in results[0] and "Bea speaks next." in results[1]


def test_a_sleeptime_group_is_its_talking_agent(api: Api, openai: FakeOpenAI) -> None:
    blocks = [{"label": "human", "value": ""}]
    main = make(api, name="Sam", memory_blocks=blocks, enable_sleeptime=True)
    group = main["managed_group"]
    config = {"manager_type": "sleeptime", "sleeptime_agent_frequency": 1}
    api.send("PATCH", f"/v1/groups/{group['id']}", {"manager_config": config})
    openai.push("Hello.")
    answer = say(f"groups/{group['id']}")
    assert spoken(answer) == [("Sam", "Hello.")]
    assert fetch(api, f"groups/{group['id']}")["turns_counter"] == 1
    (follower,) = answer.json()["usage"]["run_ids"]
    assert fetch(api, f"runs/{follower}")["agent_id"] == group["agent_ids"][0]
    told = [one["content"] for one in fetch(api, f"groups/{group['id']}/messages")]
    assert told[1:] == ["hello", "Hello."]


def test_a_failing_speaker_ends_the_talk(api: Api, crew: list[Any], openai: FakeOpenAI) -> None:
    group = form(api, crew)
    openai.push("I am first.", Failure(401, {"error": {"message": "no"}}))
    assert say(f"groups/{group['id']}").status_code >= 400
    assert Run.objects.count() == 2
    openai.requests.clear()
    openai.push("a", "b", "c")
    # Whoever has not had a turn yet goes first, and hears all; nobody hears anything twice.
    assert [one[0] for one in spoken(say(f"groups/{group['id']}"))] == ["Cy", "Ann", "Bea"]
    assert texts(openai.chats[0])[1:] == ["hello", "Ann: I am first.", "hello"]
    assert texts(openai.chats[2])[1:4] == ["hello", "Ann: I am first.", "hello"]


def test_stopping_the_speaker_ends_the_talk(api: Api, crew: list[Any], openai: FakeOpenAI) -> None:
    group = form(api, crew)
    held = threading.Event()
    openai.push("I am first.", Reply("too late", wait_for=held))
    cancel = f"/v1/agents/{crew[1]['id']}/messages/cancel"

    async def scenario() -> Any:
        given = {"messages": [{"role": "user", "content": "Go."}]}
        talk = asyncio.create_task(post(f"/v1/groups/{group['id']}/messages", given))
        while len(openai.chats) < 2:
            await asyncio.sleep(0.02)
        assert (await post(cancel, {})).status_code == 200
        return await talk

    try:
        answer = play(scenario)
    finally:
        held.set()
    assert spoken(answer) == [("Ann", "I am first.")]
    assert answer.json()["stop_reason"]["stop_reason"] == "cancelled"
    assert Run.objects.count() == 2


def test_requests_to_one_group_wait_for_each_other(
    api: Api, crew: list[Any], openai: FakeOpenAI
) -> None:
    group = form(api, crew)
    path, given = f"/v1/groups/{group['id']}/messages", {"input": "Go."}
    answers = together(lambda: post(path, given), lambda: post(path, given))
    assert [len(spoken(one)) for one in answers] == [3, 3]
    order = list(Run.objects.order_by("created_at").values_list("agent_id", flat=True))
    assert order == [one["id"] for one in crew] * 2


def test_an_empty_group_says_so(api: Api, openai: FakeOpenAI) -> None:
    group = form(api, [])
    assert say(f"groups/{group['id']}").status_code == 400


@pytest.mark.parametrize("tokens", [False, True])
def test_a_stream(api: Api, crew: list[Any], openai: FakeOpenAI, tokens: bool) -> None:
    group = form(api, crew)
    openai.push("I am first.", "I am second.", "I am third.")

    async def scenario() -> Stream:
        body = {"messages": [{"role": "user", "content": "Count."}], "stream_tokens": tokens}
        stream = await read(await post(f"/v1/groups/{group['id']}/messages/stream", body))
        await settle()
        return stream

    stream = play(scenario)
    said: dict[str, str] = {}
    for one in stream.of_type("assistant_message"):
        said[one["name"]] = said.get(one["name"], "") + one["content"]
    assert said == {"Ann": "I am first.", "Bea": "I am second.", "Cy": "I am third."}
    assert stream.types.count("assistant_message") > 3 if tokens else True
    assert stream.types[-2:] == ["stop_reason", "usage_statistics"]
    assert stream.lines[-1] == "data: [DONE]"
    assert len(stream.frames[-1]["run_ids"]) == 3


def test_a_failing_stream_says_so(api: Api, crew: list[Any], openai: FakeOpenAI) -> None:
    group = form(api, crew)
    openai.push("I am first.", Failure(401, {"error": {"message": "no"}}))

    async def scenario() -> Stream:
        body = {"messages": [{"role": "user", "content": "Count."}]}
        return await read(await post(f"/v1/groups/{group['id']}/messages/stream", body))

    stream = play(scenario)
    assert stream.types[-2:] == ["stop_reason", "error_message"]


def test_the_history_shows_each_message_once(api: Api, crew: list[Any], openai: FakeOpenAI) -> None:
    group = form(api, crew)
    openai.push("I am first.", "I am second.", "I am third.")
    say(f"groups/{group['id']}", "Count off.")
    say(f"agents/{crew[0]['id']}", "Just between us.")
    found = fetch(api, f"groups/{group['id']}/messages")
    assert [(one["message_type"], one["name"], one["content"]) for one in found] == [
        ("user_message", None, "Count off."),
        ("assistant_message", "Ann", "I am first."),
        ("assistant_message", "Bea", "I am second."),
        ("assistant_message", "Cy", "I am third."),
    ]
    latest = fetch(api, f"groups/{group['id']}/messages?limit=1")
    assert [one["content"] for one in latest] == ["I am third."]
    older = fetch(api, f"groups/{group['id']}/messages?limit=2&before={latest[0]['id']}&order=desc")
    assert [one["content"] for one in older] != [one["content"] for one in latest]


@pytest.mark.parametrize("fails", [False, True])
def test_a_stream_for_old_clients_has_only_what_their_type_of_it_knows(
    api: Api, crew: list[Any], openai: FakeOpenAI, fails: bool
) -> None:
    group = form(api, crew[:1])
    openai.push(Failure(401, "no") if fails else "Hello.")

    async def scenario() -> Stream:
        body, path = {"input": "Hi."}, f"/v1/groups/{group['id']}/messages/stream"
        return await read(await post(path, body, X_Fern_Language="JavaScript"))

    known = ["stop_reason"] if fails else ["assistant_message", "usage_statistics"]
    assert play(scenario).types == known


def test_resetting_a_group(api: Api, crew: list[Any], openai: FakeOpenAI) -> None:
    group = form(api, crew)
    say(f"groups/{group['id']}", "Remember this.")
    answer = api.send("PATCH", f"/v1/groups/{group['id']}/reset-messages")
    assert answer.status_code == 200
    openai.requests.clear()
    say(f"groups/{group['id']}", "What was it?")
    assert all("Remember this." not in "".join(texts(one)) for one in openai.chats)


def test_a_message_of_a_group_can_be_edited(
    api: Api, crew: list[Any], openai: FakeOpenAI, stranger: Actor
) -> None:
    group = form(api, crew[:2])
    openai.answer_with(lambda _: Reply("Good day."))
    say(f"groups/{group['id']}", "hello")
    path = f"/v1/groups/{group['id']}/messages"
    told, *_, last = api.get(path).json()
    new = {"message_type": "assistant_message", "content": "Good night."}
    assert api.send("PATCH", f"{path}/{last['id']}", new).json()["content"] == "Good night."
    changed = api.send("PATCH", f"{path}/{told['id']}", {"content": "Hi."}).json()
    assert (changed["message_type"], changed["content"]) == ("user_message", "Hi.")
    shown = [one["content"] for one in api.get(path).json()]
    assert (shown[0], shown[-1]) == ("Hi.", "Good night.")
    assert api.send("PATCH", f"{path}/{last['id']}", {"content": "x"}).status_code == 400
    alone = fetch(api, f"agents/{crew[2]['id']}/messages")[0]["id"]
    assert api.send("PATCH", f"{path}/{alone}", {"content": "x"}).status_code == 404
    Group.objects.update(org_id=stranger.org_id)
    assert api.send("PATCH", f"{path}/{last['id']}", new).status_code == 404
