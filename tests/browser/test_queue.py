"""Messages that wait for their turn: after a reload, after a stop, and beside a failure."""

from __future__ import annotations

import threading

from playwright.sync_api import Page, expect

from tests.browser.steps import expect_status, make_agent, open_workspace, write
from tests.fakes.openai_replies import Failure, Reply
from tests.fakes.openai_server import FakeOpenAI
from tests.product import Product


def test_queued_messages_survive_a_reload(
    page: Page, letta_server: Product, fake_openai: FakeOpenAI
) -> None:
    held = threading.Event()
    fake_openai.push(Reply("First answer.", wait_for=held), "Second answer.")
    open_workspace(page, make_agent(letta_server))
    write(page, "one")
    expect_status(page, "thinking")
    write(page, "two")
    expect(page.locator(".pending")).to_contain_text("two")
    page.reload()
    expect(page.locator(".pending")).to_contain_text("two")
    expect(page.locator(".pending")).to_contain_text("queued")

    held.set()
    expect(page.locator("#log .step")).to_have_count(2)
    expect(page.locator(".pending")).to_have_count(0)
    expect(page.locator("#log .user .body")).to_have_text(["one", "two"])


def test_a_message_that_was_stopped_in_the_queue_can_be_sent_again(
    page: Page, letta_server: Product, fake_openai: FakeOpenAI
) -> None:
    held = threading.Event()
    fake_openai.push(Reply("Never said.", wait_for=held))
    open_workspace(page, make_agent(letta_server))
    write(page, "one")
    expect_status(page, "thinking")
    write(page, "two")
    expect(page.locator(".pending")).to_contain_text("two")
    page.get_by_role("button", name="Stop").click()

    expect(page.locator(".pending")).to_contain_text("Stopped before its turn.")
    expect_status(page, "stopped")
    held.set()
    fake_openai.push("Second answer.")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("#log .step").last).to_contain_text("Second answer.")
    expect(page.locator("#log .user .body")).to_have_text(["one", "two"])


def test_a_failure_is_shown_below_the_message_that_failed(
    page: Page, letta_server: Product, fake_openai: FakeOpenAI
) -> None:
    held = threading.Event()

    def answer(request: dict[str, object]) -> Reply | Failure:
        if len(fake_openai.chats) > 1:
            return Reply("Fine.")
        held.wait(10)
        return Failure(401, "no")

    fake_openai.answer_with(answer)
    open_workspace(page, make_agent(letta_server))
    write(page, "one")
    expect_status(page, "thinking")
    write(page, "two")
    expect(page.locator(".pending")).to_contain_text("two")
    held.set()
    expect(page.locator("#log .step")).to_contain_text("Fine.")
    expect(page.locator("#log .msg")).to_have_count(4)
    texts = page.locator("#log .msg").all_inner_texts()
    assert ["one" in texts[0], "refused the key" in texts[1], "two" in texts[2]] == [True] * 3
