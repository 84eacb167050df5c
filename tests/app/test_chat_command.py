"""`manage.py chat`: an agent in a terminal, without a server."""

from __future__ import annotations

import asyncio
import io
import os
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
    bob: dict[str, Any], fake_openai: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: Iterator[str] = iter(["hello", "again", "/quit"])
    monkeypatch.setattr("builtins.input", lambda _prompt: next(written))
    asked = threading.Event()

    def answer(request: dict[str, Any]) -> Reply:
        if len(fake_openai.chats) > 1:
            return Reply("Back.")
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        asked.set()
        return Reply("too late", wait_for=threading.Event(), delay_s=0)

    fake_openai.answer_with(answer)
    out, err = chat("Bob")
    assert asked.is_set()
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
