"""Surroundings of every test: no network, no provider keys, its own data folder, a database."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import django
import pytest

from tests.fakes.openai_server import FakeOpenAI
from tests.network import block_network
from tests.postgres import TestDatabase
from tests.product import Product

FOREIGN_ENDINGS = ("_API_KEY", "_API_BASE", "_BASE_URL", "_PROXY")
STASH_DATABASE = pytest.StashKey[TestDatabase]()
STASH_FOLDER = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--postgres", action="store_true", help="run on PostgreSQL, not on SQLite")


def forget_surroundings() -> None:
    """A developer's keys, proxies and settings must neither be used nor change an outcome."""
    for name in list(os.environ):
        if name.startswith("LETTA_") or name.upper().endswith(FOREIGN_ENDINGS):
            del os.environ[name]
    os.environ["NO_PROXY"] = "*"


def is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Runs before pytest-django looks for settings, which read LETTA_DIR when they load."""
    database_uri = os.environ.get("LETTA_PG_URI", "") if is_worker(config) else ""
    forget_surroundings()
    if config.getoption("--postgres"):
        if not is_worker(config):
            config.stash[STASH_DATABASE] = TestDatabase()
            database_uri = config.stash[STASH_DATABASE].start()
        os.environ["LETTA_PG_URI"] = database_uri
    config.stash[STASH_FOLDER] = Path(tempfile.mkdtemp(prefix="letta-test-"))
    os.environ["LETTA_DIR"] = str(config.stash[STASH_FOLDER] / "data")
    os.environ["DJANGO_SETTINGS_MODULE"] = "letta_site.settings"
    block_network()
    django.setup()  # pytest-django looked for settings before this ran, and found none


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if STASH_DATABASE in config.stash:
        config.stash[STASH_DATABASE].stop()
    if STASH_FOLDER in config.stash:
        shutil.rmtree(config.stash[STASH_FOLDER], ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Playwright keeps an event loop running in this thread, so nothing async may come after it.
    items.sort(key=lambda item: "tests/browser" in item.path.as_posix())
    if config.getoption("--postgres"):
        return
    for item in items:
        if "postgres" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="needs --postgres"))


@pytest.fixture(scope="session")
def provider() -> Iterator[FakeOpenAI]:
    """The fake provider of this session; tests use `fake_openai`, which clears it first."""
    with FakeOpenAI() as fake:
        yield fake


@pytest.fixture
def fake_openai(provider: FakeOpenAI) -> FakeOpenAI:
    provider.reset()
    return provider


@pytest.fixture(scope="session")
def letta_server(
    provider: FakeOpenAI, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    """One real server for the session, talking to the fake provider."""
    environment = {"OPENAI_BASE_URL": provider.base_url, "OPENAI_API_KEY": "sk-test"}
    product = Product(tmp_path_factory.mktemp("product"), environment)
    product.start()
    yield product
    product.stop()


@pytest.fixture(scope="session")
def live_server_url(letta_server: Product) -> str:
    return letta_server.url
