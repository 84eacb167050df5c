"""Every page in both themes and three widths: nothing overflows, axe finds nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.steps import call_api, make_agent, open_workspace, overflow, say, write
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI
from tests.product import ROOT, Product

SCREENS = ROOT / "docs" / "screens"
WIDTHS = {390: 844, 820: 1180, 1440: 900}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
ONE_PANE = 820
PANES = ("#config", "#context", "#memory")


@pytest.fixture
def lived_in(letta_server: Product, fake_openai: FakeOpenAI) -> str:
    """An agent with one of everything in its conversation and its memory."""
    rules = [
        {"type": "run_first", "tool_name": "memory_insert"},
        {"type": "conditional", "tool_name": "memory_insert", "child_output_mapping": {"a": "b"}},
    ]
    agent_id = make_agent(letta_server, tags=["demo"], tool_rules=rules, secrets={"KEY": "x"})
    edit = Call("memory_insert", {"label": "human", "new_string": "x" * 300})
    wrong = Call("memory_replace", {"label": "nobody", "old_string": "a", "new_string": "b"})
    table = "| a | b |\n|---|---|\n| 1 | 2 |\n\n```\n" + "long " * 60 + "\n```"
    fake_openai.push(Reply(calls=(edit,)), Reply(calls=(wrong,)), table)
    say(letta_server, agent_id, "Everything, please. " + "unbroken" * 40)
    passage = {"text": "A passage.", "tags": ["one", "two"]}
    call_api(letta_server, "POST", f"/agents/{agent_id}/archival-memory", passage)
    return agent_id


def addresses(server: Product, agent_id: str) -> list[str]:
    blocks = call_api(server, "GET", f"/agents/{agent_id}/core-memory/blocks")
    block_id = blocks[0]["id"]
    home = f"/agents/{agent_id}"
    pages = ["/", "/agents/new", home, f"{home}?view=debug", f"{home}/delete", "/login"]
    pages += [f"{home}/rules?call=memory_insert", f"{home}/rules/new?type=conditional"]
    pages.append(f"{home}/secrets")
    return [
        *pages,
        *(home + pane for pane in PANES),
        f"/blocks/{block_id}/history",
        *of_tools(server),
    ]


def of_tools(server: Product) -> list[str]:
    source = (
        'def f(a: int) -> int:\n    """Do.\n\n    Args:\n        a: One.\n    """\n    return a\n'
    )
    tool_id = call_api(server, "PUT", "/tools/", {"source_code": source, "tags": ["one"]})["id"]
    built_in = next(row["id"] for row in call_api(server, "GET", "/tools/?name=memory_insert"))
    home = f"/tools/{tool_id}"
    panes = [f"{home}#side", f"{home}#more"]
    pages = ["/tools", "/tools/new", home, f"{home}/versions", f"{home}/delete"]
    return [*pages, f"/tools/{built_in}", *panes]


def new_page(browser: Browser, server: Product, theme: str, width: int) -> Page:
    context: BrowserContext = browser.new_context(
        base_url=server.url,
        color_scheme="dark" if theme == "dark" else "light",
        viewport={"width": width, "height": WIDTHS[width]},
        bypass_csp=True,  # axe is injected as an inline script
    )
    return context.new_page()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_fit_and_are_accessible(
    browser: Browser, letta_server: Product, lived_in: str, theme: str
) -> None:
    for width in WIDTHS:
        page = new_page(browser, letta_server, theme, width)
        for address in addresses(letta_server, lived_in):
            if "#" in address and width > ONE_PANE:
                continue
            page.goto("about:blank")
            page.goto(address)
            assert overflow(page) <= 0, (address, width)
            if width != ONE_PANE:  # the same as on a phone, but for the space around it
                found = Axe().run(page, options={"runOnly": RULES})
                assert found.violations_count == 0, (address, width, found.generate_report())
        page.context.close()


def test_the_theme_is_chosen_by_hand_and_kept(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_panes_are_hidden_by_keys(page: Page, letta_server: Product, lived_in: str) -> None:
    open_workspace(page, lived_in)
    page.locator("#scroll").focus()
    page.keyboard.press("[")
    expect(page.get_by_role("complementary", name="Configuration")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.get_by_label("Message to the agent")).to_be_focused()
    page.keyboard.type("[")
    expect(page.get_by_label("Message to the agent")).to_have_value("[")


def test_assets_and_page_stay_small(page: Page, letta_server: Product, lived_in: str) -> None:
    assert (ROOT / "static" / "ade.css").stat().st_size <= 24 * 1024
    assert (ROOT / "static" / "ade.js").stat().st_size <= 10 * 1024
    scripts: list[int] = []
    page.on("response", lambda r: scripts.append(len(r.body())) if r.url.endswith(".js") else None)
    answer = page.goto(f"/agents/{lived_in}")
    assert answer is not None
    assert len(answer.body()) <= 100 * 1024
    assert sum(scripts) <= 70 * 1024


def test_the_screenshot_of_the_readme(page: Page, letta_server: Product) -> None:
    """Taken when it is missing or UPDATE_SCREENS is set, so that a test run changes nothing."""
    tools = ["archival_memory_insert", "archival_memory_search"]
    agent_id = make_agent(
        letta_server,
        model="letta/demo",
        name="sound-lavender-rooster",
        tools=tools,
        context_window_limit=8000,
        memory_blocks=[
            {"label": "human", "value": "", "limit": 5000},
            {"label": "persona", "value": "My name is Sam. I answer briefly.", "limit": 5000},
        ],
    )
    open_workspace(page, agent_id)
    for text in (
        "My name is Ada and I live in Lisbon.",
        "Save to your archive: the bakery in Grünerløkka opens at seven.",
        "I live in Oslo.",
        "What do you know about me?",
    ):
        rows = page.locator("#log .user").count()
        write(page, text)
        expect(page.locator("#log .user:not(.pending)")).to_have_count(rows + 1)
        expect(page.locator("#status")).to_have_text("idle")
    expect(page.locator("#log .tool").first).to_contain_text("memory")
    for theme in ("light", "dark"):
        _take(page, theme)


def _take(page: Page, theme: str) -> None:
    target: Path = SCREENS / f"workspace-{theme}.png"
    page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
    if target.exists() and not os.environ.get("UPDATE_SCREENS"):
        return
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=target, caret="initial")
