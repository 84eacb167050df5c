"""A real Chromium from the system for tests of what a user sees."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    sync_playwright,
)

from tests.product import Product

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
RESULTS = Path(__file__).resolve().parent.parent.parent / "test-results"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if shutil.which(CHROMIUM) is None:
        reason = f"{CHROMIUM} is absent; `make clients` installs it where it may"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    # Playwright's sync API keeps a loop running in this thread, which Django takes for async code.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser, letta_server: Product) -> Iterator[BrowserContext]:
    """A fresh profile that may reach nothing but the server under test."""
    context = browser.new_context(
        base_url=letta_server.url, viewport={"width": 1440, "height": 900}
    )
    context.set_default_timeout(10_000)
    context.route(
        lambda url: not url.startswith((letta_server.url, "data:", "blob:")),
        lambda route: route.abort(),
    )
    yield context
    context.close()


@pytest.fixture
def page_faults() -> list[str]:
    """What went wrong on the page; a test that provokes an error clears it."""
    return []


@pytest.fixture
def page(
    context: BrowserContext,
    letta_server: Product,
    page_faults: list[str],
    request: pytest.FixtureRequest,
) -> Iterator[Page]:
    """A page whose script errors and third-party requests fail the test when it ends."""
    own = (letta_server.url, letta_server.url.replace("http", "ws", 1), "data:", "blob:")

    def note_line(line: ConsoleMessage) -> None:
        if line.type == "error":
            page_faults.append(line.text)

    def note_request(sent: Request) -> None:
        if not sent.url.startswith(own):
            page_faults.append(f"request to a third party: {sent.url}")

    page = context.new_page()
    page.on("pageerror", lambda error: page_faults.append(str(error)))
    page.on("console", note_line)
    page.on("request", note_request)
    yield page
    RESULTS.mkdir(exist_ok=True)
    page.screenshot(path=RESULTS / f"{request.node.name}.png")
    page.close()
    assert not page_faults
