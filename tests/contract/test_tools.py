"""Tools through each client: the built-in ones, one of our own, on an agent and off again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.driving import Client, ClientError
from tests.contract.samples import agent_fields
from tests.fakes.openai_replies import Call, Reply
from tests.fakes.openai_server import FakeOpenAI

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


def test_an_agent_calls_a_tool_of_our_own(client: Client, fake_openai: FakeOpenAI) -> None:
    tool = client.call("tools.create", source_code=SOURCE, tags=["wall"])
    agent = client.call("agents.create", **agent_fields(), tool_ids=[tool["id"]])
    fake_openai.push(Reply(calls=(Call("count_bricks", {"rows": 3, "per_row": 4}),)), "Twelve.")
    said = client.call(
        "messages.create", agent_id=agent["id"], messages=[{"role": "user", "content": "3 by 4?"}]
    )
    (back,) = [one for one in said["messages"] if one["message_type"] == "tool_return_message"]
    assert (back["tool_return"], back["status"]) == ("12", "success")
    client.call("agents.delete", agent_id=agent["id"])
    client.call("tools.delete", tool_id=tool["id"])


def test_a_tool_is_tried_by_hand(client: Client, agent: dict[str, Any]) -> None:
    # The old TypeScript driver writes every key in its own style, those of arguments too.
    source, args = SOURCE.replace("per_row", "width"), {"rows": 2, "width": 5}
    if client.is_old:
        said = client.call("tools.try", source_code=source, args=args)
        assert (said["tool_return"], said["status"]) == ("10", "success")
        return
    tool = client.call("tools.upsert", source_code=source)
    found = client.call("tools.search", query="bricks")
    assert [one["tool"]["id"] for one in found] == [tool["id"]]
    client.call("agent_tools.attach", agent_id=agent["id"], tool_id=tool["id"])
    done = client.call("agent_tools.run", agent_id=agent["id"], tool_name="count_bricks", args=args)
    assert (done["status"], done["func_return"]) == ("success", 10)
    client.call("tools.delete", tool_id=tool["id"])


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
