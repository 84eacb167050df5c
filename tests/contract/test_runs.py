"""Every send leaves a run and its steps, with the numbers the provider reported."""

from __future__ import annotations

from typing import Any

from tests.contract.driving import Client
from tests.contract.samples import INSERT, user
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI


def test_run_and_steps_of_a_send(
    client: Client, agent: dict[str, Any], fake_openai: FakeOpenAI
) -> None:
    fake_openai.push(Reply(calls=(Call("memory_insert", INSERT),)), Reply("Noted."))
    client.call("messages.create", agent_id=agent["id"], messages=user("My dog is Scoop."))
    (run,) = client.call("runs.list", agent_ids=[agent["id"]])
    assert run["id"].startswith("run-") and run["agent_id"] == agent["id"]
    assert client.call("runs.retrieve", run_id=run["id"])["status"] == "completed"
    steps = client.call("runs.steps", run_id=run["id"])
    assert sorted(s["prompt_tokens"] for s in steps) == sorted(u.prompt for u in fake_openai.usages)
    step = client.call("steps.retrieve", step_id=steps[0]["id"])
    assert step["model"] == "gpt-4o-mini"
    assert {s["id"] for s in client.call("steps.list", agent_id=agent["id"])} == {
        s["id"] for s in steps
    }


def test_messages_and_usage_of_a_run(
    client: Client, agent: dict[str, Any], fake_openai: FakeOpenAI
) -> None:
    response = client.call("messages.create", agent_id=agent["id"], messages=user("hello"))
    (run,) = client.call("runs.list", agent_ids=[agent["id"]])
    messages = client.call("runs.messages", run_id=run["id"])
    assert [m["message_type"] for m in messages] == ["user_message", "assistant_message"]
    assert messages[1]["id"] == response["messages"][0]["id"]
    usage = client.call("runs.usage", run_id=run["id"])
    assert usage["total_tokens"] == response["usage"]["total_tokens"]
