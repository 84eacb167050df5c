"""Which calls the rules allow, force and describe."""

from __future__ import annotations

from typing import Any

import pytest

from agents.engine.tool_rules import RULE_TYPES, RuleState, describe_rules, parse_rules
from letta_site.core.errors import Invalid

NAMES = ("search", "write", "send")


def state(*rows: dict[str, Any], called: tuple[tuple[str, str], ...] = ()) -> RuleState:
    return RuleState(parse_rules(rows), called)


def rule(rule_type: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"type": rule_type, "tool_name": name, **fields}


CHILDREN = rule("constrain_child_tools", "search", children=["write"])
PARENT = rule("parent_last_tool", "search", children=["write"])
MAPPED = rule("conditional", "search", child_output_mapping={"yes": "write", "True": "send"})


@pytest.mark.parametrize(
    ("rules", "called", "allowed"),
    [
        ([], (), NAMES),
        ([rule("run_first", "search")], (), ("search",)),
        ([rule("run_first", "search"), rule("run_first", "send")], (), ("search", "send")),
        ([rule("run_first", "search")], ("search",), NAMES),
        ([rule("run_first", "absent")], (), NAMES),
        ([CHILDREN], (), NAMES),
        ([CHILDREN], ("search",), ("write",)),
        ([CHILDREN], ("search", "write"), NAMES),
        ([PARENT], (), ("search", "send")),
        ([PARENT], ("search",), ("write",)),
        ([rule("max_count_per_step", "search", max_count_limit=1)], ("search",), ("write", "send")),
        ([rule("max_count_per_step", "search", max_count_limit=2)], ("search",), NAMES),
        ([rule("exit_loop", "send"), rule("requires_approval", "write")], ("send",), NAMES),
        ([CHILDREN, rule("max_count_per_step", "write", max_count_limit=0)], ("search",), NAMES),
    ],
)
def test_allowed_tools(rules: Any, called: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    now = state(*rules)
    for name in called:
        now = now.after(name, "text")
    assert now.allowed(NAMES) == allowed


@pytest.mark.parametrize(
    ("row", "returned", "allowed"),
    [
        (MAPPED, "yes", ("write",)),
        (MAPPED, "true", ("send",)),
        (MAPPED, "no", NAMES),
        (MAPPED | {"default_child": "search"}, "no", ("search",)),
    ],
)
def test_conditional_rule_goes_by_what_the_tool_returned(
    row: Any, returned: str, allowed: tuple[str, ...]
) -> None:
    assert state(row).after("search", returned).allowed(NAMES) == allowed


def test_forced_tool() -> None:
    first = state(rule("run_first", "search"))
    assert first.forced(NAMES) == "search"
    assert first.after("search").forced(NAMES) is None
    assert first.after("search").forced(NAMES, needs_call=True) == "required"
    assert state(rule("run_first", "absent")).forced(NAMES) is None
    assert state(rule("run_first", "a"), rule("run_first", "b")).forced(("a", "b")) == "required"
    assert state().forced((), needs_call=True) is None
    assert state(PARENT).forced(NAMES) is None


def test_prefilled_arguments_belong_to_the_rule_in_force() -> None:
    first = state(rule("run_first", "search", args={"query": "x"}))
    assert first.prefilled("search") == {"query": "x"}
    assert first.after("search").prefilled("search") == {}
    child = state(CHILDREN | {"child_arg_nodes": [{"name": "write", "args": {"n": 1}}]})
    assert child.prefilled("write") == {}
    assert child.after("search").prefilled("write") == {"n": 1}


def test_violation_lists_what_is_allowed() -> None:
    told = state(CHILDREN).after("search").violation("send", NAMES)
    assert told and told.startswith("[ToolConstraintError] Cannot call send") and "write" in told
    assert state(CHILDREN).after("search").violation("write", NAMES) is None
    assert state(CHILDREN).after("search").violation("unknown", NAMES) is None


def test_required_and_approved_tools_are_recognised() -> None:
    now = state(rule("required_before_exit", "write"), rule("requires_approval", "send"))
    assert now.missing(NAMES) == ("write",)
    assert now.after("write").missing(NAMES) == ()
    assert now.missing(("search",)) == ()
    assert now.needs_approval("send") and not now.needs_approval("write")


def test_repeated_rules_count_once() -> None:
    assert len(parse_rules([CHILDREN, dict(CHILDREN), PARENT])) == 2


@pytest.mark.parametrize(
    "row",
    [
        {"type": "no_such", "tool_name": "a"},
        {"tool_name": "a"},
        {"type": "exit_loop"},
        {"type": "constrain_child_tools", "tool_name": "a"},
        {"type": "conditional", "tool_name": "a", "child_output_mapping": []},
        {"type": "max_count_per_step", "tool_name": "a", "max_count_limit": "many"},
    ],
)
def test_bad_rule_is_refused(row: Any) -> None:
    with pytest.raises(Invalid):
        parse_rules([row])


def test_rules_are_described_except_the_two_that_are_not() -> None:
    rows = [
        rule(
            kind, f"tool_{kind}", children=["x"], child_output_mapping={"1": "y"}, max_count_limit=3
        )
        for kind in RULE_TYPES
    ]
    text = describe_rules(parse_rules(rows))
    silent = {"required_before_exit", "requires_approval"}
    assert {kind for kind in RULE_TYPES if f"tool_{kind}" not in text} == silent
    assert describe_rules(parse_rules([rule("requires_approval", "a")])) == ""


def test_the_rules_against_a_tool_are_named() -> None:
    once = rule("max_count_per_step", "write", max_count_limit=1)
    played = state(CHILDREN, PARENT, once, called=(("write", ""), ("send", "")))
    assert [one.type for one in played.refusing("write")] == ["parent_last_tool", once["type"]]
    assert played.refusing("send") == ()
