"""What an owner says of the model reaches the provider, in either era's words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.apps import apps

from agents.services.calling import model_params
from tests.app.conftest import Api
from tests.app.posting import send, stream
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

HELLO = {"messages": [{"role": "user", "content": "hello"}]}
SCHEMA = {
    "type": "object",
    "properties": {"mood": {"type": "string"}},
    "required": ["mood"],
    "additionalProperties": False,
}
SHAPE = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}


@pytest.fixture(autouse=True)
def _provider(settings: Any, fake_openai: FakeOpenAI) -> None:
    settings.PROVIDER_VARIABLES = {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": fake_openai.base_url,
    }


def create(api: Api, **fields: Any) -> dict[str, Any]:
    body = {"model": "openai/gpt-4o-mini", **fields}
    answer = api.send("POST", "/v1/agents/", body)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_settings_reach_the_provider(api: Api, fake_openai: FakeOpenAI) -> None:
    said = {
        "provider_type": "openai",
        "max_output_tokens": 77,
        "temperature": 0.3,
        "parallel_tool_calls": True,
        "verbosity": "low",
        "no_such_setting": {"a": 1},
    }
    agent = create(api, model_settings=said)
    send(agent["id"], HELLO)
    (sent,) = fake_openai.chats
    assert (sent["max_tokens"], sent["temperature"], sent["verbosity"]) == (77, 0.3, "low")
    assert "parallel_tool_calls" not in sent
    assert "no_such_setting" not in sent


def test_a_reasoning_model(api: Api, fake_openai: FakeOpenAI) -> None:
    settings = {"provider_type": "openai", "reasoning": {"reasoning_effort": "low"}}
    settings |= {"max_output_tokens": 500, "temperature": 0.7}
    agent = create(api, model="openai/gpt-5-mini", model_settings=settings)
    fake_openai.push(Reply("Hi.", reasoning="They greet me."))
    answer = send(agent["id"], HELLO).json()
    (sent,) = fake_openai.chats
    assert (sent["reasoning_effort"], sent["max_completion_tokens"]) == ("low", 500)
    assert "temperature" not in sent
    thought, spoken = answer["messages"]
    assert (thought["reasoning"], thought["source"]) == ("They greet me.", "reasoner_model")
    assert spoken["content"] == "Hi."


@pytest.mark.parametrize("streamed", [False, True])
def test_thoughts_in_the_text_are_not_words(
    api: Api, fake_openai: FakeOpenAI, streamed: bool
) -> None:
    agent = create(api)
    fake_openai.push("<think>They greet me.</think>\n\nHi there.")
    if streamed:
        frames = stream(agent["id"], {**HELLO, "stream_tokens": True}).frames
    else:
        frames = send(agent["id"], HELLO).json()["messages"]
    assert "".join(one.get("reasoning", "") for one in frames) == "They greet me."
    assert "".join(one.get("content", "") for one in frames) == "Hi there."


def test_an_old_config_is_heard_too(api: Api, fake_openai: FakeOpenAI) -> None:
    config = {
        "model": "gpt-5-mini",
        "model_endpoint_type": "openai",
        "context_window": 32000,
        "max_tokens": 321,
        "reasoning_effort": "medium",
    }
    agent = create(api, model=None, llm_config=config)
    send(agent["id"], HELLO)
    (sent,) = fake_openai.chats
    assert (sent["reasoning_effort"], sent["max_completion_tokens"]) == ("medium", 321)


@pytest.mark.parametrize("place", ["settings", "agent"])
def test_answers_of_a_shape(api: Api, fake_openai: FakeOpenAI, place: str) -> None:
    said = {"response_format": SHAPE}
    fields = said if place == "agent" else {"model_settings": {"provider_type": "openai", **said}}
    agent = create(api, **fields)
    fake_openai.push('{"mood": "good"}')
    answer = send(agent["id"], HELLO).json()
    assert fake_openai.chats[0]["response_format"] == SHAPE
    assert json.loads(answer["messages"][-1]["content"]) == {"mood": "good"}


def test_the_shape_of_a_streamed_answer_is_not_taken_for_a_call(
    api: Api, fake_openai: FakeOpenAI
) -> None:
    agent = create(api, response_format=SHAPE)
    fake_openai.push('{"mood": "good"}')
    heard = stream(agent["id"], {**HELLO, "stream_tokens": True})
    text = "".join(frame["content"] for frame in heard.of_type("assistant_message"))
    assert json.loads(text) == {"mood": "good"}


@pytest.mark.parametrize("streamed", [False, True])
def test_for_agents_that_send_their_words_the_shape_is_that_of_the_message(
    api: Api, fake_openai: FakeOpenAI, streamed: bool
) -> None:
    agent = create(api, agent_type="memgpt_v2_agent", response_format=SHAPE)
    fake_openai.push(
        Reply(calls=(Call("send_message", {"thinking": "Hm.", "message": {"mood": "good"}}),))
    )
    if streamed:
        heard = stream(agent["id"], {**HELLO, "stream_tokens": True})
        text = "".join(frame["content"] for frame in heard.of_type("assistant_message"))
    else:
        messages = send(agent["id"], HELLO).json()["messages"]
        (text,) = [one["content"] for one in messages if "content" in one]
    assert json.loads(text) == {"mood": "good"}
    (sent,) = fake_openai.chats
    assert "response_format" not in sent
    tools = {tool["function"]["name"]: tool["function"] for tool in sent["tools"]}
    assert tools["send_message"]["parameters"]["properties"]["message"] == SCHEMA
    (call,) = apps.get_model("agents", "ToolCall").objects.all()
    assert call.status == "success"


SETTINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"temperature": None, "max_tokens": None, "options": {}}),
    (
        {"provider_type": "anthropic", "thinking": {"type": "enabled", "budget_tokens": 2000}},
        {"options": {"thinking": {"type": "enabled", "budget_tokens": 2000}}},
    ),
    ({"provider_type": "zai", "thinking": {"type": "disabled"}}, {"options": {}}),
    (
        {"provider_type": "google_ai", "response_schema": SHAPE, "thinking_config": {"a": 1}},
        {"response_format": SHAPE, "options": {"thinking_config": {"a": 1}}},
    ),
    (
        {"provider_type": "sglang", "reasoning": {"reasoning_effort": "high"}},
        {"reasoning_effort": "high"},
    ),
    ({"response_format": {"type": "text"}}, {"response_format": None}),
    (
        {"temperature": "hot", "max_output_tokens": -5, "reasoning": 7, "response_format": []},
        {"temperature": None, "max_tokens": None, "reasoning_effort": None},
    ),
]


@pytest.mark.parametrize(("said", "meant"), SETTINGS)
def test_what_settings_mean(said: dict[str, Any], meant: dict[str, Any]) -> None:
    agent = apps.get_model("agents", "Agent")(model="x/y", model_settings=said, llm_config={})
    params = model_params(agent)
    assert {key: getattr(params, key) for key in meant} == meant
