"""What goes to servers that differ from OpenAI's, and what is done when one refuses."""

from __future__ import annotations

from typing import Any

import pytest

from agents.engine.ports import ChatRequest
from agents.llm.dialects import DIALECTS, Dialect, dialect_of, give_in, refused_key
from agents.llm.retrying import Concessions
from agents.llm.roles import strict_roles
from agents.llm.to_openai import build_body
from agents.types import Message, ModelParams, TextPart, ToolCall, ToolSpec, Transcript
from letta_site.core.clock import now

LOOK = ToolSpec("look", "Look.", {"type": "object", "properties": {}})
SHAPE = {
    "type": "json_schema",
    "json_schema": {"name": "answer", "schema": {"type": "object", "properties": {"a": {}}}},
}


def body(
    provider_type: str = "openai",
    model: str = "gpt-4o",
    *,
    forced: str | None = None,
    tools: tuple[ToolSpec, ...] = (LOOK,),
    stream: bool = False,
    **params: Any,
) -> dict[str, Any]:
    dialect = DIALECTS.get(provider_type, Dialect())
    hello = Message("m", "user", now(), (TextPart("hi"),), name="Ada Lovelace")
    request = ChatRequest(
        ModelParams(f"x/{model}", **params),
        Transcript("Be kind.", (hello,)),
        tools,
        forced_tool=forced,
        stream=stream,
    )
    return build_body(request, model, dialect)


@pytest.mark.parametrize("provider_type", [*DIALECTS, "somebody_new"])
def test_no_server_gets_what_it_refuses(provider_type: str) -> None:
    options = {"frequency_penalty": 0.1, "verbosity": "low", "thinking": {"type": "enabled"}}
    sent = body(
        provider_type,
        forced="look",
        stream=True,
        temperature=0.5,
        max_tokens=100,
        reasoning_effort="low",
        response_format=SHAPE,
        options=options,
    )
    dialect = DIALECTS.get(provider_type, Dialect())
    assert not set(sent) & dialect.never
    assert "thinking" not in sent
    assert (sent["max_tokens"], sent["temperature"]) == (100, 0.5)
    if not dialect.names:
        assert all("name" not in row for row in sent["messages"])


@pytest.mark.parametrize(
    ("provider_type", "forced", "choice"),
    [
        ("openai", "required", "required"),
        ("openai", "look", {"type": "function", "function": {"name": "look"}}),
        ("mistral", "required", "any"),
        ("mistral", "look", "any"),
        ("deepseek", "required", "auto"),
        ("lmstudio", "look", "required"),
        ("ollama", "look", "auto"),
        ("openai", None, "auto"),
    ],
)
def test_demanding_a_call(provider_type: str, forced: str | None, choice: object) -> None:
    assert body(provider_type, forced=forced)["tool_choice"] == choice


@pytest.mark.parametrize(
    ("provider_type", "sent", "told"),
    [
        ("openai", SHAPE, False),
        ("vllm", SHAPE, False),
        ("deepseek", {"type": "json_object"}, True),
        ("anthropic", None, True),
    ],
)
def test_formats_of_answers(provider_type: str, sent: object, told: bool) -> None:
    made = body(provider_type, response_format=SHAPE)
    assert made.get("response_format") == sent
    assert ("JSON" in made["messages"][0]["content"]) is told


def test_json_objects_are_spoken_of_as_openai_demands() -> None:
    made = body(response_format={"type": "json_object"})
    assert made["response_format"] == {"type": "json_object"}
    assert "JSON" in made["messages"][0]["content"]


@pytest.mark.parametrize(
    ("model", "keys"),
    [
        ("gpt-4o", {"max_tokens", "temperature", "parallel_tool_calls"}),
        ("gpt-5-mini", {"max_completion_tokens", "reasoning_effort"}),
        ("o4-mini", {"max_completion_tokens", "reasoning_effort"}),
    ],
)
def test_reasoning_models_of_openai(model: str, keys: set[str]) -> None:
    made = body(model=model, temperature=0.5, max_tokens=9, reasoning_effort="low")
    assert set(made) == {"model", "messages", "tools", "tool_choice", *keys}


def test_thinking_goes_where_the_provider_looks() -> None:
    thinking = {"type": "enabled", "budget_tokens": 2000}
    made = body("anthropic", tools=(), options={"thinking": thinking})
    assert made["thinking"] == thinking
    config = {"include_thoughts": True, "thinking_budget": 500}
    made = body("google_ai", options={"thinking_config": config})
    assert made["extra_body"] == {"google": {"thinking_config": config}}


def test_openai_itself_is_told_from_those_who_speak_like_it() -> None:
    assert not dialect_of("openai", "https://api.openai.com/v1").tool_text
    assert dialect_of("openai", "http://localhost:8080/v1").tool_text
    assert dialect_of("never heard of", "https://x.test/v1") == Dialect()


@pytest.mark.parametrize(
    ("complaint", "key"),
    [
        ("Unsupported parameter: 'max_tokens' is not supported with this model. Use "
         "'max_completion_tokens' instead.", "max_tokens"),
        ('{"type": "extra_forbidden", "loc": ["body", "stream_options", "include_usage"]}',
         "stream_options"),
        ("Thinking mode does not support this tool_choice", "tool_choice"),
        ("This response_format type is unavailable now", "response_format"),
        ("messages[2] has an invalid role for this model", None),
        ("No.", None),
    ],
)  # fmt: skip
def test_which_key_a_refusal_speaks_of(complaint: str, key: str | None) -> None:
    sent = body(forced="look", stream=True, max_tokens=9, response_format=SHAPE)
    assert refused_key(sent, complaint) == key


def test_less_is_asked_for_step_by_step() -> None:
    sent = body(forced="look", max_tokens=9, response_format=SHAPE)
    assert give_in(sent, "tool_choice")["tool_choice"] == "auto"
    assert give_in(sent, "max_tokens")["max_completion_tokens"] == 9
    assert "max_tokens" not in give_in(sent, "max_tokens")
    looser = give_in(sent, "response_format")
    assert looser["response_format"] == {"type": "json_object"}
    assert "response_format" not in give_in(looser, "response_format")


def test_concessions_end() -> None:
    learnt, sent = Concessions(), body(forced="look", max_tokens=9)
    complaint = "max_tokens and max_completion_tokens and tool_choice are refused"
    rounds = 0
    while learnt.learn(learnt.apply(sent), complaint):
        rounds += 1
        assert rounds < 10
    assert rounds >= 2


def rows(*roles: str) -> list[dict[str, Any]]:
    return [{"role": role, "content": f"{n}"} for n, role in enumerate(roles)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("system", "user", "assistant"), ("system", "user", "assistant")),
        (("system", "user", "user"), ("system", "user")),
        (("system", "system", "user"), ("system", "user")),
        (("system", "assistant"), ("system", "user", "assistant")),
        (("system", "user", "assistant", "tool", "user"),
         ("system", "user", "assistant", "tool", "assistant", "user")),
        (("system",), ("system",)),
    ],
)  # fmt: skip
def test_roles_in_turn(before: tuple[str, ...], after: tuple[str, ...]) -> None:
    made = strict_roles(rows(*before))
    assert tuple(row["role"] for row in made) == after
    words = "".join(row["content"] for row in made)
    assert all(str(n) in words for n in range(len(before)))


def test_pictures_are_joined_too() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:"}}
    made = strict_roles([*rows("system", "user"), {"role": "user", "content": [picture]}])
    assert made[1]["content"] == [{"type": "text", "text": "1"}, picture]


def test_a_history_has_only_what_every_server_can_read() -> None:
    calls = (ToolCall("c", "launch rocket!", '{"a": '), ToolCall("d", "look", "{}"))
    message = Message("m", "assistant", now(), tool_calls=calls)
    request = ChatRequest(ModelParams("x/y"), Transcript("s", (message,)), ())
    (_, row) = build_body(request, "y")["messages"]
    first, second = (call["function"] for call in row["tool_calls"])
    assert first == {"name": "launch_rocket_", "arguments": '{"invalid": "{\\"a\\": "}'}
    assert second == {"name": "look", "arguments": "{}"}
