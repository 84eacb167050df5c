"""Agents with folders, in tests."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models import Conversation, Message
from tests.app.posting import play, post
from tests.app.uploading import files_dir, folder
from tests.fakes.openai_server import FakeOpenAI

__all__ = ["files_dir", "folder"]
LINES = "\n".join(f"line {n}" for n in range(1, 101))


@pytest.fixture(autouse=True)
def provider_at_hand(settings: Any, fake_openai: FakeOpenAI) -> None:
    """Agents think with the fake provider; in force where this is imported."""
    settings.PROVIDER_VARIABLES = {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": fake_openai.base_url,
    }
    settings.LLM_TRIES = 1


@pytest.fixture
def make(api: Any) -> Any:
    def make(**fields: Any) -> Any:
        answer = api.send("POST", "/v1/agents/", {"model": "openai/gpt-4o-mini", **fields})
        assert answer.status_code == 200, answer.content
        return answer.json()

    return make


@pytest.fixture
def reader(api: Any, make: Any, folder: Any) -> Any:
    """An agent with the folder attached."""
    return attach(api, make(), folder)


def attach(api: Any, agent: Any, folder: Any, era: str = "folders", what: str = "attach") -> Any:
    answer = api.send("PATCH", f"/v1/agents/{agent['id']}/{era}/{what}/{folder['id']}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def tool_names(state: Any) -> set[str]:
    return {tool["name"] for tool in state["tools"]}


def head_of(agent: Any) -> str:
    talk = Conversation.objects.get(agent_id=agent["id"], is_default=True)
    return str(Message.objects.get(pk=talk.system_message_id).content[0]["text"])


def files_of(api: Any, agent: Any, **query: Any) -> Any:
    return api.get(f"/v1/agents/{agent['id']}/files", query).json()


def open_names(api: Any, agent: Any) -> set[str]:
    return {one["file_name"] for one in files_of(api, agent, is_open="true")["files"]}


def run(api: Any, agent: Any, tool: str, **arguments: Any) -> Any:
    """Run a tool by hand and return what it gave, or its error."""

    async def scenario() -> Any:
        return await post(f"/v1/agents/{agent['id']}/tools/{tool}/run", {"args": arguments})

    said = play(scenario).json()
    return said["func_return"] if said["status"] == "success" else said["stderr"][0]
