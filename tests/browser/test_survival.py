"""What a page lives through: a restarted server, a reader without JavaScript, a lost draft."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.steps import card, make_agent, open_workspace, say, text_of, write
from tests.fakes.openai_server import FakeOpenAI
from tests.product import Product

RECONNECTED_MS = 20_000


def test_without_javascript_everything_can_be_read_and_sent(
    browser: Browser, letta_server: Product, fake_openai: FakeOpenAI
) -> None:
    fake_openai.push("Hello without scripts.")
    context = browser.new_context(base_url=letta_server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/agents/new")
    page.get_by_label("Name", exact=True).fill("Plain agent")
    page.get_by_label("Model").select_option("openai/gpt-4o-mini")
    page.get_by_role("button", name="Create agent").click()
    page.get_by_label("Message to the agent").fill("Hello.")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#log .step")).to_contain_text("Hello without scripts.")

    text_of(page, "human").fill("Name: Eve")
    card(page, "human").get_by_role("button", name="Save").click()
    expect(page.locator("#toasts")).to_contain_text("Saved")
    expect(text_of(page, "human")).to_have_value("Name: Eve")
    page.get_by_label("Context window").fill("7")
    page.locator("#settings").get_by_role("button", name="Save").click()
    expect(page.locator("#settings-context_window_limit_error")).to_be_visible()
    context.close()


def test_a_page_catches_up_after_the_server_was_restarted(
    browser: Browser, fake_openai: FakeOpenAI, tmp_path: Path
) -> None:
    environment = {"OPENAI_BASE_URL": fake_openai.base_url, "OPENAI_API_KEY": "sk-test"}
    server = Product(tmp_path / "product", environment).start()
    try:
        context = browser.new_context(base_url=server.url)
        page = context.new_page()
        agent_id = make_agent(server)
        open_workspace(page, agent_id)
        page.get_by_label("Message to the agent").fill("a draft")
        server.stop()
        expect(page.locator("#netbar")).to_be_visible()
        server.start()
        fake_openai.push("Said while you were away.")
        say(server, agent_id, "Are you there?")

        step = page.locator("#log .step")
        expect(step).to_contain_text("Said while you were away.", timeout=RECONNECTED_MS)
        expect(page.locator("#netbar")).to_be_hidden()
        expect(page.locator("#log .msg")).to_have_count(2)
        expect(page.get_by_label("Message to the agent")).to_have_value("a draft")
        context.close()
    finally:
        server.stop()


def test_the_draft_of_a_message_survives_a_reload(page: Page, letta_server: Product) -> None:
    open_workspace(page, make_agent(letta_server))
    page.get_by_label("Message to the agent").fill("half a sent")
    page.reload()

    expect(page.get_by_label("Message to the agent")).to_have_value("half a sent")


def test_older_messages_are_loaded_in_front_without_moving_the_reader(
    page: Page, letta_server: Product, fake_openai: FakeOpenAI
) -> None:
    agent_id = make_agent(letta_server)
    for number in range(30):
        fake_openai.push(f"Answer {number}.")
        say(letta_server, agent_id, f"Question {number}.")
    open_workspace(page, agent_id)
    expect(page.locator("#log .msg")).to_have_count(50)
    page.get_by_role("link", name="Load earlier messages").click()

    expect(page.locator("#log .msg")).to_have_count(60)
    expect(page.locator("#log .msg").first).to_contain_text("Question 0.")
    write(page, "One more.")
    expect(page.locator("#log .user").last).to_contain_text("One more.")
