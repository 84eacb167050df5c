"""Searching messages and passages with each client, in the words of its generation."""

from __future__ import annotations

from typing import Any

from tests.contract.driving import Client
from tests.contract.samples import user
from tests.fakes.openai_server import FakeOpenAI

WORDS = "The zeppelin lands at the lighthouse."


def is_old(client: Client) -> bool:
    return client.name in ("py0", "npm0")


def test_messages_are_found(client: Client, agent: dict[str, Any], fake_openai: FakeOpenAI) -> None:
    fake_openai.push("I shall wait there.")
    client.call("messages.create", agent_id=agent["id"], messages=user(WORDS))
    found = client.call("messages.search", query="landing zeppelins", limit=100)
    if is_old(client):
        mine = [one for one in found if one["message"]["agent_id"] == agent["id"]]
        assert mine[0]["embedded_text"] == WORDS
        assert mine[0]["fts_rank"] >= 1 and mine[0]["rrf_score"] > 0
    else:
        mine = [one for one in found if one["agent_id"] == agent["id"]]
        assert (mine[0]["message_type"], mine[0]["content"]) == ("user_message", WORDS)
        assert mine[0]["message_id"].startswith("message-") and mine[0]["created_at"]
    assert not [line for line in client.said if "Failed to validate" in line]


def test_passages_are_found_with_scores(client: Client, agent: dict[str, Any]) -> None:
    client.call("passages.create", agent_id=agent["id"], text=WORDS)
    client.call("passages.create", agent_id=agent["id"], text="The lighthouse is white.")
    if is_old(client):
        found = client.call("passages.search", agent_id=agent["id"], query="zeppelin", top_k=1)
        assert found["results"][0]["content"] == WORDS
        return
    found = client.call("all_passages.search", query="a zeppelin", agent_id=agent["id"], limit=1)
    assert found[0]["passage"]["text"] == WORDS
    assert found[0]["score"] > 0 and found[0]["metadata"]["lexical_rank"] == 1
