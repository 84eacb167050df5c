"""Calls that wait, in the workspace: a reader approves or denies them on the page."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.test import AsyncClient, Client

from agents.ade import history
from agents.models import Agent, ToolCall
from letta_site.asgi import application
from memory.models import Block
from tests.app.conftest import Api
from tests.app.posting import play, send
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

EDITS = tuple(
    Call("memory_insert", {"label": "human", "new_string": place}, f"call_{place}")
    for place in ("Oslo", "Rome")
)


@pytest.fixture
def openai(settings: Any, fake_openai: FakeOpenAI) -> FakeOpenAI:
    settings.PROVIDER_VARIABLES = {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": fake_openai.base_url,
    }
    settings.LLM_TRIES = 1
    return fake_openai


@pytest.fixture
def agent(api: Api, openai: FakeOpenAI) -> Any:
    body = {
        "model": "openai/gpt-4o-mini",
        "memory_blocks": [{"label": "human", "value": "Bob"}],
        "tool_rules": [{"type": "requires_approval", "tool_name": "memory_insert"}],
    }
    return api.send("POST", "/v1/agents/", body).json()


def pause(agent: Any, openai: FakeOpenAI, *calls: Call) -> None:
    openai.push(Reply(text="May I?", calls=calls))
    assert send(agent["id"], {"input": "hello"}).status_code == 200


def page(agent: Any) -> str:
    return Client().get(f"/agents/{agent['id']}").content.decode()


def press(agent: Any, **fields: Any) -> Any:
    async def scenario() -> Any:
        return await AsyncClient().post(f"/agents/{agent['id']}/answer", fields)

    return play(scenario)


def test_a_call_that_waits_has_buttons(agent: Any, openai: FakeOpenAI) -> None:
    assert 'value="approve"' not in page(agent)
    pause(agent, openai, EDITS[0])
    shown = page(agent)
    assert shown.count('value="approve"') == shown.count('value="deny"') == 1
    assert "waiting for you" in shown
    assert 'type="checkbox" name="call"' not in shown


def test_calls_beside_it_wait_on_the_page_too(agent: Any, openai: FakeOpenAI) -> None:
    pause(agent, openai, Call("conversation_search", {"query": "x"}, "call_look"), EDITS[0])
    assert "running" not in page(agent)
    assert page(agent).count("waiting for you") >= 2


def test_approving_on_the_page(agent: Any, openai: FakeOpenAI) -> None:
    pause(agent, openai, EDITS[0])
    openai.push("Noted.")
    assert press(agent, verdict="approve", all="call_Oslo").status_code == 302
    assert Block.objects.get().value == "Bob\nOslo"
    shown = page(agent)
    assert 'value="approve"' not in shown
    assert ("Noted." in shown, "Approved" in shown) == (True, True)


def test_denying_with_a_reason(agent: Any, openai: FakeOpenAI) -> None:
    pause(agent, openai, *EDITS)
    openai.push("Then not.")
    press(agent, verdict="deny", all=["call_Oslo", "call_Rome"], reason="Ask me first")
    assert Block.objects.get().value == "Bob"
    assert {"Ask me first"} == {
        one.result.rpartition("reason: ")[2] for one in ToolCall.objects.all()
    }
    assert "Denied" in page(agent)


def test_of_several_calls_some_are_agreed_to(agent: Any, openai: FakeOpenAI) -> None:
    pause(agent, openai, *EDITS)
    assert page(agent).count('type="checkbox" name="call"') == 2
    openai.push("One of two.")
    press(agent, verdict="approve", all=["call_Oslo", "call_Rome"], call="call_Rome")
    assert Block.objects.get().value == "Bob\nRome"
    assert "Partly denied" in page(agent)


def test_a_stale_button_tells_why_it_did_nothing(agent: Any, openai: FakeOpenAI) -> None:
    pause(agent, openai, EDITS[0])
    assert press(agent, verdict="approve", all="call_Rome").status_code == 302
    assert Block.objects.get().value == "Bob"


def test_a_message_while_calls_wait_tells_why(agent: Any, openai: FakeOpenAI) -> None:
    pause(agent, openai, EDITS[0])

    async def scenario() -> Any:
        fields = {"text": "hello?", "role": "user"}
        return await AsyncClient().post(f"/agents/{agent['id']}/messages", fields)

    assert play(scenario).status_code == 302


def test_an_open_page_takes_the_answer_and_renews_the_card(agent: Any, openai: FakeOpenAI) -> None:
    pause(agent, openai, EDITS[0])
    openai.push("Noted.")
    (request,) = (row for row in rows(agent) if row.kind == "step" and row.asks)
    given = {"action": "answer", "verdict": "approve", "all": "call_Oslo"}

    async def scenario() -> str:
        socket = WebsocketCommunicator(
            application,
            f"/ws/agents/{agent['id']}",
            headers=[(b"host", b"testserver"), (b"origin", b"http://testserver")],
        )
        socket.scope["client"] = ["127.0.0.1", 1]
        assert (await socket.connect())[0]
        await socket.send_to(text_data=json.dumps({"action": "resume", "seq": request.seq}))
        await socket.send_to(text_data=json.dumps(given))
        html = ""
        while "Noted." not in html or "idle" not in html:
            html += await socket.receive_from(timeout=5)
        await socket.disconnect()
        await asyncio.sleep(0)
        return html

    html = play(scenario)
    assert html.count(f'id="{request.dom_id}"') >= 1
    assert "Result of memory_insert" not in html
    assert Block.objects.get().value == "Bob\nOslo"


def rows(agent: Any) -> list[Any]:
    row = Agent.objects.get(pk=agent["id"])
    return list(history.rows_after(row, 0))
