"""`manage.py chat`: an agent in a terminal, without a server."""

from __future__ import annotations

import asyncio
import io
import signal
import threading
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from tests.app.conftest import Api
from tests.fakes.openai_replies import Call, Failure, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bob(api: Api, openai: FakeOpenAI) -> dict[str, Any]:
    blocks = [{"label": "human", "value": "Name: Ada"}]
    body = {"model": "openai/gpt-4o-mini", "name": "Bob", "memory_blocks": blocks}
    return api.send("POST", "/v1/agents/", body).json()


def chat(*arguments: str) -> tuple[str, str]:
    """Return what was written to the two outputs."""
    out, err = io.StringIO(), io.StringIO()
    call_command("chat", *arguments, stdout=out, stderr=err, no_color=True)
    return out.getvalue(), err.getvalue()


class Keyboard:
    """A Ctrl-C for the loop that carries out the command, and for nothing after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        runner = import_module("agents.runtime.runner")
        send = runner.send

        async def heard(*given: Any) -> Any:
            self._loop = asyncio.get_running_loop()
            return await send(*given)

        monkeypatch.setattr(runner, "send", heard)

    def ctrl_c(self) -> None:
        self._loop.call_soon_threadsafe(signal.raise_signal, signal.SIGINT)


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keyboard]:
    # As in a shell; who runs the tests may have arranged for Ctrl-C otherwise.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield Keyboard(monkeypatch)
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("by", ["id", "name"])
def test_one_question(bob: dict[str, Any], fake_openai: FakeOpenAI, by: str) -> None:
    fake_openai.push("Hello, Ada.")
    assert chat(bob[by], "--once", "hello") == ("Hello, Ada.\n", "")
    assert apps.get_model("agents", "Run").objects.get().status == "completed"
    assert fake_openai.chats[0]["stream"] is True


def test_calls_and_edits_are_one_line_each(bob: dict[str, Any], fake_openai: FakeOpenAI) -> None:
    edit = Call("memory_insert", {"label": "human", "new_string": "Likes\n\x1b[31mfjords"})
    fake_openai.push(Reply("One moment.", calls=(edit,)), "Noted.")
    out, err = chat("Bob", "--once", "I like fjords")
    assert out == "One moment.\nNoted.\n"
    call, memory = err.strip().splitlines()
    assert call.strip().startswith('[memory_insert(label="human", new_string="Likes')
    assert memory.strip().startswith("[memory: human is now Name: Ada Likes")
    assert "\x1b" not in err


def test_an_agent_that_sends_its_words(
    api: Api, bob: dict[str, Any], fake_openai: FakeOpenAI
) -> None:
    body = {"model": "openai/gpt-4o-mini", "name": "Old", "agent_type": "memgpt_v2_agent"}
    api.send("POST", "/v1/agents/", body)
    said = Call("send_message", {"message": 'He said "hi".', "thinking": "Hm."})
    fake_openai.push(Reply("I think.", calls=(said,)))
    assert chat("Old", "--once", "hello") == ('He said "hi".\n', "")


def test_a_failure_is_told_and_the_command_fails(
    bob: dict[str, Any], fake_openai: FakeOpenAI
) -> None:
    fake_openai.push(Failure(401, "no"))
    err = io.StringIO()
    with pytest.raises(CommandError):
        call_command("chat", "Bob", "--once", "hello", stdout=io.StringIO(), stderr=err)
    assert "refused the key" in err.getvalue()


def test_a_conversation_until_quit(
    bob: dict[str, Any], fake_openai: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: Iterator[str] = iter(["hello", "  ", "again", "/quit"])
    monkeypatch.setattr("builtins.input", lambda _prompt: next(written))
    fake_openai.push("One.", "Two.")
    out, _ = chat("Bob")
    assert out == "One.\nTwo.\n"
    assert [one["content"] for one in fake_openai.chats[1]["messages"][1:]] == [
        "hello",
        "One.",
        "again",
    ]


def test_a_broken_off_answer_is_told(
    bob: dict[str, Any], fake_openai: FakeOpenAI, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("agents.llm.retrying"), "BACKOFF_S", 0.01)
    settings.LLM_TRIES = 2
    fake_openai.push(Reply("one two three", cut_after=3), "four")
    out, err = chat("Bob", "--once", "hello")
    assert out == "one two\nfour\n"
    assert "broke off" in err


def test_ctrl_c_cancels_the_run_and_not_the_conversation(
    bob: dict[str, Any],
    fake_openai: FakeOpenAI,
    monkeypatch: pytest.MonkeyPatch,
    keyboard: Keyboard,
) -> None:
    written: Iterator[str] = iter(["hello", "again", "/quit"])
    monkeypatch.setattr("builtins.input", lambda _prompt: next(written))

    def answer(request: dict[str, Any]) -> Reply:
        if len(fake_openai.chats) > 1:
            return Reply("Back.")
        keyboard.ctrl_c()
        return Reply("too late", wait_for=threading.Event(), delay_s=0)

    fake_openai.answer_with(answer)
    out, err = chat("Bob")
    assert out.endswith("Back.\n")
    assert "stopped: cancelled" in err
    states = (
        apps.get_model("agents", "Run").objects.order_by("seq").values_list("status", flat=True)
    )
    assert list(states) == ["cancelled", "completed"]


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ("Nobody", "No agent has"),
        ("agent-11111111-1111-4111-8111-111111111111", "not found"),
    ],
)
def test_who_is_not_there(bob: dict[str, Any], wanted: str, complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        chat(wanted, "--once", "hello")


def test_a_name_that_two_bear(api: Api, bob: dict[str, Any]) -> None:
    api.send("POST", "/v1/agents/", {"model": "letta/demo", "name": "Bob"})
    with pytest.raises(CommandError, match=f"by its id.*{bob['id']}"):
        chat("Bob", "--once", "hello")


def test_no_loop_is_left_running(bob: dict[str, Any], fake_openai: FakeOpenAI) -> None:
    chat("Bob", "--once", "hello")
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


# --- approvals -------------------------------------------------------------------------------


@pytest.fixture
def careful(api: Api, bob: dict[str, Any]) -> dict[str, Any]:
    """Bob, whose memory_insert asks first."""
    path = f"/v1/agents/{bob['id']}/tools/approval/memory_insert"
    answer = api.send("PATCH", path, {"requires_approval": True})
    assert answer.status_code == 200, answer.content
    return bob


EDIT = Call("memory_insert", {"label": "human", "new_string": "Likes fjords"})


def say_in_turn(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    written: Iterator[str] = iter(lines)

    def read(_prompt: str) -> str:
        try:
            return next(written)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", read)


def test_a_call_is_shown_and_approved(
    careful: dict[str, Any], fake_openai: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    say_in_turn(monkeypatch, "I like fjords", "", "y")
    fake_openai.push(Reply("One moment.", calls=(EDIT,)), "Noted.")
    out, err = chat("Bob")
    assert out == "One moment.\nNoted.\n"
    assert 'memory_insert(label="human", new_string="Likes fjords")' in err
    assert "memory: human is now Name: Ada Likes fjords" in err
    assert "go on waiting" not in err


@pytest.mark.parametrize(("said", "told"), [("n", "none given"), ("too early", "too early")])
def test_a_call_is_denied_with_a_reason(
    careful: dict[str, Any],
    fake_openai: FakeOpenAI,
    monkeypatch: pytest.MonkeyPatch,
    said: str,
    told: str,
) -> None:
    say_in_turn(monkeypatch, "I like fjords", said)
    fake_openai.push(Reply(calls=(EDIT,)), "As you wish.")
    out, _ = chat("Bob")
    assert out == "As you wish.\n"
    assert told in fake_openai.chats[1]["messages"][-1]["content"]
    assert apps.get_model("memory", "Block").objects.get(label="human").value == "Name: Ada"


def test_each_of_several_calls_is_asked_about(
    careful: dict[str, Any], fake_openai: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Call("memory_insert", {"label": "human", "new_string": "Hates fjords"})
    say_in_turn(monkeypatch, "I like fjords", "yes", "no")
    fake_openai.push(Reply(calls=(EDIT, other)), "Done.")
    assert chat("Bob")[0] == "Done.\n"
    assert "Likes" in apps.get_model("memory", "Block").objects.get(label="human").value
    assert "Hates" not in apps.get_model("memory", "Block").objects.get(label="human").value


def test_who_leaves_leaves_the_calls_waiting_and_finds_them_again(
    careful: dict[str, Any], fake_openai: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_openai.push(Reply(calls=(EDIT,)), "Noted.")
    say_in_turn(monkeypatch, "I like fjords")
    assert "go on waiting" in chat("Bob")[1]
    say_in_turn(monkeypatch, "y")
    assert chat("Bob")[0] == "Noted.\n"


def test_one_question_that_needs_an_approval_has_no_answer(
    careful: dict[str, Any], fake_openai: FakeOpenAI
) -> None:
    fake_openai.push(Reply(calls=(EDIT,)))
    for words, complaint in (("I like fjords", "waiting for your approval"), ("?", "it waits")):
        err = io.StringIO()
        with pytest.raises(CommandError):
            call_command("chat", "Bob", "--once", words, stdout=io.StringIO(), stderr=err)
        assert complaint in err.getvalue()


def test_a_busy_agent_takes_no_second_message(bob: dict[str, Any], fake_openai: FakeOpenAI) -> None:
    chat("Bob", "--once", "hello")
    apps.get_model("agents", "Run").objects.update(status="running")
    err = io.StringIO()
    with pytest.raises(CommandError):
        call_command("chat", "Bob", "--once", "again", stdout=io.StringIO(), stderr=err)
    assert "at work on another request" in err.getvalue()
    assert len(fake_openai.chats) == 1


def test_a_second_ctrl_c_leaves_and_no_run_stays_open(
    bob: dict[str, Any],
    fake_openai: FakeOpenAI,
    monkeypatch: pytest.MonkeyPatch,
    keyboard: Keyboard,
) -> None:
    say_in_turn(monkeypatch, "hello")
    runner = import_module("agents.runtime.runner")
    stuck = threading.Event()

    async def deaf(*_given: Any) -> dict[str, str]:
        keyboard.ctrl_c()
        return {}

    def answer(_request: dict[str, Any]) -> Reply:
        keyboard.ctrl_c()
        return Reply("too late", wait_for=stuck)

    monkeypatch.setattr(runner, "cancel_runs", deaf)
    fake_openai.answer_with(answer)
    with pytest.raises(SystemExit) as left:
        chat("Bob")
    stuck.set()
    assert left.value.code == 130
    assert apps.get_model("agents", "Run").objects.get().status == "cancelled"


def test_what_to_do_about_a_failure_is_told_whole(api: Api, settings: Any) -> None:
    settings.PROVIDER_VARIABLES = {"OPENAI_API_KEY": "sk-test"}
    api.send("POST", "/v1/agents/", {"model": "openai/gpt-4o-mini", "name": "Bob"})
    settings.PROVIDER_VARIABLES = {}
    err = io.StringIO()
    with pytest.raises(CommandError):
        call_command("chat", "Bob", "--once", "hello", stdout=io.StringIO(), stderr=err)
    assert "Set OPENAI_API_KEY" in err.getvalue() and "..." not in err.getvalue()
