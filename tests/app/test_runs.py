"""Runs and steps over REST."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models import Agent, Conversation, Run, Step
from letta_site.core.types import Actor
from tests.app.conftest import Api
from tests.app.posting import play, post, send
from tests.app.test_messages import HELLO, agent  # noqa: F401
from tests.fakes.openai_replies import Call, Failure, Reply, error_body
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

RUN_KEYS = set(
    "id status created_at completed_at agent_id conversation_id base_template_id background "
    "metadata request_config stop_reason callback_url callback_sent_at callback_status_code "
    "callback_error ttft_ns total_duration_ns job_type created_by_id last_updated_by_id "
    "updated_at".split()
)
STEP_KEYS = set(
    "id origin provider_id run_id job_id agent_id provider_name provider_category model "
    "model_handle model_endpoint context_window_limit completion_tokens prompt_tokens "
    "total_tokens cached_input_tokens cache_write_tokens reasoning_tokens "
    "completion_tokens_details prompt_tokens_details stop_reason tags tid trace_id request_id "
    "messages feedback project_id error_type error_data status".split()
)


@pytest.fixture
def run(agent: Any, openai: FakeOpenAI) -> Run:  # noqa: F811
    call = Call("memory_insert", {"label": "human", "new_string": "Oslo."})
    openai.push(Reply(calls=(call,)), "Noted.")
    send(agent["id"], HELLO)
    return Run.objects.get()


def test_a_run(api: Api, run: Run) -> None:
    found = api.get(f"/v1/runs/{run.id}").json()
    assert set(found) >= RUN_KEYS
    assert (found["status"], found["stop_reason"]) == ("completed", "end_turn")
    assert found["metadata"] == {"run_type": "send_message"}
    assert found["request_config"]["use_assistant_message"] is True
    assert found["completed_at"].endswith("Z")
    assert api.get("/v1/runs/").json() == [found]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"statuses": ["completed", "failed"]}, 1),
        ({"statuses": "failed"}, 0),
        ({"active": "true"}, 0),
        ({"background": "true"}, 0),
        ({"stop_reason": "end_turn"}, 1),
        ({"agent_id": "agent-x"}, 0),
        ({"conversation_id": "conv-x"}, 0),
        ({"ascending": "true"}, 1),
    ],
)
def test_filters(api: Api, run: Run, query: dict[str, Any], count: int) -> None:
    assert len(api.get("/v1/runs/", query).json()) == count
    assert api.get("/v1/runs/active").json() == []


def test_messages_of_a_run_are_in_order_both_ways(api: Api, run: Run) -> None:
    found = api.get(f"/v1/runs/{run.id}/messages").json()
    assert [one["message_type"] for one in found] == [
        "user_message",
        "tool_call_message",
        "tool_return_message",
        "assistant_message",
    ]
    newest = api.get(f"/v1/runs/{run.id}/messages", {"order": "desc"}).json()
    assert newest == found[::-1]
    after = api.get(f"/v1/runs/{run.id}/messages", {"after": found[1]["id"]}).json()
    assert after == found[2:]
    assert api.get(f"/v1/runs/{run.id}/messages", {"after": found[-1]["id"]}).json() == []


def test_usage_and_metrics(api: Api, run: Run) -> None:
    usage = api.get(f"/v1/runs/{run.id}/usage").json()
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
    assert set(usage["prompt_tokens_details"]) == {
        "cached_tokens",
        "cache_read_tokens",
        "cache_creation_tokens",
    }
    metrics = api.get(f"/v1/runs/{run.id}/metrics").json()
    assert (metrics["num_steps"], metrics["tools_used"]) == (2, ["memory_insert"])
    assert metrics["run_ns"] > 0


def test_steps(api: Api, run: Run, django_assert_num_queries: Any) -> None:
    newest, oldest = api.get(f"/v1/runs/{run.id}/steps").json()
    assert set(newest) >= STEP_KEYS
    assert newest["job_id"] == newest["run_id"] == run.id
    assert (newest["status"], newest["stop_reason"], oldest["stop_reason"]) == (
        "success",
        "end_turn",
        None,
    )
    assert [one["role"] for one in oldest["messages"]] == ["assistant", "tool"]
    assert api.get(f"/v1/steps/{newest['id']}").json() == newest
    for limit in (1, 2):
        with django_assert_num_queries(2):
            assert len(api.get("/v1/steps/", {"limit": limit}).json()) == limit
    assert api.get("/v1/steps/", {"after": oldest["id"]}).json() == []
    assert api.get("/v1/steps/", {"has_feedback": "true"}).json() == []


def test_a_step_in_detail(api: Api, run: Run, openai: FakeOpenAI) -> None:
    step = Step.objects.get(n=1)
    path = f"/v1/steps/{step.id}"
    metrics = api.get(f"{path}/metrics").json()
    assert metrics["llm_request_ns"] > 0 and metrics["run_id"] == run.id
    trace = api.get(f"{path}/trace").json()
    assert trace["request_json"] == openai.chats[0]
    assert trace["request_verified"] is True
    assert trace["response_json"]
    kinds = [one["message_type"] for one in api.get(f"{path}/messages").json()]
    assert kinds == ["tool_call_message", "tool_return_message"]


def test_a_failed_run_tells_why(api: Api, agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    openai.push(Failure(500, error_body("broken")))
    send(agent["id"], HELLO)
    (found,) = api.get("/v1/runs/").json()
    assert found["status"] == "failed"
    assert found["metadata"]["error"]
    (step,) = api.get(f"/v1/runs/{found['id']}/steps").json()
    assert (step["status"], step["error_type"]) == ("failed", "llm_error")


def test_deleting_a_run_keeps_its_messages(api: Api, agent: Any, run: Run) -> None:  # noqa: F811
    before = api.get(f"/v1/agents/{agent['id']}/messages").json()
    assert api.send("DELETE", f"/v1/runs/{run.id}").json()["id"] == run.id
    assert api.get(f"/v1/runs/{run.id}").status_code == 404
    assert api.get(f"/v1/agents/{agent['id']}/messages").json() == before


def test_a_waiting_run_is_not_deleted(api: Api, agent: Any, owner: Actor) -> None:  # noqa: F811
    conversation = Conversation.objects.get()
    waiting = Run.objects.create(
        org_id=owner.org_id, agent_id=agent["id"], conversation=conversation, seq=50
    )
    assert api.send("DELETE", f"/v1/runs/{waiting.id}").status_code == 409
    assert [one["id"] for one in api.get("/v1/runs/active").json()] == [waiting.id]


@pytest.fixture
def theirs(stranger: Actor) -> Step:
    org = stranger.org_id
    agent = Agent.objects.create(org_id=org, name="x", model="letta/demo")  # noqa: F811
    conversation = Conversation.objects.create(org_id=org, agent=agent, is_default=True)
    run = Run.objects.create(org_id=org, agent=agent, conversation=conversation, seq=1)
    return Step.objects.create(
        org_id=org,
        agent=agent,
        run=run,
        seq=2,
        n=1,
        model="demo",
        model_handle="letta/demo",
        provider_name="letta",
        context_window_limit=1,
    )


def test_a_stranger_finds_nothing(api: Api, theirs: Step) -> None:
    for tail in ("", "/messages", "/usage", "/metrics", "/steps"):
        assert api.get(f"/v1/runs/{theirs.run_id}{tail}").status_code == 404
    for tail in ("", "/messages", "/trace", "/metrics"):
        assert api.get(f"/v1/steps/{theirs.id}{tail}").status_code == 404
    assert api.send("DELETE", f"/v1/runs/{theirs.run_id}").status_code == 404
    stream = f"/v1/runs/{theirs.run_id}/stream"
    for body in ({}, None):
        assert play(lambda body=body: post(stream, body)).status_code == 404
    assert api.get("/v1/runs/").json() == api.get("/v1/steps/").json() == []


def test_malformed_ids(api: Api) -> None:
    assert api.get("/v1/runs/run-x").status_code == 422
    assert api.get("/v1/steps/step-x/metrics").status_code == 422
