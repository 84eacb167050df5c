"""What the tests of the published clients send, and how they read what comes back."""

from __future__ import annotations

import re
from typing import Any

import pytest

HUMAN = "The human's name is Bob the Builder."
PERSONA = "My name is Sam, the all-knowing sentient AI."
AGENT_ID = re.compile(r"agent-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
# For calls that only the newer clients have.
new_clients_only = pytest.mark.parametrize("running_client", ["py1", "npm1"], indirect=True)
old_clients_only = pytest.mark.parametrize("running_client", ["py0", "npm0"], indirect=True)
INSERT = {"label": "human", "new_string": "Bob has a dog called Scoop.", "insert_line": -1}


def agent_fields(**changes: Any) -> dict[str, Any]:
    blocks = [{"label": "human", "value": HUMAN}, {"label": "persona", "value": PERSONA}]
    plain = {
        "memory_blocks": blocks,
        "model": "openai/gpt-4o-mini",
        "context_window_limit": 16000,
        "embedding": "openai/text-embedding-3-small",
    }
    return {**plain, **changes}


def file(name: str, text: str) -> dict[str, list[str]]:
    """A file to upload, as the drivers of the clients understand it."""
    return {"$file": [name, text]}


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def block_values(state: dict[str, Any]) -> dict[str, str]:
    blocks = state.get("blocks") or state["memory"]["blocks"]
    return {block["label"]: block["value"] for block in blocks}


def kinds(messages: list[dict[str, Any]]) -> list[str]:
    return [message["message_type"] for message in messages]
