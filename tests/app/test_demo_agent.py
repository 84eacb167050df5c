"""The demo model in the real loop, with real tools, for each way in which agents speak."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest

from agents.engine.events import Event, RunFinished
from agents.models import Agent, Message
from agents.runtime import runner
from agents.services.agent_models import ModelWish
from agents.services.agents import AgentDraft, create_agent
from agents.types import InputMessage, RunInput, TextPart
from letta_site.core.types import Actor
from memory.models import Block, Passage, Retrieval

pytestmark = pytest.mark.django_db(transaction=True)


def made(owner: Actor, agent_type: str, *tools: str, human: str = "", **block: Any) -> Agent:
    draft = AgentDraft(
        model=ModelWish(handle="letta/demo"),
        name="Sam",
        agent_type=agent_type,
        blocks=({"label": "human", "value": human, **block},),
        tool_names=tools,
    )
    return create_agent(owner, draft)


def say(owner: Actor, agent: Agent, text: str, **options: Any) -> tuple[str, RunFinished]:
    """Send one message; return what the agent said, and how the run ended."""
    wish = RunInput(agent.id, (InputMessage("user", (TextPart(text),)),), **options)

    async def follow() -> list[Event]:
        _, ear = await runner.send(owner, wish)
        events: list[Event] = []
        async with aclosing(ear):
            async for _, event in ear:
                events.append(event)
                if isinstance(event, RunFinished):
                    break
        return events

    last = asyncio.run(asyncio.wait_for(follow(), 20))[-1]
    assert isinstance(last, RunFinished)
    return _latest_words(agent), last


def _latest_words(agent: Agent) -> str:
    row = Message.objects.filter(agent=agent, role="assistant").latest("seq")
    for one in row.tool_calls:
        if one["name"] == "send_message":
            return str(json.loads(one["arguments"])["message"])
    return "\n".join(part["text"] for part in row.content if part["type"] == "text")


@pytest.mark.parametrize("stream", [False, True])
def test_native_agent_notes_and_remembers(owner: Actor, stream: bool) -> None:
    agent = made(owner, "letta_v1_agent", human="Lives in: Rome")
    words, end = say(owner, agent, "My name is Ada and I moved to Oslo.", stream_tokens=stream)
    assert words == "Noted: your name is Ada and you live in Oslo."
    assert (end.stop_reason, end.step_count) == ("end_turn", 3)
    assert Block.objects.get().value == "Lives in: Oslo\nName: Ada"
    assert say(owner, agent, "Where do I live?")[0] == "You live in Oslo."


@pytest.mark.parametrize("agent_type", ["memgpt_agent", "memgpt_v2_agent", "split_thread_agent"])
def test_heartbeat_agents_note_and_speak(owner: Actor, agent_type: str) -> None:
    agent = made(owner, agent_type)
    words, end = say(owner, agent, "My name is Ada.")
    assert words == "Noted: your name is Ada."
    assert (end.stop_reason, end.step_count) == ("end_turn", 2)
    assert say(owner, agent, "What is my name?")[0] == "Your name is Ada."


def test_archive_is_used_across_turns(owner: Actor) -> None:
    agent = made(owner, "letta_v1_agent", "archival_memory_insert", "archival_memory_search")
    words, _ = say(owner, agent, "Save the wifi code is hunter2 to your archive")
    assert "Saved" in words
    assert Passage.objects.get().text == "the wifi code is hunter2"
    assert "hunter2" in say(owner, agent, "Search your archive for wifi")[0]
    assert Retrieval.objects.get().kind == "passages"


def test_history_is_searched(owner: Actor) -> None:
    agent = made(owner, "letta_v1_agent")
    say(owner, agent, "The blue folder holds the contract.")
    assert "holds the contract" in say(owner, agent, "What did I say about the folder?")[0]


def test_full_block_is_explained(owner: Actor) -> None:
    agent = made(owner, "letta_v1_agent", human="123456789", limit=10)
    words, end = say(owner, agent, "My name is Ada.")
    assert "may hold 10 characters" in words and end.stop_reason == "end_turn"
    assert Block.objects.get().value == "123456789"


def test_sleeptime_agent_finishes(owner: Actor) -> None:
    agent = made(owner, "sleeptime_agent")
    _, end = say(owner, agent, "user: My name is Ada.\nassistant: Hello!")
    assert end.stop_reason == "tool_rule"
    assert Block.objects.get().value == "Name: Ada"


@pytest.mark.parametrize("agent_type", ["react_agent", "workflow_agent", "voice_convo_agent"])
def test_other_types_answer(owner: Actor, agent_type: str) -> None:
    words, end = say(owner, made(owner, agent_type), "help")
    assert "demo model" in words and end.stop_reason == "end_turn"
