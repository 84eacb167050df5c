"""A tool from its first line to an agent that has it, in the browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.steps import call_api, make_agent
from tests.product import Product

SOURCE = """def shout(text: str) -> str:
    \"\"\"Make a text loud.

    Args:
        text: What to shout.
    \"\"\"
    print("shouting")
    return text.upper()
"""


def write_source(page: Page, text: str) -> None:
    """Replace what is in the editor as a paste does."""
    page.locator(".ace_content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text)


def test_a_tool_is_written_tried_saved_and_attached(page: Page, letta_server: Product) -> None:
    make_agent(letta_server, name="loud one")
    page.goto("/tools/new")
    write_source(page, "def shout(text):\n    return text")
    expect(page.locator("#problems")).to_contain_text("missing docstring")
    expect(page.locator(".ace_gutter-cell.ace_error")).to_have_count(1)
    write_source(page, SOURCE)
    expect(page.locator("#schema pre")).to_contain_text('"What to shout."')
    page.get_by_label("text · string").fill("hello")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#trial")).to_contain_text("HELLO")
    expect(page.locator("#trial")).to_contain_text("shouting")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="shout", level=1)).to_be_visible()
    page.get_by_label("Agent that gets this tool").select_option(label="loud one")
    page.get_by_role("button", name="Attach").click()
    expect(page.locator("#users-count")).to_have_text("1")
    assert [row["name"] for row in call_api(letta_server, "GET", "/tools/?name=shout")] == ["shout"]


def test_a_save_keeps_the_editor_and_makes_a_version(page: Page, letta_server: Product) -> None:
    tool_id = call_api(letta_server, "PUT", "/tools/", {"source_code": SOURCE})["id"]
    page.goto(f"/tools/{tool_id}")
    write_source(page, SOURCE.replace("upper()", "title()"))
    page.keyboard.press("Control+s")
    expect(page.locator("#version-count")).to_have_text("2")
    assert page.locator("#tool[data-dirty]").count() == 0
    page.get_by_role("link", name="Versions").click()
    expect(page.locator("#drawer .diff").first).to_contain_text("title")
    page.locator("#drawer").get_by_role("button", name="Restore").click()
    expect(page.locator(".ace_content")).to_contain_text("upper")
