"""Blocks and archival passages through each client."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.driving import Client, ClientError
from tests.contract.operations import SPELLING
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


def test_fields_of_a_block(client: Client, agent: dict[str, Any]) -> None:
    fields = {
        "description": "Where we build.",
        "metadata": {"floor": 2},
        "read_only": True,
        "is_template": True,
    }
    block = client.call("blocks.create", label="site", value="North", limit=100, **fields)
    seen = client.call("blocks.retrieve", block_id=block["id"])
    assert {name: seen[name] for name in fields} == fields
    client.call("agent_blocks.attach", agent_id=agent["id"], block_id=block["id"])
    users = client.call("block_agents.list", block_id=block["id"])
    assert [one["id"] for one in users] == [agent["id"]]
    changed = client.call("blocks.update", block_id=block["id"], metadata={"floor": 3}, limit=50)
    assert (changed["metadata"], changed["limit"], changed["value"]) == ({"floor": 3}, 50, "North")
    listed = client.call("blocks.list", templates_only=True, label="site")
    assert block["id"] in [one["id"] for one in listed]
    client.call("blocks.delete", block_id=block["id"])


def needs(client: Client, *operations: str) -> None:
    if lacking := [one for one in operations if one not in SPELLING[client.name]]:
        pytest.skip(f"{client.name} has no {', '.join(lacking)}")


def test_blocks_are_counted(client: Client, agent: dict[str, Any]) -> None:
    needs(client, "blocks.count")
    before = client.call("blocks.count")
    client.call("blocks.create", label="one more", value="")
    assert client.call("blocks.count") == before + 1


def test_the_old_clients_change_a_passage(client: Client, agent: dict[str, Any]) -> None:
    needs(client, "passages.update")
    (made,) = client.call("passages.create", agent_id=agent["id"], text=NOTES[0])
    client.call("passages.update", agent_id=agent["id"], memory_id=made["id"])  # it has no fields
    assert client.call("passages.list", agent_id=agent["id"])[0]["text"] == NOTES[0]


def test_filters_of_archival_memory(client: Client, agent: dict[str, Any]) -> None:
    for n, text in enumerate(NOTES):
        client.call("passages.create", agent_id=agent["id"], text=text, tags=["all", f"n{n}"])
    newest = client.call("passages.list", agent_id=agent["id"], ascending=False, first_page=True)
    assert [one["text"] for one in newest] == list(NOTES[::-1])
    found = client.call("passages.list", agent_id=agent["id"], search="office", first_page=True)
    assert [one["text"] for one in found] == [NOTES[1]]
    both = {"tags": ["all", "n2"], "tag_match_mode": "all"}
    found = client.call("passages.search", agent_id=agent["id"], query="concrete crane", **both)
    assert [one["content"] for one in found["results"]] == [NOTES[2]]


def test_life_of_an_archive(client: Client) -> None:
    needs(client, "archives.create", "archives.list", "archives.update")
    archive = client.call("archives.create", name="Site notes", description="Shared.")
    assert archive["id"].startswith("archive-")
    changed = client.call("archives.update", archive_id=archive["id"], name="Logbook")
    assert (changed["name"], changed["description"]) == ("Logbook", "Shared.")
    listed = client.call("archives.list", name="Logbook")
    assert archive["id"] in [one["id"] for one in listed]


def test_agents_share_an_archive(client: Client, agent: dict[str, Any]) -> None:
    needs(client, "agent_archives.attach", "archive_passages.create_many", "archives.delete")
    archive = client.call("archives.create", name="Shared")["id"]
    one = client.call("archive_passages.create", archive_id=archive, text=NOTES[0], tags=["t"])
    assert (one["text"], one["tags"], one["archive_id"]) == (NOTES[0], ["t"], archive)
    rest = [{"text": text, "metadata": {"n": 1}} for text in NOTES[1:]]
    made = client.call("archive_passages.create_many", archive_id=archive, passages=rest)
    assert [(row["text"], row["metadata"]) for row in made] == [(t, {"n": 1}) for t in NOTES[1:]]
    client.call("agent_archives.attach", agent_id=agent["id"], archive_id=archive)
    listed = client.call("archives.list", agent_id=agent["id"])
    assert [row["id"] for row in listed] == [archive]
    assert len(client.call("passages.list", agent_id=agent["id"])) == len(NOTES)
    client.call("archive_passages.delete", archive_id=archive, passage_id=one["id"])
    assert len(client.call("passages.list", agent_id=agent["id"])) == len(NOTES) - 1
    client.call("agent_archives.detach", agent_id=agent["id"], archive_id=archive)
    assert client.call("passages.list", agent_id=agent["id"]) == []
    client.call("archives.delete", archive_id=archive)
    with pytest.raises(ClientError) as caught:
        client.call("archives.retrieve", archive_id=archive)
    assert caught.value.status == 404
