"""Looking after an agent in the browser: a stuck one, and a window that is getting full."""

from __future__ import annotations

import sqlite3

from playwright.sync_api import Page, expect

from tests.browser.steps import expect_status, make_agent, open_workspace, say, write
from tests.fakes.openai_server import FakeOpenAI
from tests.product import Product

DEMO = "letta/demo"


def change(server: Product, statement: str, *values: object) -> None:
    """Break something behind the server's back."""
    with sqlite3.connect(server.folder / "letta.sqlite3", timeout=10) as database:
        database.execute(statement, values)


def break_history(server: Product, agent_id: str) -> None:
    """Give every answer of an agent a call without a return, and a return without a call."""
    calls = '[{"id": "call_lost", "name": "probe", "arguments": "{}"}]'
    returns = '[{"tool_call_id": "call_none", "name": "probe", "text": "x", "status": "success"}]'
    change(
        server,
        "update agents_message set tool_calls = ?, tool_returns = ?"
        " where agent_id = ? and role = 'assistant'",
        calls,
        returns,
        agent_id,
    )


def test_a_broken_history_is_shown_and_mended_in_one_click(
    page: Page, letta_server: Product
) -> None:
    agent_id = make_agent(letta_server, model=DEMO)
    say(letta_server, agent_id, "Hello")
    break_history(letta_server, agent_id)
    open_workspace(page, agent_id)
    expect(page.locator("#trouble")).to_contain_text("Calls without a return: probe")

    page.get_by_role("button", name="Unstick").click()
    expect(page.locator("#mended")).to_contain_text("They get a return")
    expect(page.get_by_role("button", name="Unstick")).to_have_count(0)
    write(page, "Still there?")
    expect(page.locator("#log .step").last).to_contain_text("demo model")
    expect_status(page, "idle")


def test_a_run_that_nobody_carries_out_is_ended(page: Page, letta_server: Product) -> None:
    agent_id = make_agent(letta_server, model=DEMO)
    say(letta_server, agent_id, "Hello")
    change(
        letta_server,
        "update agents_run set status = 'running', completed_at = null,"
        " heartbeat_at = '2026-01-01 00:00:00' where agent_id = ?",
        agent_id,
    )
    page.goto("/")
    expect(page.locator(f"#row-{agent_id}")).to_contain_text("stuck")
    open_workspace(page, agent_id)
    expect_status(page, "stuck")

    page.get_by_role("button", name="Unstick").click()
    expect_status(page, "failed")
    expect(page.locator("#mended")).to_contain_text("nobody carries it out")
    write(page, "My name is Ada.")
    expect_status(page, "idle")


def test_trouble_appears_on_an_open_page(
    page: Page, letta_server: Product, fake_openai: FakeOpenAI
) -> None:
    agent_id = make_agent(letta_server)
    open_workspace(page, agent_id)
    expect(page.get_by_role("button", name="Unstick")).to_have_count(0)
    change(
        letta_server,
        "update agents_conversation set summary_message_id = 'message-gone' where agent_id = ?",
        agent_id,
    )
    write(page, "Hello")
    expect(page.locator("#trouble")).to_contain_text("summary of its earlier messages is missing")
    page.get_by_role("button", name="Unstick").click()
    expect(page.locator("#mended")).to_be_visible()


def test_the_window_is_compacted_and_that_is_undone(page: Page, letta_server: Product) -> None:
    agent_id = make_agent(letta_server, model=DEMO)
    for number in range(4):
        say(letta_server, agent_id, f"I like dish number {number}.")
    open_workspace(page, agent_id)
    page.get_by_role("button", name="Compact now").click()

    note = page.locator("#log .note").last
    expect(note).to_contain_text("messages summarised")
    expect(page.locator("#toasts")).to_contain_text("holds")
    expect(page.locator("#context-box")).to_contain_text("Summary")
    note.locator("summary").click()
    expect(note.locator("pre")).to_contain_text("dish number 0")
    note.get_by_role("button", name="Undo").click()
    expect(page.locator("#log .note").last).to_contain_text("undone")
    expect(page.locator("#context-box")).not_to_contain_text("Summary")


def test_a_compaction_during_a_run_appears_live_and_can_be_undone(
    page: Page, letta_server: Product, fake_openai: FakeOpenAI
) -> None:
    agent_id = make_agent(letta_server, context_window_limit=16_000)
    for number in range(6):
        fake_openai.push(f"Answer {number}. " + "Many words follow here. " * 500)
        say(letta_server, agent_id, f"Question {number}.")
    open_workspace(page, agent_id)
    expect(page.locator("#log .note")).to_have_count(0)
    for number in range(3):
        write(page, f"More {number}. " + "Many words follow here. " * 500)
        expect(page.locator("#log .step")).to_have_count(7 + number)
    note = page.locator("#log .note").last
    expect(note).to_contain_text("summarised")
    note.locator("summary").click()
    note.get_by_role("button", name="Undo").click()
    expect(page.locator("#log .note").last).to_contain_text("undone")
