"""Tool rules in the browser: a rule made in the dialog, and a turn played in the checker."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.steps import make_agent
from tests.product import Product


def test_a_rule_is_made_in_a_dialog_and_tried(
    page: Page, page_faults: list[str], letta_server: Product
) -> None:
    agent_id = make_agent(letta_server)
    page.goto(f"/agents/{agent_id}/rules")
    page.get_by_label("Type of the rule").select_option("conditional")
    page.get_by_role("button", name="Add a rule").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("Tool", exact=True).select_option("memory_insert")
    dialog.get_by_role("button", name="Add rule").click()
    expect(dialog).to_contain_text("Fill in at least one line.")
    expect(dialog.get_by_label("Tool", exact=True)).to_have_value("memory_insert")
    dialog.get_by_label("When it returns").first.fill("yes")
    dialog.get_by_label("Then call").first.select_option("memory_replace")
    dialog.get_by_role("button", name="Add rule").click()
    rules = page.get_by_role("region", name="Rules", exact=True)
    expect(rules).to_contain_text("“yes” leads to memory_replace")

    page.get_by_label("What the next call returns").fill("yes")
    page.get_by_role("button", name="memory_insert", exact=True).click()
    row = page.get_by_role("row", name="memory_replace")
    expect(row).to_contain_text("must")
    expect(page.get_by_role("row", name="conversation_search")).to_contain_text("no")
    expect(page.get_by_role("link", name="Take back")).to_be_visible()
    page.reload()
    expect(page.get_by_role("row", name="memory_replace")).to_contain_text("must")
    page_faults.clear()  # the answer 422


def test_a_secret_is_set_and_only_its_name_is_seen(
    page: Page, page_faults: list[str], letta_server: Product
) -> None:
    agent_id = make_agent(letta_server)
    page.goto(f"/agents/{agent_id}/secrets")
    page.get_by_label("Name").fill("API KEY")
    page.get_by_label("Value").fill("hush-4711")
    page.get_by_role("button", name="Set secret").click()
    expect(page.locator("#secret")).to_contain_text("Use letters, digits and _")
    page.get_by_label("Name").fill("API_KEY")
    page.get_by_label("Value").fill("hush-4711")
    page.get_by_role("button", name="Set secret").click()
    expect(page.get_by_role("row", name="API_KEY")).to_contain_text("hidden")
    assert "hush-4711" not in page.content()
    page_faults.clear()  # the answer 422
