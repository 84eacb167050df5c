"""The four published clients, one agent made by each, and the fake provider behind the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.driving import NAMES, Client, ClientError, require
from tests.contract.samples import agent_fields
from tests.fakes.openai_server import FakeOpenAI
from tests.product import Product


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.contract)


@pytest.fixture(scope="session", params=NAMES)
def running_client(
    request: pytest.FixtureRequest,
    letta_server: Product,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Client]:
    require(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    client = Client(request.param, letta_server.url, folder).start()
    yield client
    client.stop()


@pytest.fixture
def client(running_client: Client, fake_openai: FakeOpenAI) -> Client:
    """A client whose server's provider has a clean script."""
    return running_client


@pytest.fixture
def agent(client: Client) -> Iterator[dict[str, Any]]:
    state = client.call("agents.create", **agent_fields())
    yield state
    try:
        client.call("agents.delete", agent_id=state["id"])
    except ClientError as error:
        assert error.status == 404, error  # the test itself may have deleted it
