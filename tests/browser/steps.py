"""What a person does in the browser, and what a program does beside it over REST."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.product import Product

WORKSPACE = re.compile(r"/agents/agent-[0-9a-f-]{36}$")
FAKE_MODEL = "openai/gpt-4o-mini"


def call_api(server: Product, method: str, path: str, body: Any = None) -> Any:
    """Call the REST API as any program would."""
    request = urllib.request.Request(
        f"{server.url}/v1{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def make_agent(server: Product, *, model: str = FAKE_MODEL, **fields: Any) -> str:
    """Create an agent over REST; return its id."""
    blocks = [{"label": "human", "value": "Name: Chad"}, {"label": "persona", "value": "I am Sam."}]
    body = {"name": "browser agent", "model": model, "memory_blocks": blocks, **fields}
    return str(call_api(server, "POST", "/agents/", body)["id"])


def say(server: Product, agent_id: str, text: str) -> Any:
    """Send a message over REST and wait for the answer."""
    body = {"messages": [{"role": "user", "content": text}]}
    return call_api(server, "POST", f"/agents/{agent_id}/messages", body)


def open_workspace(page: Page, agent_id: str) -> None:
    """Open the page of an agent and wait until it is live."""
    with page.expect_websocket() as socket:
        page.goto(f"/agents/{agent_id}")
    socket.value.wait_for_event("framereceived")


def write(page: Page, text: str) -> None:
    """Send a message from the composer."""
    page.get_by_label("Message to the agent").fill(text)
    page.keyboard.press("Enter")


def card(page: Page, label: str) -> Locator:
    """Return the card of a memory block."""
    return page.get_by_role("article", name=label)


def text_of(page: Page, label: str) -> Locator:
    """Return the text box of a memory block."""
    return card(page, label).get_by_role("textbox")


def expect_status(page: Page, text: str) -> None:
    """Wait for the chip in the top bar."""
    expect(page.locator("#status")).to_have_text(text)


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))
