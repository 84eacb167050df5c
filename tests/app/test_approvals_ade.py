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
from tests.app.posting import play, send
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

EDITS = tuple(
    Call("memory_insert", {"label": "human", "new_string": place}, f"call_{place}")
    for place in ("Oslo", "Rome")
)


def pause(guarded: Any, openai: FakeOpenAI, *calls: Call) -> None:
    openai.push(Reply(text="May I?", calls=calls))
    assert send(guarded["id"], {"input": "hello"}).status_code == 200


def page(guarded: Any) -> str:
    return Client().get(f"/agents/{guarded['id']}").content.decode()


def press(guarded: Any, **fields: Any) -> Any:
    async def scenario() -> Any:
        return await AsyncClient().post(f"/agents/{guarded['id']}/answer", fields)

    return play(scenario)


def test_a_call_that_waits_has_buttons(guarded: Any, openai: FakeOpenAI) -> None:
    assert 'value="approve"' not in page(guarded)
    pause(guarded, openai, EDITS[0])
    shown = page(guarded)
    assert shown.count('value="approve"') == shown.count('value="deny"') == 1
    assert "waiting for you" in shown
    assert 'type="checkbox" name="call"' not in shown


def test_calls_beside_it_wait_on_the_page_too(guarded: Any, openai: FakeOpenAI) -> None:
    pause(guarded, openai, Call("conversation_search", {"query": "x"}, "call_look"), EDITS[0])
    assert "running" not in page(guarded)
    assert page(guarded).count("waiting for you") >= 2


def test_approving_on_the_page(guarded: Any, openai: FakeOpenAI) -> None:
    pause(guarded, openai, EDITS[0])
    openai.push("Noted.")
    assert press(guarded, verdict="approve", all="call_Oslo").status_code == 302
    assert Block.objects.get().value == "Bob\nOslo"
    shown = page(guarded)
    assert 'value="approve"' not in shown
    assert ("Noted." in shown, "Approved" in shown) == (True, True)


def test_denying_with_a_reason(guarded: Any, openai: FakeOpenAI) -> None:
    pause(guarded, openai, *EDITS)
    openai.push("Then not.")
    press(guarded, verdict="deny", all=["call_Oslo", "call_Rome"], reason="Ask me first")
    assert Block.objects.get().value == "Bob"
    assert {"Ask me first"} == {
        one.result.rpartition("reason: ")[2] for one in ToolCall.objects.all()
    }
    assert "Denied" in page(guarded)


def test_of_several_calls_some_are_agreed_to(guarded: Any, openai: FakeOpenAI) -> None:
    pause(guarded, openai, *EDITS)
    assert page(guarded).count('type="checkbox" name="call"') == 2
    openai.push("One of two.")
    press(guarded, verdict="approve", all=["call_Oslo", "call_Rome"], call="call_Rome")
    assert Block.objects.get().value == "Bob\nRome"
    assert "Partly denied" in page(guarded)


def test_a_stale_button_tells_why_it_did_nothing(guarded: Any, openai: FakeOpenAI) -> None:
    pause(guarded, openai, EDITS[0])
    assert press(guarded, verdict="approve", all="call_Rome").status_code == 302
    assert Block.objects.get().value == "Bob"


def test_a_message_while_calls_wait_tells_why(guarded: Any, openai: FakeOpenAI) -> None:
    pause(guarded, openai, EDITS[0])

    async def scenario() -> Any:
        fields = {"text": "hello?", "role": "user"}
        return await AsyncClient().post(f"/agents/{guarded['id']}/messages", fields)

    assert play(scenario).status_code == 302


def test_an_open_page_takes_the_answer_and_renews_the_card(
    guarded: Any, openai: FakeOpenAI
) -> None:
    pause(guarded, openai, EDITS[0])
    openai.push("Noted.")
    (request,) = (row for row in rows(guarded) if row.kind == "step" and row.asks)
    given = {"action": "answer", "verdict": "approve", "all": "call_Oslo"}

    async def scenario() -> str:
        socket = WebsocketCommunicator(
            application,
            f"/ws/agents/{guarded['id']}",
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


def rows(guarded: Any) -> list[Any]:
    row = Agent.objects.get(pk=guarded["id"])
    return list(history.rows_after(row, 0))
