"""Blocks and archival passages through each client."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.driving import Client, ClientError
from tests.contract.samples import HUMAN

NOTES = ("The crane is yellow.", "Wendy runs the office.", "Concrete needs a dry day.")


def test_blocks_of_an_agent(client: Client, agent: dict[str, Any]) -> None:
    listed = client.call("agent_blocks.list", agent_id=agent["id"])
    assert {block["label"] for block in listed} == {"human", "persona"}
    human = client.call("agent_blocks.retrieve", agent_id=agent["id"], block_label="human")
    assert human["value"] == HUMAN and human["id"].startswith("block-")
    changed = client.call(
        "agent_blocks.update", agent_id=agent["id"], block_label="human", value="Name: Wendy"
    )
    assert (changed["id"], changed["value"]) == (human["id"], "Name: Wendy")
    found = client.call("agents.retrieve", agent_id=agent["id"])
    assert "Name: Wendy" in [block["value"] for block in found["memory"]["blocks"]]


def test_block_life(client: Client, agent: dict[str, Any]) -> None:
    block = client.call("blocks.create", label="site", value="North field", limit=500)
    assert client.call("blocks.retrieve", block_id=block["id"])["limit"] == 500
    changed = client.call("blocks.update", block_id=block["id"], value="South field")
    assert changed["value"] == "South field"
    state = client.call("agent_blocks.attach", agent_id=agent["id"], block_id=block["id"])
    assert "site" in [b["label"] for b in state["memory"]["blocks"]]
    state = client.call("agent_blocks.detach", agent_id=agent["id"], block_id=block["id"])
    assert "site" not in [b["label"] for b in state["memory"]["blocks"]]
    assert block["id"] in [b["id"] for b in client.call("blocks.list", label="site")]
    client.call("blocks.delete", block_id=block["id"])
    with pytest.raises(ClientError) as caught:
        client.call("blocks.retrieve", block_id=block["id"])
    assert caught.value.status == 404


def test_value_over_the_limit_is_refused(client: Client) -> None:
    with pytest.raises(ClientError) as caught:
        client.call("blocks.create", label="small", value="x" * 30, limit=20)
    assert caught.value.status == 422


def test_archival_memory(client: Client, agent: dict[str, Any]) -> None:
    created = [client.call("passages.create", agent_id=agent["id"], text=text)[0] for text in NOTES]
    listed = client.call("passages.list", agent_id=agent["id"])
    assert [passage["text"] for passage in listed] == list(NOTES)
    found = client.call("passages.search", agent_id=agent["id"], query="yellow crane", top_k=1)
    assert found["count"] == 1
    assert found["results"][0]["content"] == NOTES[0]
    client.call("passages.delete", agent_id=agent["id"], memory_id=created[0]["id"])
    left = client.call("passages.list", agent_id=agent["id"])
    assert [passage["id"] for passage in left] == [passage["id"] for passage in created[1:]]
