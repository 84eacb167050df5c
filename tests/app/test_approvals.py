"""Tool calls that wait for a person: asked over REST, answered, refused, forgotten."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from agents.engine.events import Failure
from agents.models import Agent, Conversation, Message, Run, Step, Tool, ToolCall
from agents.runtime import boot
from agents.services import runs
from agents.services.health import find_trouble, unstick
from agents.services.snapshot import begin_run
from agents.types import InputMessage, RunInput, TextPart
from letta_site.core.aio import in_db
from letta_site.core.types import Actor
from memory.models import Block
from tests.app.conftest import Api
from tests.app.posting import Stream, play, post, send, stream
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

HELLO = {"messages": [{"role": "user", "content": "hello"}]}
EDIT = Call("memory_insert", {"label": "human", "new_string": "Oslo."}, "call_edit")
LOOK = Call("conversation_search", {"query": "fjord"}, "call_look")


def pause(guarded: Any, openai: FakeOpenAI, *calls: Call, text: str = "") -> Any:
    """Send a message that leads to a request for approval; return the request."""
    openai.push(Reply(text=text, calls=calls or (EDIT,)))
    answer = send(guarded["id"], HELLO).json()
    assert answer["stop_reason"]["stop_reason"] == "requires_approval", answer
    return answer["messages"][-1]


def verdict(call_id: str = "call_edit", *, approve: bool = True, **more: Any) -> dict[str, Any]:
    return {"type": "approval", "tool_call_id": call_id, "approve": approve, **more}


def answer(*approvals: Any, **more: Any) -> dict[str, Any]:
    return {"messages": [{"type": "approval", "approvals": list(approvals), **more}]}


def types(messages: list[Any]) -> list[str]:
    return [message["message_type"] for message in messages]


def history(api: Api, guarded: Any) -> list[Any]:
    found: list[Any] = api.get(f"/v1/agents/{guarded['id']}/messages").json()
    return found


def value(guarded: Any) -> str:
    return str(Block.objects.get().value)


def test_a_call_waits_and_nothing_is_done(api: Api, guarded: Any, openai: FakeOpenAI) -> None:
    request = pause(guarded, openai)
    assert request["message_type"] == "approval_request_message"
    assert request["tool_call"] == request["tool_calls"][0]
    assert request["tool_call"]["tool_call_id"] == "call_edit"
    assert request["otid"] == request["id"]
    assert value(guarded) == "Bob"
    run = Run.objects.get()
    assert (run.status, run.stop_reason) == ("completed", "requires_approval")
    shown = api.get(f"/v1/agents/{guarded['id']}?include=agent.pending_approval").json()
    assert shown["last_stop_reason"] == "requires_approval"
    assert shown["pending_approval"] == request
    assert history(api, guarded)[-1] == request


def test_the_requests_id_is_one_below_that_of_what_was_said(
    guarded: Any, openai: FakeOpenAI
) -> None:
    openai.push(Reply(text="May I?", calls=(EDIT,)))
    said, request = send(guarded["id"], HELLO).json()["messages"]
    assert types([said, request]) == ["assistant_message", "approval_request_message"]
    below = int(said["id"].removeprefix("message-").replace("-", ""), 16) - 1
    assert int(request["id"].removeprefix("message-").replace("-", ""), 16) == below


def test_approving_carries_the_call_out_and_goes_on(
    api: Api, guarded: Any, openai: FakeOpenAI, owner: Actor
) -> None:
    request = pause(guarded, openai, text="May I?")
    openai.push("Noted.")
    given = send(guarded["id"], answer(verdict())).json()
    returned, said = given["messages"]
    assert types(given["messages"]) == ["tool_return_message", "assistant_message"]
    assert (returned["status"], returned["tool_call_id"]) == ("success", "call_edit")
    assert given["stop_reason"]["stop_reason"] == "end_turn"
    assert value(guarded) == "Bob\nOslo."
    # The rest of the step that waited belongs to it; the words after it to a new one.
    assert returned["step_id"] == request["step_id"] != said["step_id"]
    assert Step.objects.count() == 2
    assert given["usage"]["step_count"] == 1
    call = ToolCall.objects.get()
    assert (call.approved_by, call.message_id) == (owner.id, request["id"])
    asked = openai.chats[-1]["messages"]
    assert [one["role"] for one in asked] == ["system", "user", "assistant", "tool"]
    assert asked[2]["content"] == "May I?"
    shown = api.get(f"/v1/agents/{guarded['id']}").json()
    assert (shown["pending_approval"], shown["last_stop_reason"]) == (None, "end_turn")
    response = history(api, guarded)[-3]
    assert response["message_type"] == "approval_response_message"
    assert response["approvals"] == [verdict(reason=None)]
    assert (response["approve"], response["approval_request_id"]) == (True, request["id"])


@pytest.mark.parametrize("by", ["request", "call", "nothing"])
def test_the_old_form_answers_all_calls(guarded: Any, openai: FakeOpenAI, by: str) -> None:
    request = pause(guarded, openai)
    wanted = {"request": request["id"], "call": "call_edit", "nothing": None}[by]
    openai.push("Fine.")
    body = {"approve": False, "approval_request_id": wanted, "reason": "Not now"}
    messages = send(guarded["id"], {"messages": [body]}).json()["messages"]
    assert messages[0]["status"] == "error"
    assert messages[0]["tool_return"] == (
        "Error: request to call tool denied. User reason: Not now"
    )
    assert openai.chats[-1]["messages"][-1]["content"] == messages[0]["tool_return"]
    assert value(guarded) == "Bob"


def test_a_denial_without_a_reason_says_so(guarded: Any, openai: FakeOpenAI) -> None:
    pause(guarded, openai)
    openai.push("Fine.")
    messages = send(guarded["id"], answer(verdict(approve=False))).json()["messages"]
    assert "denied. User reason: none given" in messages[0]["tool_return"]


def test_calls_beside_it_wait_with_it(guarded: Any, openai: FakeOpenAI) -> None:
    openai.push(Reply(text="Both.", calls=(LOOK, EDIT)))
    messages = send(guarded["id"], HELLO).json()["messages"]
    assert types(messages) == ["assistant_message", "tool_call_message", "approval_request_message"]
    assert not ToolCall.objects.exists()
    openai.push("Done.")
    messages = send(guarded["id"], answer(verdict())).json()["messages"]
    returned = messages[0]["tool_returns"]
    assert [one["tool_call_id"] for one in returned] == ["call_look", "call_edit"]
    called = openai.chats[-1]["messages"][2]["tool_calls"]
    assert [one["id"] for one in called] == ["call_look", "call_edit"]


def test_some_are_approved_and_some_are_not(guarded: Any, openai: FakeOpenAI) -> None:
    other = Call("memory_insert", {"label": "human", "new_string": "Rome."}, "call_rome")
    request = pause(guarded, openai, EDIT, other)
    assert [one["tool_call_id"] for one in request["tool_calls"]] == ["call_edit", "call_rome"]
    openai.push("Done.")
    body = answer(verdict("call_rome", approve=False, reason="no"), verdict())
    messages = send(guarded["id"], body).json()["messages"]
    assert [one["status"] for one in messages[0]["tool_returns"]] == ["success", "error"]
    assert value(guarded) == "Bob\nOslo."


def test_words_may_come_with_the_answer(api: Api, guarded: Any, openai: FakeOpenAI) -> None:
    pause(guarded, openai)
    openai.push("Hi again.")
    body = answer(verdict())
    body["messages"].append({"role": "user", "content": "And then greet me."})
    assert send(guarded["id"], body).json()["messages"][-1]["content"] == "Hi again."
    asked = openai.chats[-1]["messages"]
    assert [one["role"] for one in asked] == ["system", "user", "assistant", "tool", "user"]
    assert asked[-1]["content"] == "And then greet me."


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (answer(verdict("call_other")), "these calls wait: ['call_edit']"),
        (answer(verdict(), verdict("call_other")), "these calls wait: ['call_edit']"),
        (answer(verdict(), verdict()), "these calls wait: ['call_edit']"),
        ({"messages": [{"approve": True, "approval_request_id": "message-1"}]}, "message-1"),
        ({"messages": [{"type": "approval"}]}, "answers nothing"),
        ({"messages": [{"type": "tool_return", "tool_returns": []}]}, "answers nothing"),
    ],
)
def test_an_answer_to_something_else_is_refused(
    guarded: Any, openai: FakeOpenAI, body: Any, text: str
) -> None:
    pause(guarded, openai)
    refused = send(guarded["id"], body)
    assert (refused.status_code, text in refused.json()["detail"]) == (400, True)
    assert Run.objects.count() == 1
    openai.push("Done.")
    assert send(guarded["id"], answer(verdict())).status_code == 200


@pytest.mark.parametrize(
    "item",
    [
        {"type": "approval", "approvals": [{"type": "approval", "approve": True}]},
        {"type": "approval", "approvals": [{"tool_call_id": "call_edit"}]},
        {"type": "tool_return", "tool_returns": [{"tool_call_id": "x", "tool_return": "y"}]},
    ],
)
def test_an_incomplete_answer_is_malformed(guarded: Any, openai: FakeOpenAI, item: Any) -> None:
    assert send(guarded["id"], {"messages": [item]}).status_code == 422


def test_an_answer_to_nothing_is_refused(guarded: Any, openai: FakeOpenAI) -> None:
    refused = send(guarded["id"], answer(verdict()))
    assert (refused.status_code, refused.json()["detail"]) == (
        400,
        "INVALID_ARGUMENT: No tool call waits for an approval, so there is nothing to answer.",
    )


def test_words_are_refused_while_calls_wait(guarded: Any, openai: FakeOpenAI) -> None:
    request = pause(guarded, openai)
    for refused in (
        send(guarded["id"], HELLO),
        play(lambda: post(f"/v1/agents/{guarded['id']}/messages/stream", HELLO)),
        play(lambda: post(f"/v1/agents/{guarded['id']}/messages/async", HELLO)),
    ):
        assert refused.status_code == 409
        detail = refused.json()["detail"]
        assert set(detail) == {"code", "message", "pending_request_id"}
        assert detail["code"] == "PENDING_APPROVAL"
        assert detail["pending_request_id"] == request["id"]
        assert refused["x-should-retry"] == "false"
    assert Run.objects.count() == 1


def test_words_that_were_queued_before_the_request_are_told(
    guarded: Any, openai: FakeOpenAI
) -> None:
    openai.answer_with(lambda _: Reply(calls=(EDIT,), delay_s=0.3))

    async def scenario() -> Any:
        path = f"/v1/agents/{guarded['id']}/messages"
        first = asyncio.create_task(post(path, HELLO))
        while not await in_db(Run.objects.exists):
            await asyncio.sleep(0.02)
        second = await post(path, {"input": "and this"})
        return await first, second

    first, second = play(scenario)
    assert first.json()["stop_reason"]["stop_reason"] == "requires_approval"
    assert second.status_code == 409
    assert second.json()["detail"]["pending_request_id"] == first.json()["messages"][-1]["id"]


def test_the_same_answer_again_does_nothing_twice(
    api: Api, guarded: Any, openai: FakeOpenAI
) -> None:
    request = pause(guarded, openai)
    openai.push("Noted.", "As I said.", "Yes, yes.")
    send(guarded["id"], answer(verdict()))
    again = send(guarded["id"], answer(verdict()))
    assert again.json()["messages"][-1]["content"] == "As I said."
    old = {"messages": [{"approve": True, "approval_request_id": request["id"]}]}
    assert send(guarded["id"], old).json()["messages"][-1]["content"] == "Yes, yes."
    assert ToolCall.objects.count() == 1
    assert value(guarded) == "Bob\nOslo."


def test_two_answers_at_once_are_one_execution(guarded: Any, openai: FakeOpenAI) -> None:
    pause(guarded, openai)
    openai.answer_with(lambda _: Reply("Noted.", delay_s=0.3))

    async def scenario() -> Any:
        path = f"/v1/agents/{guarded['id']}/messages"
        return await asyncio.gather(*(post(path, answer(verdict())) for _ in range(4)))

    found = sorted(response.status_code for response in play(scenario))
    assert found == [200, 409, 409, 409]
    assert ToolCall.objects.count() == 1


def test_the_same_answer_succeeds_after_a_cancel(guarded: Any, openai: FakeOpenAI) -> None:
    pause(guarded, openai)
    openai.answer_with(lambda _: Reply("late", delay_s=3))

    async def scenario() -> Any:
        path = f"/v1/agents/{guarded['id']}/messages"
        task = asyncio.create_task(post(path, answer(verdict())))
        await asyncio.sleep(0.3)
        await post(f"{path}/cancel", {})
        return (await task).json()

    assert play(scenario)["stop_reason"]["stop_reason"] == "cancelled"
    openai.answer_with(lambda _: Reply("Here I am."))
    again = send(guarded["id"], answer(verdict())).json()
    assert again["messages"][-1]["content"] == "Here I am."
    assert ToolCall.objects.count() == 1


def test_cancelling_denies_what_waits(api: Api, guarded: Any, openai: FakeOpenAI) -> None:
    openai.push(Reply(calls=(LOOK, EDIT)))
    send(guarded["id"], HELLO)
    run = Run.objects.get()
    told = api.send("POST", f"/v1/agents/{guarded['id']}/messages/cancel", {})
    assert (told.status_code, told.json()) == (200, {run.id: "cancelled"})
    run.refresh_from_db()
    assert (run.status, run.stop_reason) == ("cancelled", "cancelled")
    response, returned = history(api, guarded)[-2:]
    assert (response["message_type"], response["approve"]) == ("approval_response_message", False)
    assert [one["status"] for one in returned["tool_returns"]] == ["error", "error"]
    shown = api.get(f"/v1/agents/{guarded['id']}").json()
    assert (shown["pending_approval"], shown["last_stop_reason"]) == (None, "cancelled")
    openai.push("Hi.")
    assert send(guarded["id"], HELLO).status_code == 200
    assert value(guarded) == "Bob"
    assert api.send("POST", f"/v1/agents/{guarded['id']}/messages/cancel", {}).status_code == 409


def test_nobody_answered_in_time(api: Api, guarded: Any, openai: FakeOpenAI, settings: Any) -> None:
    request = pause(guarded, openai)
    settings.APPROVAL_TIMEOUT_MIN = 15
    Message.objects.filter(pk=request["id"]).update(created_at=F("created_at") - timedelta(hours=1))
    openai.push("Hello.")
    assert send(guarded["id"], HELLO).json()["messages"][-1]["content"] == "Hello."
    told = [one for one in openai.chats[-1]["messages"] if one["role"] == "tool"]
    assert "denied. User reason: nobody answered in time" in told[0]["content"]
    assert types(history(api, guarded))[-4:] == [
        "approval_response_message",
        "tool_return_message",
        "user_message",
        "assistant_message",
    ]


@pytest.mark.parametrize("minutes", [0, 120])
def test_patience_can_be_set(guarded: Any, openai: FakeOpenAI, settings: Any, minutes: int) -> None:
    request = pause(guarded, openai)
    settings.APPROVAL_TIMEOUT_MIN = minutes
    Message.objects.filter(pk=request["id"]).update(created_at=F("created_at") - timedelta(hours=1))
    assert send(guarded["id"], HELLO).status_code == 409


def test_what_waits_survives_a_restart(guarded: Any, openai: FakeOpenAI) -> None:
    pause(guarded, openai)
    play(boot.start)
    openai.push("Noted.")
    assert send(guarded["id"], answer(verdict())).json()["messages"][0]["status"] == "success"


def cut_short(owner: Actor, agent: Any, *rows: Any, **options: Any) -> str:
    """Answer, and let the server die before any of the calls has returned."""
    given = RunInput(agent["id"], (InputMessage("approval", approvals=rows),), **options)
    ref, _ = runs.open_run(owner, given)
    assert begin_run(ref.run_id) is not None
    return ref.run_id


def start_and_finish() -> None:
    async def scenario() -> None:
        await boot.start()
        while await in_db(Run.objects.filter(completed_at=None).exists):
            await asyncio.sleep(0.02)

    play(scenario)


@pytest.mark.parametrize("deaths", [1, 3])
def test_a_run_that_died_with_approved_calls_goes_on_without_making_them_again(
    owner: Actor, guarded: Any, openai: FakeOpenAI, deaths: int
) -> None:
    pause(guarded, openai, LOOK, EDIT)
    run_id = cut_short(owner, guarded, verdict())
    for _ in range(deaths - 1):
        runs.resume_interrupted()
        assert begin_run(run_id) is not None
    openai.push("Let me look.")
    start_and_finish()
    run = Run.objects.get(pk=run_id)
    assert (run.status, run.stop_reason) == ("completed", "end_turn")
    assert Block.objects.get().value == "Bob"
    (returned,) = Message.objects.filter(role="tool")
    assert [one["tool_call_id"] for one in returned.tool_returns] == ["call_look", "call_edit"]
    assert all("interrupted" in one["text"] for one in returned.tool_returns)
    assert find_trouble(owner, guarded["id"]) == []
    told = [one for one in openai.chats[-1]["messages"] if one["role"] == "tool"]
    assert ["interrupted" in one["content"] for one in told] == [True, True]
    openai.push("Fine.")
    assert send(guarded["id"], HELLO).status_code == 200


def test_what_is_known_of_calls_that_a_crash_cut_short_is_kept(
    owner: Actor, guarded: Any, openai: FakeOpenAI
) -> None:
    pause(guarded, openai)
    cut_short(owner, guarded, verdict(approve=False, reason="Not now."))
    openai.push("All right.")
    start_and_finish()
    (returned,) = Message.objects.filter(role="tool")
    assert "Not now." in returned.tool_returns[0]["text"]


@pytest.mark.parametrize("way", ["too many restarts", "unstuck", "broken"])
def test_however_a_run_with_approved_calls_ends_they_have_returns(
    owner: Actor, guarded: Any, openai: FakeOpenAI, way: str
) -> None:
    pause(guarded, openai, LOOK, EDIT)
    run_id = cut_short(owner, guarded, verdict())
    if way == "too many restarts":
        Run.objects.filter(pk=run_id).update(options={"resumes": runs.MOST_RESUMES})
        runs.resume_interrupted()
    elif way == "unstuck":
        unstick(owner, guarded["id"])
    else:
        runs.end_run(run_id, "error", Failure("internal_error", "Broken."))
    assert Run.objects.get(pk=run_id).status == "failed"
    assert find_trouble(owner, guarded["id"]) == []
    openai.push("Fine.")
    assert send(guarded["id"], HELLO).json()["stop_reason"]["stop_reason"] == "end_turn"
    told = [one for one in openai.chats[-1]["messages"] if one["role"] == "tool"]
    assert all("interrupted" in one["content"] for one in told)


def test_streams_tell_the_request_whole(guarded: Any, openai: FakeOpenAI) -> None:
    openai.push(Reply(text="May I?", calls=(EDIT,)))
    found = stream(guarded["id"], {**HELLO, "stream_tokens": True})
    (request,) = found.of_type("approval_request_message")
    assert request["tool_call"]["arguments"] == EDIT.arguments_text
    assert not found.of_type("tool_call_message")
    assert found.types[-2:] == ["stop_reason", "usage_statistics"]
    assert found.of_type("stop_reason")[0]["stop_reason"] == "requires_approval"
    openai.push("Noted.")
    rest: Stream = stream(guarded["id"], {**answer(verdict()), "stream_tokens": True})
    assert rest.types[1] == "tool_return_message"
    assert rest.of_type("stop_reason")[0]["stop_reason"] == "end_turn"


def test_an_async_answer_is_a_run(api: Api, guarded: Any, openai: FakeOpenAI) -> None:
    pause(guarded, openai)
    openai.push("Noted.")
    actor = Actor(Agent.objects.get().org_id, "")

    async def scenario() -> Any:
        path = f"/v1/agents/{guarded['id']}/messages/async"
        run = (await post(path, answer(verdict()))).json()
        while True:
            row = await in_db(runs.get_run, actor, run["id"])
            if row.status == "completed":
                return row
            await asyncio.sleep(0.02)

    assert play(scenario).stop_reason == "end_turn"
    assert value(guarded) == "Bob\nOslo."


def test_the_window_can_be_looked_at_while_calls_wait(
    api: Api, guarded: Any, openai: FakeOpenAI
) -> None:
    pause(guarded, openai)
    shown = api.get(f"/v1/agents/{guarded['id']}/context")
    assert shown.status_code == 200
    assert shown.json()["messages"][-1]["role"] == "approval"
    preview = api.send("POST", f"/v1/agents/{guarded['id']}/messages/preview-raw-payload", HELLO)
    assert preview.status_code == 200


def test_a_reset_forgets_what_waits(api: Api, guarded: Any, openai: FakeOpenAI) -> None:
    pause(guarded, openai)
    assert api.send("PATCH", f"/v1/agents/{guarded['id']}/reset-messages", {}).status_code == 200
    assert not Conversation.objects.filter(pending__isnull=False).exists()
    openai.push("Hello.")
    assert send(guarded["id"], HELLO).status_code == 200


def test_a_heartbeat_agent_goes_on_after_the_answer(api: Api, openai: FakeOpenAI) -> None:
    body = {
        "model": "openai/gpt-4o-mini",
        "agent_type": "memgpt_v2_agent",
        "memory_blocks": [{"label": "human", "value": "Bob"}],
        "tool_rules": [
            {"type": "requires_approval", "tool_name": "memory_insert"},
            {"type": "exit_loop", "tool_name": "send_message"},
        ],
    }
    guarded = api.send("POST", "/v1/agents/", body).json()
    wish = Call("memory_insert", {**EDIT.arguments, "request_heartbeat": True}, "call_edit")
    pause(guarded, openai, wish)
    openai.push(Reply(calls=(Call("send_message", {"message": "Noted."}),)))
    given = send(guarded["id"], answer(verdict())).json()
    assert types(given["messages"]) == ["tool_return_message", "assistant_message"]
    assert given["stop_reason"]["stop_reason"] == "end_turn"
    assert '"heartbeat"' in openai.chats[-1]["messages"][-1]["content"]


def test_approval_can_be_asked_for_and_not(api: Api, guarded: Any, openai: FakeOpenAI) -> None:
    path = f"/v1/agents/{guarded['id']}/tools/approval/memory_insert?requires_approval=false"
    api.send("PATCH", path)
    openai.push(Reply(calls=(EDIT,)), "Noted.")
    assert send(guarded["id"], HELLO).json()["stop_reason"]["stop_reason"] == "end_turn"
    api.send("PATCH", path.replace("false", "true"))
    pause(guarded, openai)


def test_a_tool_can_always_ask_for_approval(api: Api, guarded: Any, openai: FakeOpenAI) -> None:
    Tool.objects.filter(name="conversation_search").update(default_requires_approval=True)
    made = api.send("POST", "/v1/agents/", {"model": "openai/gpt-4o-mini"}).json()
    pause(made, openai, LOOK)
    bare = {"model": "openai/gpt-4o-mini", "include_base_tools": False}
    later = api.send("POST", "/v1/agents/", bare).json()
    tool = Tool.objects.get(name="conversation_search")
    api.send("PATCH", f"/v1/agents/{later['id']}", {"tool_ids": [tool.id]})
    pause(later, openai, LOOK)


def test_a_foreign_agent_cannot_be_answered(
    api: Api, foreign_agent: Any, openai: FakeOpenAI
) -> None:
    assert send(foreign_agent["id"], answer(verdict())).status_code == 404


def test_a_message_to_an_agent_costs_no_more_queries(
    owner: Actor, guarded: Any, openai: FakeOpenAI, django_assert_max_num_queries: Any
) -> None:
    given = RunInput(guarded["id"], (InputMessage("user", (TextPart("hi"),)),))
    with django_assert_max_num_queries(5):
        runs.open_run(owner, given)


def test_an_agent_without_a_buffer_keeps_the_turn_that_waits(api: Api, openai: FakeOpenAI) -> None:
    body = {
        "model": "openai/gpt-4o-mini",
        "agent_type": "workflow_agent",
        "tools": ["conversation_search"],
        "tool_rules": [{"type": "requires_approval", "tool_name": "conversation_search"}],
    }
    guarded = api.send("POST", "/v1/agents/", body).json()
    pause(guarded, openai, LOOK)
    openai.push("Nothing.")
    assert send(guarded["id"], answer(verdict("call_look"))).status_code == 200
    roles = [one["role"] for one in openai.chats[-1]["messages"]]
    assert roles == ["system", "user", "assistant", "tool"]


def test_what_waits_costs_no_query_more_an_agent(
    api: Api, guarded: Any, openai: FakeOpenAI, django_assert_max_num_queries: Any
) -> None:
    pause(guarded, openai)
    with django_assert_max_num_queries(10):
        (shown,) = api.get("/v1/agents/").json()
    assert shown["pending_approval"]["tool_call"]["name"] == "memory_insert"


def test_deleting_an_agent_that_waits(api: Api, guarded: Any, openai: FakeOpenAI) -> None:
    pause(guarded, openai)
    assert api.send("DELETE", f"/v1/agents/{guarded['id']}").status_code == 200
    assert not Message.objects.exists()


def test_an_odd_reason_is_kept_as_far_as_it_can_be(guarded: Any, openai: FakeOpenAI) -> None:
    request = pause(guarded, openai)
    openai.push("Fine.")
    body = {"approve": False, "approval_request_id": request["id"], "reason": "no\ud800"}
    told = send(guarded["id"], {"messages": [body]}).json()["messages"][0]["tool_return"]
    assert told.endswith("no\ufffd")
