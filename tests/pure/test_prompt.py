"""Agent types, the system prompt, and the texts the server writes itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from agents.engine import prompt
from agents.engine.strategies import (
    STRATEGIES,
    base_rules,
    strategy_of,
    wants_base_rules,
)
from agents.types import ReasoningPart
from letta_site.core.errors import Invalid
from memory.logic.edits import BlockView

NOW = datetime(2026, 1, 1, 9, tzinfo=UTC)
TYPES = (
    "letta_v1_agent memgpt_v2_agent memgpt_agent split_thread_agent sleeptime_agent react_agent "
    "workflow_agent voice_convo_agent voice_sleeptime_agent"
).split()


def compiled(system: str = "Be kind.", agent_type: str = "letta_v1_agent", **more: Any) -> str:
    facts: dict[str, Any] = {
        "blocks": [BlockView("block-1", "human", "Name: Ada")],
        "tool_rules": [],
        "agent_id": "agent-1",
        "conversation_id": "conv-1",
        "recompiled_at": NOW,
        "previous_messages": 3,
        "archival_count": 0,
        "timezone": "UTC",
    }
    return prompt.compile_system(system=system, strategy=strategy_of(agent_type), **(facts | more))


@pytest.mark.parametrize("agent_type", TYPES)
def test_every_agent_type_has_a_row_with_a_prompt(agent_type: str) -> None:
    row = strategy_of(agent_type)
    assert row.system.startswith("<base_instructions>")
    assert row.system.endswith("</base_instructions>")
    assert row.heartbeats == (row.reply == "send_message") == ("send_message" in row.base_tools)


def test_table_has_no_other_types() -> None:
    assert list(STRATEGIES) == list(dict.fromkeys(STRATEGIES)) and set(STRATEGIES) == set(TYPES)


def test_unknown_agent_type_is_named() -> None:
    with pytest.raises(Invalid, match="'chess_agent'"):
        strategy_of("chess_agent")


@pytest.mark.parametrize(
    ("agent_type", "model", "wanted"),
    [
        ("letta_v1_agent", "openai/gpt-4o", False),
        ("memgpt_agent", "openai/gpt-4o", True),
        ("memgpt_agent", "openai/gpt-5", False),
        ("memgpt_agent", "openai/gpt-5-mini", True),
        ("sleeptime_agent", "openai/gpt-5", True),
    ],
)
def test_stock_rules_by_type_and_model(agent_type: str, model: str, wanted: bool) -> None:
    assert wants_base_rules(strategy_of(agent_type), model=model) is wanted


def test_stock_rules_end_with_speaking_and_go_on_after_memory() -> None:
    assert base_rules(["send_message", "memory_insert", "memory_insert"]) == (
        {"tool_name": "send_message", "type": "exit_loop"},
        {"tool_name": "memory_insert", "type": "continue_loop"},
    )


def test_memory_rules_and_metadata_follow_the_instructions_in_order() -> None:
    text = compiled(tool_rules=[{"type": "exit_loop", "tool_name": "finish"}])
    order = ["Be kind.", "<memory_blocks>", "<tool_usage_rules>", "<memory_metadata>"]
    places = [text.index(piece) for piece in order]
    assert places == sorted(places)
    assert "AGENT_ID: agent-1" in text and "CONVERSATION_ID: conv-1" in text
    assert "passages" not in text


def test_placeholder_is_replaced_in_place() -> None:
    text = compiled("Before. {CORE_MEMORY} After.")
    assert text.startswith("Before. <memory_blocks>") and text.endswith("</memory_metadata> After.")


def test_archive_is_mentioned_when_it_holds_something() -> None:
    text = compiled(archival_count=2, archival_tags=["work"])
    assert "2 passages" in text and "archival memory: work" in text


def test_types_without_memory_do_not_show_blocks() -> None:
    assert "<memory_blocks>" not in compiled(agent_type="react_agent")


@pytest.mark.parametrize(("numbers", "shown"), [(True, "1→ Name: Ada"), (False, "\nName: Ada\n")])
def test_line_numbers_can_be_switched(numbers: bool, shown: str) -> None:
    assert shown in compiled(line_numbers=numbers)


def test_native_agents_start_with_an_empty_history() -> None:
    assert prompt.boot_messages(strategy_of("letta_v1_agent"), now=NOW, timezone="UTC") == ()


def test_heartbeat_agents_start_with_a_greeting_and_a_login() -> None:
    said, returned, login = prompt.boot_messages(
        strategy_of("memgpt_agent"), now=NOW, timezone="UTC"
    )
    assert isinstance(said.parts[0], ReasoningPart) and not said.parts[0].native
    assert said.tool_calls[0].name == "send_message"
    assert returned.tool_returns[0].tool_call_id == said.tool_calls[0].id
    assert json.loads(login.text) == {
        "type": "login",
        "last_login": "Never (first login)",
        "time": "2026-01-01 09:00:00 AM UTC+0000",
    }


def test_speechless_types_with_a_login_greet_in_text() -> None:
    roles = [
        message.role
        for message in prompt.boot_messages(strategy_of("react_agent"), now=NOW, timezone="UTC")
    ]
    assert roles == ["assistant", "user"]


def test_initial_sequence_is_stored_as_the_type_speaks() -> None:
    pairs = [("user", "hi"), ("assistant", "hello"), ("system", "note")]
    wrapped = prompt.seed_messages(pairs, strategy_of("memgpt_agent"), now=NOW, timezone="UTC")  # type: ignore[arg-type]
    assert [message.role for message in wrapped] == ["user", "assistant", "tool", "system"]
    assert prompt.unwrap_user_text(wrapped[0].text) == "hi"
    plain = prompt.seed_messages(pairs, strategy_of("letta_v1_agent"), now=NOW, timezone="UTC")  # type: ignore[arg-type]
    assert [message.text for message in plain[1:]] == ["hello", "note"]


def test_only_user_envelopes_are_opened() -> None:
    heartbeat = prompt.heartbeat_text("because", NOW, "UTC")
    assert prompt.unwrap_user_text(heartbeat) == heartbeat
    assert prompt.event_type(heartbeat) == "heartbeat"
    assert prompt.unwrap_user_text(prompt.user_envelope("hé", NOW, "UTC")) == "hé"
    assert prompt.unwrap_user_text('{"type": "user_message"') == '{"type": "user_message"'
    assert prompt.event_type("[1]") is None and prompt.event_type("{1: 2}") is None


@pytest.mark.parametrize("status", ["success", "error"])
def test_tool_return_envelope_and_back(status: Any) -> None:
    text = prompt.tool_return_envelope(status, "naïve", NOW, "UTC")
    assert '\n  "message": "naïve"' in text
    assert prompt.unwrap_tool_return(text) == (status, "naïve")


def test_bare_tool_return_is_a_success() -> None:
    assert prompt.unwrap_tool_return("plain") == ("success", "plain")
    assert prompt.unwrap_tool_return('{"status": "OK"}') == ("success", '{"status": "OK"}')


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Europe/Rome", "2026-01-01 10:00:00 AM CET+0100"),
        ("Not/AZone", "2026-01-01 09:00:00 AM UTC+0000"),
        ("", "2026-01-01 09:00:00 AM UTC+0000"),
        ("../etc", "2026-01-01 09:00:00 AM UTC+0000"),
    ],
)
def test_time_is_shown_in_the_agents_zone(zone: str, shown: str) -> None:
    assert prompt.local_time(NOW, zone) == shown
