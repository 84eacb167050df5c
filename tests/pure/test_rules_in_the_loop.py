"""Each type of tool rule in a running turn: what is carried out, and what the model is told."""

from __future__ import annotations

from typing import Any

import pytest

from agents.engine.events import RunFinished, ToolStarted
from agents.engine.prefill import fits
from agents.types import Json, Message, ToolCall, ToolReturn, ToolSpec
from tests.pure.in_memory import Bench, FunctionBox, ScriptedPhone, reply, spec_of


def bench(*script: object, **changes: object) -> Bench:
    """Return a bench whose tools answer "seen" and "Sent"."""
    box = FunctionBox({"look": lambda _: "seen", "send_message": lambda _: "Sent"})
    return Bench(ScriptedPhone(list(script)), spec_of(**changes), box)  # type: ignore[arg-type]


def stop_of(run: Bench, *messages: Message) -> str:
    finished = run.run(*messages)[-1]
    assert isinstance(finished, RunFinished)
    return finished.stop_reason


def returns(run: Bench) -> list[ToolReturn]:
    stored = [message for record in run.ledger.records for message in record.messages]
    return [one for message in stored for one in message.tool_returns]


LOOK, SEND = ("look", "{}"), ("send_message", "{}")


def rule(kind: str, tool: str = "look", **fields: Any) -> Json:
    return {"type": kind, "tool_name": tool, **fields}


@pytest.mark.parametrize(
    ("given", "first", "second"),
    [
        (rule("run_first"), (SEND,), ()),
        (rule("parent_last_tool", children=["send_message"]), (SEND,), ()),
        (rule("constrain_child_tools", children=["send_message"]), (LOOK,), (LOOK,)),
        (rule("conditional", child_output_mapping={"seen": "send_message"}), (LOOK,), (LOOK,)),
        (rule("max_count_per_step", max_count_limit=1), (LOOK,), (LOOK,)),
        (rule("max_count_per_step", max_count_limit=1), (LOOK, LOOK), ()),
    ],
)
def test_a_call_against_a_rule_is_not_carried_out(
    given: Json, first: tuple[Any, ...], second: tuple[Any, ...]
) -> None:
    script = [reply("", *first), reply("", *second) if second else None, reply("Done.")]
    run = bench(*(one for one in script if one), tool_rules=(given,))
    assert stop_of(run) == "end_turn"
    *_, last = returns(run)
    assert (last.status, last.text[:33]) == ("error", "[ToolConstraintError] Cannot call")
    assert len(run.box.called) == len(first) + len(second) - 1


@pytest.mark.parametrize(
    ("given", "first", "second"),
    [
        (rule("run_first"), LOOK, SEND),
        (rule("parent_last_tool", children=["send_message"]), LOOK, SEND),
        (rule("constrain_child_tools", children=["send_message"]), LOOK, SEND),
        (rule("conditional", child_output_mapping={"seen": "send_message"}), LOOK, SEND),
        (
            rule("conditional", child_output_mapping={"x": "look"}, default_child="send_message"),
            LOOK,
            SEND,
        ),
        (rule("max_count_per_step", max_count_limit=2), LOOK, LOOK),
    ],
)
def test_calls_by_the_rules_are_carried_out(given: Json, first: Any, second: Any) -> None:
    run = bench(reply("", first), reply("", second), reply("Done."), tool_rules=(given,))
    assert stop_of(run) == "end_turn"
    assert {one.status for one in returns(run)} == {"success"}


def test_a_last_tool_ends_the_turn() -> None:
    assert stop_of(bench(reply("", LOOK), tool_rules=(rule("exit_loop"),))) == "tool_rule"


def test_a_turn_does_not_end_before_a_required_tool() -> None:
    run = bench(reply("Bye."), reply("", LOOK), reply("Bye."), tool_rules=(RULE_REQUIRED,))
    assert stop_of(run) == "end_turn"
    assert "user expects these tools: [look]" in run.ledger.records[0].messages[-1].text
    assert run.box.called == ["look"]


RULE_REQUIRED = rule("required_before_exit")


def test_a_continuing_tool_keeps_a_heartbeat_agent_going() -> None:
    rules = (rule("continue_loop"), rule("exit_loop", "send_message"))
    run = bench(reply("", LOOK), reply("", SEND), agent_type="memgpt_v2_agent", tool_rules=rules)
    assert stop_of(run) == "end_turn"
    assert run.box.called == ["look", "send_message"]


def test_calls_that_need_approval_wait() -> None:
    run = bench(reply("", LOOK), tool_rules=(rule("requires_approval"),))
    assert stop_of(run) == "requires_approval"
    assert run.box.called == []


# --- arguments that rules lay down -----------------------------------------------------------

AT = {"type": "object", "properties": {"at": {"type": "string"}, "n": {"type": "integer"}}}
LOOKING = (ToolSpec("look", "", AT), ToolSpec("send_message", "", {"type": "object"}))


class Recorder(FunctionBox):
    """Keeps the arguments it is called with."""

    seen: list[Json]

    async def call(self, call: ToolCall, arguments: Json, context: Any) -> Any:
        self.seen = [*getattr(self, "seen", []), arguments]
        return await super().call(call, arguments, context)


def prefilled(kind: str, args: Json) -> tuple[Json, ...]:
    if kind == "run_first":
        return ({"type": "run_first", "tool_name": "look", "args": args},)
    node = {"name": "look", "args": args}
    return (
        {
            "type": "constrain_child_tools",
            "tool_name": "send_message",
            "children": ["look"],
            "child_arg_nodes": [node],
        },
    )


@pytest.mark.parametrize("kind", ["run_first", "constrain_child_tools"])
def test_laid_down_arguments_win_over_the_models(kind: str) -> None:
    before = [] if kind == "run_first" else [reply("", ("send_message", "{}"))]
    look = reply("", ("look", '{"at": "sea", "n": 2}'))
    run = bench(
        *before, look, reply("ok"), tools=LOOKING, tool_rules=prefilled(kind, {"at": "sky"})
    )
    run.box = Recorder(run.box.functions)
    run.run()
    assert run.box.seen[-1] == {"at": "sky", "n": 2}
    kept = run.ledger.records[len(before)].messages[0].tool_calls[0]
    assert '"at": "sky"' in kept.arguments


@pytest.mark.parametrize("args", [{"at": 3}, {"n": "x"}, {"n": True}, {"nowhere": "x"}])
def test_laid_down_arguments_that_do_not_fit_end_the_turn(args: Json) -> None:
    rules = prefilled("run_first", args)
    run = bench(reply("", ("look", "{}")), tools=LOOKING, tool_rules=rules)
    assert stop_of(run) == "invalid_tool_call"
    assert run.box.called == []
    (told,) = run.ledger.records[0].messages[1].tool_returns
    assert (told.status, next(iter(args)) in told.text) == ("error", True)


def test_several_tools_may_come_first() -> None:
    rules = tuple({"type": "run_first", "tool_name": name} for name in ("look", "send_message"))
    run = bench(reply("", ("send_message", "{}")), reply("ok"), tool_rules=rules)
    assert stop_of(run) == "end_turn"
    assert run.phone.asked[0].forced_tool == "required"


def test_a_violation_is_told_and_the_turn_goes_on() -> None:
    rules = ({"type": "run_first", "tool_name": "look"},)
    run = bench(reply("", ("send_message", "{}")), reply("ok"), tool_rules=rules)
    events = run.run()
    told = run.ledger.records[0].messages[1].tool_returns[0]
    assert told.text.startswith("[ToolConstraintError] Cannot call send_message")
    assert "look" in told.text
    assert run.phone.asked[0].forced_tool == "look"
    assert [event.call.name for event in events if isinstance(event, ToolStarted)]
    assert run.box.called == []


@pytest.mark.parametrize(
    ("rule", "value", "good"),
    [
        ({"type": "string"}, "x", True),
        ({"type": "string"}, 1, False),
        ({"type": "integer"}, 1, True),
        ({"type": "integer"}, 1.5, False),
        ({"type": "number"}, 1.5, True),
        ({"type": ["string", "null"]}, None, True),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "x", False),
        ({"enum": ["a"]}, "b", False),
        ({"type": "array", "items": {"type": "integer"}}, [1, "x"], False),
        ({"type": "array", "items": {"type": "integer"}}, [1, 2], True),
        ({"type": "object", "properties": {"a": {"type": "boolean"}}}, {"a": 1}, False),
        ({"type": "object"}, {"a": 1}, True),
        ({"type": "boolean"}, True, True),
        ({}, object(), True),
    ],
)
def test_what_fits_a_schema(rule: Json, value: Any, good: bool) -> None:
    assert fits(rule, value) is good
