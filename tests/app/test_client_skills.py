"""Skills that come with a request: the model is told of them, and nothing of them stays."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models import Compaction
from tests.app.conftest import Api
from tests.app.posting import send
from tests.app.test_messages import HELLO, agent, history  # noqa: F401
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

SKILL = {"name": "release", "description": "How we release.", "location": "skills/release.md"}
WITH = {**HELLO, "client_skills": [SKILL]}


def head(openai: FakeOpenAI) -> str:
    return str(openai.chats[-1]["messages"][0]["content"])


def test_the_model_is_told_for_this_request_only(
    api: Api,
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
) -> None:
    send(agent["id"], HELLO)
    before = head(openai)
    send(agent["id"], WITH)
    assert head(openai).startswith(before)
    assert "- release (skills/release.md): How we release." in head(openai)
    assert "skills/release.md" not in str(history(api, agent))
    send(agent["id"], HELLO)
    assert head(openai) == before


def test_beside_a_system_prompt_of_the_request(agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    send(agent["id"], {**WITH, "override_system": "Be brief."})
    assert head(openai).startswith("Be brief.\n") and "skills/release.md" in head(openai)


def test_the_preview_shows_them(api: Api, agent: Any) -> None:  # noqa: F811
    path = f"/v1/agents/{agent['id']}/messages/preview-raw-payload"
    shown = api.send("POST", path, WITH).json()
    assert "skills/release.md" in shown["messages"][0]["content"]


@pytest.mark.parametrize("field", ["name", "description", "location"])
def test_a_skill_has_three_keys(agent: Any, field: str) -> None:  # noqa: F811
    broken = {key: value for key, value in SKILL.items() if key != field}
    assert send(agent["id"], {**HELLO, "client_skills": [broken]}).status_code == 422


def test_they_outlive_a_compaction(api: Api, agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    api.send("PATCH", f"/v1/agents/{agent['id']}", {"context_window_limit": 4000})
    long = {**WITH, "messages": [{"role": "user", "content": "word " * 1500}]}
    for _ in range(4):
        assert send(agent["id"], long).status_code == 200
    assert Compaction.objects.exists()
    assert "skills/release.md" in head(openai)
