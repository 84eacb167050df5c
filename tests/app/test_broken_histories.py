"""Agents whose stored history is broken still get an answer from a strict provider."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agents.engine.repair import clean_text
from agents.models import Agent, Conversation
from agents.services.messages import number, store_messages
from agents.types import Message, TextPart
from letta_site.core.ids import new_id
from letta_site.core.types import Actor
from tests.app.conftest import Api
from tests.app.posting import play, post
from tests.fakes.openai_server import FakeOpenAI
from tests.pure.broken import broken_history

pytestmark = pytest.mark.django_db(transaction=True)
HISTORIES = 20


def storable(message: Message) -> Message:
    """Return a message that a database takes: unstorable characters never get that far."""
    return replace(
        message,
        id=new_id("message"),
        parts=tuple(
            TextPart(clean_text(part.text)) for part in message.parts if isinstance(part, TextPart)
        ),
        tool_calls=tuple(replace(one, id=clean_text(one.id)) for one in message.tool_calls),
        tool_returns=tuple(
            replace(one, tool_call_id=clean_text(one.tool_call_id), text=clean_text(one.text))
            for one in message.tool_returns
        ),
    )


def test_agents_with_broken_histories_answer(api: Api, owner: Actor, openai: FakeOpenAI) -> None:
    body = {"model": "openai/gpt-4o-mini"}
    ids = [api.send("POST", "/v1/agents/", body).json()["id"] for _ in range(HISTORIES)]
    for at, agent_id in enumerate(ids):
        row, talk = Agent.objects.get(pk=agent_id), Conversation.objects.get(agent_id=agent_id)
        values = number((storable(one) for one in broken_history(at)), row)
        store_messages(values, agent=row, conversation_id=talk.id, actor=owner)
        Agent.objects.filter(pk=agent_id).update(last_seq=row.last_seq)

    async def scenario() -> None:
        for agent_id in ids:
            sent = {"messages": [{"role": "user", "content": "Still there?"}]}
            answer = await post(f"/v1/agents/{agent_id}/messages", sent)
            assert answer.status_code == 200, answer.content

    play(scenario)
    assert len(openai.usages) == HISTORIES  # the strict provider accepted every one
