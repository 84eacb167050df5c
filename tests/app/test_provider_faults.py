"""Every fault of a provider, streamed and whole, in the first step and behind a tool."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps

from tests.app.conftest import Api
from tests.app.posting import Stream, send, stream
from tests.app.provider_faults import FAULTS, FINE, HTTP_DATE, OVERFLOWS, SEARCH, Fault
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI, default_reply

pytestmark = pytest.mark.django_db(transaction=True)

HELLO = {"messages": [{"role": "user", "content": "hello"}]}
STATUS = {
    "llm_bad_request": 400,
    "llm_authentication": 401,
    "llm_insufficient_credits": 402,
    "llm_rate_limit": 429,
    "llm_timeout": 504,
}
WAYS = ("whole", "stream")
PLACES = ("first step", "behind a tool")


def rows(name: str) -> Any:
    return apps.get_model("agents", name).objects


@pytest.fixture(autouse=True)
def _quick_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("openai._base_client"), "INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr(import_module("agents.llm.retrying"), "BACKOFF_S", 0.01)


@pytest.fixture
def thinker(api: Api, settings: Any, fake_openai: FakeOpenAI) -> str:
    """The id of an agent whose model is at the fake provider."""
    use_provider(settings, fake_openai.base_url)
    settings.LLM_TRIES = 2
    return create(api)


def create(api: Api) -> str:
    answer = api.send("POST", "/v1/agents/", {"model": "openai/gpt-4o-mini"})
    assert answer.status_code == 200, answer.content
    return str(answer.json()["id"])


def use_provider(settings: Any, base_url: str) -> None:
    settings.PROVIDER_VARIABLES = {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": base_url}


def script(fake: FakeOpenAI, fault: Fault, *, later: bool) -> None:
    if later:
        fake.push(Reply(calls=(Call(SEARCH, {"query": "before"}),)))
    fake.push(*fault.answers)
    last = fault.answers[-1] if fault.forever and fault.answers else Reply(FINE)
    fake.answer_with(lambda _: last)


@pytest.mark.parametrize("fault", [pytest.param(fault, id=fault.name) for fault in FAULTS])
def test_a_fault_ends_as_the_table_says(
    api: Api,
    thinker: str,
    fake_openai: FakeOpenAI,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
) -> None:
    cells = [
        (way, place)
        for way in WAYS
        for place in PLACES
        if fault.when in ("both", way) and not (fault.base_url and place != "first step")
    ]
    for way, place in cells:
        agent_id = thinker if (way, place) == cells[0] else create(api)
        try:
            outcome = play_cell(agent_id, fault, fake_openai, settings, (way, place))
        except AssertionError as error:
            error.add_note(f"{fault.name}: {way}, {place}")
            raise
        assert "Traceback" not in outcome + caplog.text


def play_cell(
    agent_id: str, fault: Fault, fake: FakeOpenAI, settings: Any, cell: tuple[str, str]
) -> str:
    """Play one fault in one way at one place, check its end and the send after it."""
    later = cell[1] != "first step"
    script(fake, fault, later=later)
    usual = {name: getattr(settings, name) for name in fault.settings}
    for name, value in fault.settings.items():
        setattr(settings, name, value)
    if fault.base_url:
        own = fake.base_url.replace("http://", "https://")
        use_provider(settings, own if fault.base_url == "https" else fault.base_url)
    outcome = streaming(agent_id, fault) if cell[0] == "stream" else blocking(agent_id, fault)
    check_stored(agent_id, fault, later=later)
    if fault.asked is not None:
        assert len(fake.chats) == fault.asked + later
    for name, value in usual.items():
        setattr(settings, name, value)
    fake.reset()
    use_provider(settings, fake.base_url)
    check_next_send(agent_id, fake)
    return outcome


def blocking(agent_id: str, fault: Fault) -> str:
    answer = send(agent_id, HELLO)
    body = answer.json()
    if fault.kind:
        assert answer.status_code == STATUS.get(fault.kind, 500), answer.content
        assert body["error"]["type"] == fault.kind
        assert all(word in json.dumps(body) for word in fault.words)
    else:
        assert answer.status_code == 200, answer.content
        assert body["stop_reason"]["stop_reason"] == fault.stop
        assert said(body["messages"]) == fault.said
    return str(answer.content)


def streaming(agent_id: str, fault: Fault) -> str:
    heard = stream(agent_id, {**HELLO, "stream_tokens": True})
    assert heard.lines[-1] == "data: [DONE]"
    (stop,) = heard.of_type("stop_reason")
    if fault.kind:
        (error,) = heard.of_type("error_message")
        assert error["error_type"] == fault.kind
        assert all(word in json.dumps(error) for word in fault.words)
        assert fault.stop in ("", stop["stop_reason"])
    else:
        assert stop["stop_reason"] == fault.stop
        assert heard.of_type("usage_statistics")[0]["total_tokens"] > 0
        assert said(last_of(heard)) == fault.said
    return heard.raw.decode()


def last_of(heard: Stream) -> list[dict[str, Any]]:
    """Return the frames of the message that arrived last."""
    frames = heard.of_type("assistant_message")
    return [frame for frame in frames if frame["id"] == frames[-1]["id"]]


def said(messages: list[dict[str, Any]]) -> str:
    words = [one for one in messages if one["message_type"] == "assistant_message"]
    last = [one for one in words if one["id"] == words[-1]["id"]]
    return "".join(one["content"] for one in last)


def check_stored(agent_id: str, fault: Fault, *, later: bool) -> None:
    run = rows("Run").get(agent_id=agent_id)
    assert run.status in ("completed", "failed"), "a run is stuck"
    assert bool(run.error) == bool(fault.kind)
    if fault.stop:
        assert run.stop_reason == fault.stop
    stored = rows("Message").filter(agent_id=agent_id, role="assistant").order_by("seq")
    told = [part["text"] for row in stored for part in row.content if part["type"] == "text"]
    assert [text for text in told if text and "Let me see" not in text] == (
        [fault.said] if fault.said else []
    )
    if fault.tool:
        calls = rows("ToolCall").filter(agent_id=agent_id).order_by("id")[1 if later else 0 :]
        assert calls and all(fault.tool in call.result for call in calls)
        assert len(calls) <= 16


def check_next_send(agent_id: str, fake: FakeOpenAI) -> None:
    # Not pushed once: after a huge answer the model is first asked for a summary.
    fake.answer_with(lambda _: Reply("Back again."))
    answer = send(agent_id, {"messages": [{"role": "user", "content": "still there?"}]})
    fake.answer_with(default_reply)
    assert answer.status_code == 200, answer.content
    assert said(answer.json()["messages"]) == "Back again."
    asked = [chat for chat in fake.chats if chat.get("tools")]  # summaries are asked for without
    assert len(asked) == 1, "the provider refused the history"
    fake.reset()


def test_the_table_is_as_long_as_promised() -> None:
    assert len({fault.name for fault in FAULTS}) >= 30


def test_a_date_to_come_back_at_is_kept(thinker: str, fake_openai: FakeOpenAI) -> None:
    fake_openai.push(HTTP_DATE(), FINE)
    answer = send(thinker, HELLO)
    assert said(answer.json()["messages"]) == FINE


@pytest.mark.parametrize("name", OVERFLOWS)
def test_a_prompt_too_long_is_recognised(name: str) -> None:
    faults = import_module("agents.llm.faults")
    assert faults.is_overflow(json.dumps(OVERFLOWS[name].body))


def test_usage_is_counted_when_the_provider_does_not(thinker: str, fake_openai: FakeOpenAI) -> None:
    fault = next(fault for fault in FAULTS if fault.name == "usage missing")
    fake_openai.push(*fault.answers)
    usage = send(thinker, HELLO).json()["usage"]
    assert usage["prompt_tokens"] > 100
    assert usage["completion_tokens"] > 0
    step = rows("Step").get()
    assert step.prompt_tokens == usage["prompt_tokens"]


def test_words_of_a_lost_try_are_not_mixed_with_the_new_ones(
    thinker: str, fake_openai: FakeOpenAI
) -> None:
    fake_openai.push(Reply("one two three", cut_after=3), "four five")
    heard = stream(thinker, {**HELLO, "stream_tokens": True})
    words: dict[str, str] = {}
    for frame in heard.of_type("assistant_message"):
        words[frame["id"]] = words.get(frame["id"], "") + frame["content"]
    assert list(words.values()) == ["one two", "four five"]
    kept = rows("Message").get(role="assistant")
    assert kept.id == list(words)[-1]


def test_a_call_in_the_text_streams_as_a_call(thinker: str, fake_openai: FakeOpenAI) -> None:
    fault = next(fault for fault in FAULTS if fault.name == "a call in tags")
    fake_openai.push(*fault.answers, FINE)
    heard = stream(thinker, {**HELLO, "stream_tokens": True})
    assert "tool_call>" not in heard.raw.decode()
    (call,) = heard.of_type("tool_call_message")
    assert call["tool_call"]["name"] == SEARCH
    assert json.loads(call["tool_call"]["arguments"]) == {"query": "x"}
    text = "".join(frame["content"] for frame in heard.of_type("assistant_message"))
    assert text.split() == ["Let", "me", "see.", *FINE.split()]


def test_what_a_server_refused_is_left_out_for_the_rest_of_the_run(
    thinker: str, fake_openai: FakeOpenAI
) -> None:
    fault = next(fault for fault in FAULTS if fault.name == "a key refused")
    fake_openai.push(*fault.answers, Reply(calls=(Call(SEARCH, {"query": "x"}),)), FINE)
    send(thinker, HELLO)
    assert ["parallel_tool_calls" in chat for chat in fake_openai.chats] == [True, False, False]
