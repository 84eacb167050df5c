"""Agents as each published client sees them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.driving import Client, ClientError
from tests.contract.samples import (
    AGENT_ID,
    HUMAN,
    PERSONA,
    agent_fields,
    block_values,
    new_clients_only,
)

UNKNOWN = "agent-00000000-0000-4000-8000-0000000000ff"


def test_create_returns_the_whole_state(client: Client, agent: dict[str, Any]) -> None:
    assert AGENT_ID.fullmatch(agent["id"])
    assert agent["name"]
    assert agent["agent_type"] == "letta_v1_agent"
    assert block_values(agent) == {"human": HUMAN, "persona": PERSONA}
    assert agent["llm_config"]["handle"] == "openai/gpt-4o-mini"
    assert agent["llm_config"]["context_window"] == 16000
    names = {tool["name"] for tool in agent["tools"]}
    assert {"conversation_search", "memory_insert", "memory_replace"} <= names
    assert agent["message_ids"]


@new_clients_only
def test_new_clients_see_handles(client: Client, agent: dict[str, Any]) -> None:
    assert agent["model"] == "openai/gpt-4o-mini"
    assert agent["embedding"] == "openai/text-embedding-3-small"


def test_retrieve_equals_create(client: Client, agent: dict[str, Any]) -> None:
    found = client.call("agents.retrieve", agent_id=agent["id"])
    assert found["id"] == agent["id"] and found["name"] == agent["name"]
    assert block_values(found) == block_values(agent)


def test_list_pages_through_all_agents(client: Client) -> None:
    states = [
        client.call("agents.create", **agent_fields(name=f"Pager {n}", tags=["paged"]))
        for n in range(3)
    ]
    found = client.call("agents.list", tags=["paged"], limit=2)
    expected = 2 if client.is_old else 3  # the new clients ask for the next page by themselves
    assert len({state["id"] for state in found}) == len(found) == expected
    for state in states:
        client.call("agents.delete", agent_id=state["id"])
    assert client.call("agents.list", tags=["paged"]) == []


def test_update_changes_what_is_named_and_nothing_else(
    client: Client, agent: dict[str, Any]
) -> None:
    changed = client.call(
        "agents.update", agent_id=agent["id"], name="Foreman", tags=["site"], description="Builds."
    )
    assert (changed["name"], changed["tags"]) == ("Foreman", ["site"])
    found = client.call("agents.retrieve", agent_id=agent["id"])
    assert found["description"] == "Builds." and found["system"] == agent["system"]
    assert block_values(found) == block_values(agent)


def test_deleted_agent_is_gone(client: Client, agent: dict[str, Any]) -> None:
    client.call("agents.delete", agent_id=agent["id"])
    with pytest.raises(ClientError) as caught:
        client.call("agents.retrieve", agent_id=agent["id"])
    assert caught.value.status == 404


@pytest.mark.parametrize(("agent_id", "status"), [(UNKNOWN, 404), ("agent-42", 422)])
def test_wrong_ids_are_refused(client: Client, agent_id: str, status: int) -> None:
    with pytest.raises(ClientError) as caught:
        client.call("agents.retrieve", agent_id=agent_id)
    assert caught.value.status == status


def test_unknown_model_is_named_in_the_error(client: Client) -> None:
    with pytest.raises(ClientError) as caught:
        client.call("agents.create", **agent_fields(model="openai/gpt-nonesuch"))
    assert caught.value.status == 404
    assert "openai/gpt-nonesuch" in str(caught.value.body)


def test_health_and_models(client: Client) -> None:
    assert client.call("health")["status"] == "ok"
    handles = {model.get("handle") for model in client.call("models.list")}
    assert {"openai/gpt-4o-mini", "openai/gpt-4o", "letta/demo"} <= handles
    embeddings = client.call("embeddings.list")
    assert "openai/text-embedding-3-small" in {model.get("handle") for model in embeddings}
