"""The window kept small: by the server itself, on request, and taken back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.models import Agent, Compaction, Conversation, Message, Step
from agents.services.past_requests import rebuild_request
from agents.services.snapshot import load_transcript
from letta_site.core.types import Actor
from tests.app.conftest import Api
from tests.app.posting import play as run
from tests.app.posting import post, send, stream
from tests.fakes.openai_replies import Call, Reply, context_exceeded
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)
LONG = "word " * 500


@pytest.fixture
def agent_id(api: Api, openai: FakeOpenAI) -> str:
    body = {"model": "openai/gpt-4o-mini", "context_window_limit": 4000, "memory_blocks": []}
    return api.send("POST", "/v1/agents/", body).json()["id"]


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": words}], **more}


def talk(agent_id: str, turns: int) -> None:
    async def scenario() -> None:
        for n in range(turns):
            answer = await post(f"/v1/agents/{agent_id}/messages", text(f"Fact {n}. {LONG}"))
            assert answer.status_code == 200, answer.content

    run(scenario)


def test_a_long_talk_is_summarised_by_itself_and_every_step_can_be_rebuilt(
    agent_id: str, fake_openai: FakeOpenAI
) -> None:
    talk(agent_id, 9)
    assert Compaction.objects.exists()
    row = Compaction.objects.order_by("seq")[0]
    assert (row.trigger, row.mode) == ("context_window_exceeded", "sliding_window")
    asked = [chat for chat in fake_openai.chats if "tools" not in chat]
    assert asked and {m["role"] for m in asked[0]["messages"]} == {"system", "user"}
    assert all(rebuild_request(step)["verified"] for step in Step.objects.all())
    seen = load_transcript(Conversation.objects.get())
    assert seen.summary is not None and seen.messages[0].seq > row.to_seq
    assert Message.objects.filter(role="user", content__icontains="Fact 0.").exists()


def test_a_provider_that_finds_the_request_too_long_gets_a_shorter_one(
    agent_id: str, fake_openai: FakeOpenAI
) -> None:
    talk(agent_id, 4)
    fake_openai.push(context_exceeded(1000), "Notes.", "Better.")
    answer = send(agent_id, text("And now?"))
    assert answer.status_code == 200, answer.content
    assert "Better." in json.dumps(answer.json()["messages"])
    assert Step.objects.order_by("-seq")[0].status == "success"


def test_clipped_returns_are_rebuilt_as_they_were_sent(
    api: Api, agent_id: str, fake_openai: FakeOpenAI
) -> None:
    call = Reply(calls=(Call("conversation_search", {"query": "word"}),))
    fake_openai.answer_with(
        lambda request: Reply("Found.") if request["messages"][-1]["role"] == "tool" else call
    )
    for _ in range(3):
        send(agent_id, text("Look. " + LONG))
    assert all(rebuild_request(step)["verified"] for step in Step.objects.all())


def test_summarise_on_request_and_undo(api: Api, agent_id: str, fake_openai: FakeOpenAI) -> None:
    talk(agent_id, 3)
    before = load_transcript(Conversation.objects.get())
    fake_openai.push("They spoke of facts.")
    answer = run(lambda: post(f"/v1/agents/{agent_id}/summarize", None))
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert told == {
        "summary": "They spoke of facts.",
        "num_messages_before": 7,
        "num_messages_after": 4,
    }
    (listed,) = api.send("GET", f"/v1/agents/{agent_id}/compactions").json()
    assert listed["undone_at"] is None
    undone = api.send("POST", f"/v1/agents/{agent_id}/compactions/{listed['n']}/undo")
    assert undone.status_code == 200, undone.content
    assert load_transcript(Conversation.objects.get()) == before
    again = api.send("POST", f"/v1/agents/{agent_id}/compactions/{listed['n']}/undo")
    assert again.status_code == 409
    assert send(agent_id, text("Still there?")).status_code == 200


def test_a_conversation_is_summarised_by_itself(
    api: Api, agent_id: str, openai: FakeOpenAI
) -> None:
    talk(agent_id, 2)
    made = api.send("POST", f"/v1/conversations/?agent_id={agent_id}").json()
    path = f"/v1/conversations/{made['id']}"
    for n in range(3):
        body = {"input": f"Fact {n}.", "streaming": False}
        assert run(lambda body=body: post(f"{path}/messages", body)).status_code == 200
    openai.push("They spoke of facts.")
    mode = {"compaction_settings": {"mode": "all"}}
    answer = run(lambda: post(f"{path}/compact", mode))
    assert answer.status_code == 200, answer.content
    assert answer.json()["summary"] == "They spoke of facts."
    assert answer.json()["num_messages_before"] == 7
    assert answer.json()["num_messages_after"] < 7
    (default,) = Conversation.objects.filter(is_default=True)
    assert default.summary_message_id is None
    by_agent = {"agent_id": agent_id}
    assert run(lambda: post("/v1/conversations/default/compact", by_agent)).status_code == 200
    assert run(lambda: post("/v1/conversations/default/compact", None)).status_code == 400
    wrong = {"compaction_settings": {"mode": "some"}}
    assert run(lambda: post(f"{path}/compact", wrong)).status_code == 422
    absent = "/v1/conversations/conv-00000000-0000-4000-8000-00000000abcd/compact"
    assert run(lambda: post(absent, None)).status_code == 404


def test_nothing_to_summarise_is_refused(api: Api, agent_id: str) -> None:
    answer = run(lambda: post(f"/v1/agents/{agent_id}/summarize?max_message_length=9", None))
    assert answer.status_code == 400, answer.content
    absent = "agent-00000000-0000-4000-8000-00000000abcd"
    gone = run(lambda: post(f"/v1/agents/{absent}/summarize", None))
    assert gone.status_code == 404
    assert api.send("GET", f"/v1/agents/{absent}/compactions").status_code == 404
    assert api.send("POST", f"/v1/agents/{agent_id}/compactions/1/undo").status_code == 404


def test_a_summary_made_while_a_run_works_is_refused(agent_id: str, owner: Actor) -> None:
    talk(agent_id, 2)
    Agent.objects.get().runs.update(status="running")
    answer = run(lambda: post(f"/v1/agents/{agent_id}/summarize", {}))
    assert answer.status_code == 409


def test_a_stream_tells_of_a_compaction_as_asked(agent_id: str, fake_openai: FakeOpenAI) -> None:
    talk(agent_id, 4)
    told = stream(agent_id, text("Go on. " + LONG * 2, include_compaction_messages=True))
    event, summary = told.of_type("event_message"), told.of_type("summary_message")
    assert event[0]["event_type"] == "compaction"
    assert set(event[0]["event_data"]) == set(summary[0]["compaction_stats"])
    for _ in range(2):
        quiet = stream(agent_id, text("Go on. " + LONG * 2))
        assert not quiet.of_type("event_message") and not quiet.of_type("summary_message")


def test_a_prompt_over_the_window_fails_the_run_by_name(api: Api, agent_id: str) -> None:
    Agent.objects.update(context_window_limit=300)
    told = stream(agent_id, text("hello"))
    (stop,) = told.of_type("stop_reason")
    assert stop["stop_reason"] == "context_window_overflow_in_system_prompt"


def test_the_demo_model_leaves_summaries_to_the_digest(api: Api) -> None:
    agent_id = api.send("POST", "/v1/agents/", {"model": "letta/demo"}).json()["id"]
    for words in ("My name is Ada.", "I like boats.", "Help."):
        send(agent_id, text(words))
    told = run(lambda: post(f"/v1/agents/{agent_id}/summarize", {})).json()
    assert "I like boats." in told["summary"]
    assert Compaction.objects.get().mode == "digest"
