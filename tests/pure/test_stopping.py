"""The truth table: whether a turn goes on."""

from __future__ import annotations

from typing import Any

import pytest

from agents.engine.stopping import CallMade, Decision, StepFacts, decide
from agents.engine.strategies import strategy_of
from agents.engine.tool_rules import RuleState, parse_rules

V3, V2 = "letta_v1_agent", "memgpt_agent"
EXIT = {"type": "exit_loop", "tool_name": "send"}
GO_ON = {"type": "continue_loop", "tool_name": "write"}
CHILD = {"type": "constrain_child_tools", "tool_name": "write", "children": ["send"]}
MUST = {"type": "required_before_exit", "tool_name": "write"}
SEND, WRITE = CallMade("send"), CallMade("write")
SEND_ON = CallMade("send", heartbeat=True)
WRITE_ON = CallMade("write", heartbeat=True)
FAILED = CallMade("send", status="error")
AGAIN = "Continuing: "


def facts(agent_type: str, *, rules: Any = (), done: Any = (), **fields: Any) -> StepFacts:
    state = RuleState(parse_rules(rules), tuple((name, "") for name in done))
    given: dict[str, Any] = {"tool_names": ("send", "write")} | fields
    return StepFacts(strategy_of(agent_type), state, **given)


STOPS: list[tuple[str, dict[str, Any], str]] = [
    (V3, {"has_text": True}, "end_turn"),
    (V3, {"has_text": True, "n": 5, "max_steps": 5}, "end_turn"),
    (V3, {}, "invalid_llm_response"),
    (V3, {"has_text": True, "finish_reason": "length"}, "max_tokens_exceeded"),
    (V3, {"calls": (WRITE,), "n": 5, "max_steps": 5}, "max_steps"),
    (V3, {"calls": (SEND,), "rules": [EXIT]}, "tool_rule"),
    (V3, {"calls": (WRITE, SEND, WRITE), "rules": [EXIT]}, "tool_rule"),
    (V3, {"calls": (WRITE,), "cancelled": True}, "cancelled"),
    (V3, {"calls": (CallMade("write", bad_prefill=True),)}, "invalid_tool_call"),
    (V3, {"has_text": True, "rules": [MUST], "n": 5, "max_steps": 5}, "end_turn"),
    (V3, {"has_text": True, "rules": [MUST], "done": ["write"]}, "end_turn"),
    (V2, {"has_text": True}, "no_tool_call"),
    (V2, {}, "no_tool_call"),
    (V2, {"has_text": True, "tool_names": ()}, "end_turn"),
    (V2, {"finish_reason": "length"}, "max_tokens_exceeded"),
    (V2, {"calls": (SEND,), "rules": [EXIT]}, "end_turn"),
    (V2, {"calls": (SEND_ON,), "rules": [EXIT]}, "tool_rule"),
    (V2, {"calls": (WRITE,)}, "end_turn"),
    (V2, {"calls": (WRITE_ON,), "n": 5, "max_steps": 5}, "max_steps"),
    (V2, {"calls": (SEND,), "rules": [EXIT], "n": 5, "max_steps": 5}, "end_turn"),
    (V2, {"calls": (SEND_ON,), "cancelled": True}, "cancelled"),
    ("react_agent", {"has_text": True}, "end_turn"),
    ("sleeptime_agent", {"calls": (SEND,), "rules": [EXIT]}, "tool_rule"),
]
CONTINUES: list[tuple[str, dict[str, Any], str | None]] = [
    (V3, {"calls": (WRITE,)}, None),
    (V3, {"calls": (WRITE, WRITE)}, None),
    (V3, {"calls": (FAILED,), "rules": [EXIT]}, None),
    (V3, {"calls": (CallMade("send", status="error", violation=True),), "rules": [EXIT]}, None),
    (V3, {"has_text": True, "rules": [MUST]}, "Continuing, user expects these tools: [write]"),
    (
        V3,
        {"calls": (SEND,), "rules": [EXIT, MUST]},
        "Continuing, user expects these tools: [write]",
    ),
    (V2, {"calls": (WRITE_ON,)}, AGAIN + "you asked for a heartbeat."),
    (V2, {"calls": (FAILED,), "rules": [EXIT]}, AGAIN + "the tool call failed."),
    (V2, {"calls": (WRITE,), "rules": [GO_ON]}, AGAIN + "continue tool rule."),
    (V2, {"calls": (WRITE_ON,), "rules": [GO_ON]}, AGAIN + "continue tool rule."),
    (V2, {"calls": (WRITE,), "rules": [CHILD]}, AGAIN + "child tool rule."),
    (
        V2,
        {"calls": (CallMade("send", status="error", violation=True),), "rules": [EXIT]},
        AGAIN + "tool rule violation.",
    ),
    (
        V2,
        {"calls": (SEND,), "rules": [EXIT, MUST]},
        "Continuing, user expects these tools: [write]",
    ),
]


@pytest.mark.parametrize(("agent_type", "fields", "reason"), STOPS)
def test_turn_ends(agent_type: str, fields: dict[str, Any], reason: str) -> None:
    assert decide(facts(agent_type, **fields)) == Decision(reason)


@pytest.mark.parametrize(("agent_type", "fields", "reason"), CONTINUES)
def test_turn_goes_on(agent_type: str, fields: dict[str, Any], reason: str | None) -> None:
    assert decide(facts(agent_type, **fields)) == Decision(None, reason)
