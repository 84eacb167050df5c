"""The loop with a scripted model: what happens, in which order, and what is stored."""

import asyncio
import gc

import pytest

from agents.engine.events import (
    RunFinished,
    StepCommitted,
    StepStarted,
    TextDelta,
    ToolReturned,
    ToolStarted,
)
from agents.types import ToolSpec
from letta_site.core.errors import LLMError
from tests.pure.in_memory import Bench, FunctionBox, ScriptedPhone, reply, said, spec_of, user


def bench(*script: object, **changes: object) -> Bench:
    """Return a bench whose tools answer "seen" and "Sent"."""
    box = FunctionBox({"look": lambda _: "seen", "send_message": lambda _: "Sent"})
    return Bench(ScriptedPhone(list(script)), spec_of(**changes), box)  # type: ignore[arg-type]


def kinds(events: list[object]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_text_ends_the_turn() -> None:
    run = bench(reply("Fine, thanks."))
    events = run.run()
    assert kinds(events) == ["StepStarted", "StepCommitted", "RunFinished"]
    (record,) = run.ledger.records
    assert record.stop_reason == "end_turn"
    assert [message.text for message in record.messages] == ["Fine, thanks."]


def test_a_call_and_its_return_are_stored_together_and_the_turn_goes_on() -> None:
    run = bench(reply("", ("look", "{}")), reply("I saw it."))
    events = run.run()
    first, second = run.ledger.records
    assert [message.role for message in first.messages] == ["assistant", "tool"]
    assert first.stop_reason is None
    assert second.stop_reason == "end_turn"
    assert run.phone.asked[1].transcript.messages[-1].tool_returns[0].text == "seen"
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    assert (finished.usage.total_tokens, finished.step_count) == (220, 2)


def test_the_commit_comes_after_the_tool_and_before_the_next_question() -> None:
    events = bench(reply("", ("look", "{}")), reply("Done.")).run()
    order = [one for one in events if isinstance(one, ToolStarted | ToolReturned | StepCommitted)]
    assert kinds(order) == ["ToolStarted", "ToolReturned", "StepCommitted", "StepCommitted"]


def test_tokens_are_told_only_when_asked_for() -> None:
    assert not [e for e in bench(reply("a b")).run() if isinstance(e, TextDelta)]
    streamed = bench(reply("a b"), stream_tokens=True).run()
    started = next(event for event in streamed if isinstance(event, StepStarted))
    deltas = [event for event in streamed if isinstance(event, TextDelta)]
    assert [delta.text for delta in deltas] == ["a", "b"]
    assert {delta.message_id for delta in deltas} == {started.message_id}


def test_max_steps_ends_a_run_that_would_go_on() -> None:
    run = bench(*[reply("", ("look", "{}"))] * 3, max_steps=3)
    finished = run.run()[-1]
    assert isinstance(finished, RunFinished)
    assert (finished.stop_reason, finished.failure) == ("max_steps", None)
    assert len(run.ledger.records) == 3


def test_a_failing_model_ends_the_run_with_its_reason_and_a_step_of_record() -> None:
    run = bench(LLMError("llm_rate_limit", "too many", todo="wait"))
    finished = run.run()[-1]
    assert isinstance(finished, RunFinished)
    assert finished.stop_reason == "llm_api_error"
    assert finished.failure is not None
    assert (finished.failure.kind, finished.failure.todo) == ("llm_rate_limit", "wait")
    assert run.ledger.records[0].failure == finished.failure


def test_steps_before_a_failure_are_kept() -> None:
    run = bench(reply("", ("look", "{}")), LLMError("llm_error", "down"))
    run.run()
    assert [record.stop_reason for record in run.ledger.records] == [None, "llm_api_error"]


def test_several_calls_are_all_made_in_order() -> None:
    run = bench(reply("", ("look", "{}"), ("send_message", "{}")), reply("Both done."))
    run.run()
    assert run.box.called == ["look", "send_message"]
    returns = run.ledger.records[0].messages[1].tool_returns
    assert [one.tool_call_id for one in returns] == ["call_0", "call_1"]


def test_arguments_that_are_not_json_come_back_to_the_model() -> None:
    run = bench(reply("", ("look", "{oops")), reply("Sorry."))
    run.run()
    assert run.box.called == []
    (told,) = run.ledger.records[0].messages[1].tool_returns
    assert told.status == "error"
    assert "not valid JSON" in told.text


def test_an_agent_that_speaks_through_a_tool_stops_after_it() -> None:
    rules = ({"type": "exit_loop", "tool_name": "send_message"},)
    run = bench(
        reply("I think.", ("send_message", '{"message": "Hi"}')),
        agent_type="memgpt_v2_agent",
        tool_rules=rules,
    )
    finished = run.run()[-1]
    assert isinstance(finished, RunFinished)
    assert finished.stop_reason == "end_turn"
    said = run.ledger.records[0].messages[0]
    assert said.text == ""  # what it wrote beside the call is thinking
    assert said.parts[0].text == "I think."  # type: ignore[union-attr]


def test_a_heartbeat_sets_the_agent_going_again() -> None:
    look = reply("", ("look", '{"request_heartbeat": true, "thinking": "hm"}'))
    say = reply("", ("send_message", '{"message": "Hi"}'))
    rules = ({"type": "exit_loop", "tool_name": "send_message"},)
    run = bench(look, say, agent_type="memgpt_agent", tool_rules=rules)
    run.run()
    first = run.ledger.records[0]
    assert [message.role for message in first.messages] == ["assistant", "tool", "user"]
    assert '"type": "heartbeat"' in first.messages[2].text
    assert run.phone.asked[0].tools[0].parameters["properties"]["request_heartbeat"]


@pytest.mark.parametrize("where", ["model", "tool"])
def test_a_cancel_is_heard_while_the_world_is_slow(where: str) -> None:
    run = bench(reply("", ("look", "{}")), reply("never"))
    run.phone.pause_s = 30 if where == "model" else 0
    run.box.pause_s = 30 if where == "tool" else 0

    complaints: list[object] = []

    async def scenario() -> list[object]:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        loop.call_later(0.05, run.cancel.set)
        events = await asyncio.wait_for(run.collect(), 2)
        gc.collect()  # an exception that nobody asked for is reported when its future goes
        return list(events)

    finished = asyncio.run(scenario())[-1]
    assert complaints == []
    assert isinstance(finished, RunFinished)
    assert finished.stop_reason == "cancelled"
    record = run.ledger.records[-1]
    calls = [call for message in record.messages for call in message.tool_calls]
    returns = [one for message in record.messages for one in message.tool_returns]
    assert len(calls) == len(returns) == (1 if where == "tool" else 0)


def test_a_history_over_the_window_is_shortened_before_the_model_is_asked() -> None:
    run = bench(reply("Facts were told."), reply("ok"), window_tokens=2_000)
    turns = [
        (user(f"Fact {n}. " + "word " * 200, seq=n), said("Noted.", n + 1)) for n in range(2, 30, 2)
    ]
    run.run(*(message for turn in turns for message in turn), user("And now?", seq=40))
    (eviction,) = run.ledger.evictions
    asked = run.phone.asked[1].transcript
    assert eviction.from_seq == 2
    assert asked.summary is not None
    assert len(asked.messages) < 10
    assert asked.messages[-1].text.startswith("And now?")


def test_tools_that_allow_it_run_at_the_same_time() -> None:
    tools = tuple(ToolSpec(n, n, {"type": "object"}, parallel=True) for n in ("look", "peek"))
    run = bench(reply("", ("look", "{}"), ("peek", "{}")), reply("ok"), tools=tools)
    run.box.functions["peek"] = lambda _: "peeked"
    run.box.pause_s = 0.01
    run.run()
    assert run.box.most_at_once == 2


def test_what_had_returned_before_a_cancel_is_kept() -> None:
    tools = tuple(ToolSpec(n, n, {"type": "object"}, parallel=True) for n in ("look", "peek"))
    run = bench(reply("", ("look", "{}"), ("peek", "{}")), reply("never"), tools=tools)
    run.box.functions["peek"] = lambda _: "peeked"
    run.box.pause_s, run.box.quick = 30, {"peek"}

    async def scenario() -> None:
        asyncio.get_running_loop().call_later(0.05, run.cancel.set)
        await asyncio.wait_for(run.collect(), 2)

    asyncio.run(scenario())
    returns = [one for m in run.ledger.records[-1].messages for one in m.tool_returns]
    assert [(one.status, "stopped" in one.text) for one in returns] == [
        ("error", True),
        ("success", False),
    ]
