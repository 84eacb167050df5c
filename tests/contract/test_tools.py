"""Tools through each client: the built-in ones, one of our own, on an agent and off again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.driving import Client, ClientError

SOURCE = '''
def count_bricks(rows: int, per_row: int) -> int:
    """Say how many bricks a wall needs.

    Args:
        rows (int): The number of rows.
        per_row (int): Bricks in one row.

    Returns:
        int: The number of bricks.
    """
    return rows * per_row
'''


def names(tools: list[dict[str, Any]]) -> set[str]:
    return {tool["name"] for tool in tools}


def test_built_in_tools_are_listed(client: Client) -> None:
    listed = client.call("tools.list", limit=100)
    expected = {"send_message", "conversation_search", "memory_insert", "archival_memory_search"}
    assert expected <= names(listed)
    assert all(tool["id"].startswith("tool-") and tool["json_schema"] for tool in listed)


def test_attach_and_detach(client: Client, agent: dict[str, Any]) -> None:
    tool = client.call("tools.list", name="archival_memory_search")[0]
    state = client.call("agent_tools.attach", agent_id=agent["id"], tool_id=tool["id"])
    assert tool["name"] in names(state["tools"])
    assert tool["name"] in names(client.call("agent_tools.list", agent_id=agent["id"]))
    state = client.call("agent_tools.detach", agent_id=agent["id"], tool_id=tool["id"])
    assert tool["name"] not in names(state["tools"])


def test_own_tool_from_source(client: Client) -> None:
    tool = client.call("tools.upsert", source_code=SOURCE)
    assert tool["name"] == "count_bricks"
    assert set(tool["json_schema"]["parameters"]["properties"]) == {"rows", "per_row"}
    assert client.call("tools.upsert", source_code=SOURCE)["id"] == tool["id"]
    client.call("tools.delete", tool_id=tool["id"])
    with pytest.raises(ClientError) as caught:
        client.call("tools.retrieve", tool_id=tool["id"])
    assert caught.value.status == 404
