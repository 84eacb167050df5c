"""Calls that wait, in the loop: what is stored, what is done with the answers, what rules say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agents.engine.approvals import request_id_of
from agents.engine.events import RunFinished, ToolCallDelta
from agents.engine.ports import ChatRequest, StepRecord
from agents.engine.repair import INTERRUPTED, NOT_RUN, mend
from agents.engine.window import evict
from agents.llm.to_openai import build_messages
from agents.types import (
    CLIENT_TOOL,
    Json,
    Message,
    ModelParams,
    Pending,
    ToolCall,
    ToolReturn,
    ToolSpec,
    Transcript,
)
from letta_site.core import clock
from letta_site.core.ids import new_id
from tests.fakes.openai_history import check_chat_request
from tests.pure.in_memory import Bench, FunctionBox, ScriptedPhone, reply, said, spec_of, user

ASK = {"type": "requires_approval", "tool_name": "look"}
YES = {"type": "approval", "approve": True, "reason": None}
NO = {"type": "approval", "approve": False, "reason": "no"}


def bench(*script: object, **changes: object) -> Bench:
    """Return a bench whose tools answer "seen" and "Sent"."""
    box = FunctionBox({"look": lambda _: "seen", "send_message": lambda _: "Sent"})
    changes = {"tool_rules": (ASK,), **changes}
    return Bench(ScriptedPhone(list(script)), spec_of(**changes), box)  # type: ignore[arg-type]


def stop_of(run: Bench, *messages: Message) -> str:
    finished = run.run(*messages)[-1]
    assert isinstance(finished, RunFinished)
    return finished.stop_reason


def answered(record: StepRecord, *answers: Json, **changes: Any) -> Pending:
    """Return what the next run begins with, after a step that waited."""
    request = replace(record.messages[-1], seq=50)
    held = record.messages[0].tool_calls if len(record.messages) > 1 else ()
    rows = [
        {**answer, "tool_call_id": call.id}
        for answer, call in zip(answers, request.tool_calls, strict=True)
    ]
    return Pending(request, held, tuple(rows), **changes)


def go_on(run: Bench, pending: Pending) -> list[Any]:
    """Run again with the answers."""
    stored = list(run.ledger.records[-1].messages)
    if pending.held or len(stored) > 1:
        stored[0] = replace(stored[0], seq=49)
    stored[-1] = pending.request
    history = (user("hello"), *stored, response(pending.answers, seq=51))
    run.ledger.records.clear()
    run.transcript = Transcript("You are a test.", history, pending=pending)
    return run.run()


def response(answers: tuple[Json, ...], seq: int) -> Message:
    return Message(new_id("message"), "approval", clock.now(), approvals=answers, seq=seq)


def test_nothing_runs_and_the_request_is_stored() -> None:
    run = bench(reply("", ("look", '{"at": "sky"}')))
    assert stop_of(run) == "requires_approval"
    assert run.box.called == []
    (record,) = run.ledger.records
    (request,) = record.messages
    assert (request.role, request.tool_calls[0].arguments) == ("approval", '{"at": "sky"}')
    assert (record.calls, record.stop_reason) == ((), "requires_approval")


def test_what_was_said_and_called_beside_it_is_kept_before_it() -> None:
    run = bench(reply("May I?", ("send_message", "{}"), ("look", "{}")))
    assert stop_of(run) == "requires_approval"
    spoken, request = run.ledger.records[0].messages
    assert (spoken.text, [call.name for call in spoken.tool_calls]) == ("May I?", ["send_message"])
    assert [call.name for call in request.tool_calls] == ["look"]
    assert request.id == request_id_of(spoken.id)


def test_an_approved_call_runs_in_the_step_that_waited() -> None:
    run = bench(reply("May I?", ("send_message", "{}"), ("look", "{}")), reply("I saw it."))
    run.run()
    first = run.ledger.records[0]
    events = go_on(run, answered(first, YES))
    assert run.box.called == ["send_message", "look"]
    rest, last = run.ledger.records
    assert (rest.step_id, rest.resumed, rest.reply) == (first.step_id, True, None)
    assert [one.tool_call_id for one in rest.messages[0].tool_returns] == ["call_0", "call_1"]
    assert [one.approved for one in rest.calls] == [False, True]
    assert (last.n, last.resumed, events[-1].step_count) == (1, False, 1)
    shown = run.phone.asked[-1].transcript.messages
    assert [message.role for message in shown] == ["user", "assistant", "tool"]


def test_a_denied_call_is_told_and_the_turn_goes_on() -> None:
    run = bench(reply("", ("look", "{}")), reply("Then not."))
    run.run()
    events = go_on(run, answered(run.ledger.records[0], NO))
    assert run.box.called == []
    (told,) = run.ledger.records[0].messages[0].tool_returns
    assert (told.status, told.text) == (
        "error",
        "Error: request to call tool denied. User reason: no",
    )
    assert events[-1].stop_reason == "end_turn"


def test_a_tool_that_the_caller_runs_waits_and_takes_its_result() -> None:
    tools = (ToolSpec("look", "look", {"type": "object"}, tool_type=CLIENT_TOOL),)
    run = bench(reply("", ("look", "{}")), reply("ok"), tools=tools, tool_rules=())
    assert stop_of(run) == "requires_approval"
    given = {"type": "tool", "tool_return": "blue", "status": "success", "stdout": ["x"]}
    go_on(run, answered(run.ledger.records[0], given))
    (told,) = run.ledger.records[0].messages[0].tool_returns
    assert (told.text, told.status, told.stdout) == ("blue", "success", ("x",))
    assert run.box.called == []


def test_agreeing_to_a_tool_of_the_caller_does_not_run_it_here() -> None:
    tools = (ToolSpec("look", "look", {"type": "object"}, tool_type=CLIENT_TOOL),)
    run = bench(reply("", ("look", "{}")), reply("ok"), tools=tools, tool_rules=())
    run.run()
    go_on(run, answered(run.ledger.records[0], YES))
    assert run.box.called == []
    assert run.ledger.records[0].messages[0].tool_returns[0].status == "error"


def test_words_that_came_with_the_answer_are_heard_after_a_last_tool() -> None:
    rules = (ASK, {"type": "exit_loop", "tool_name": "look"})
    for followed, stop in ((False, "tool_rule"), (True, "end_turn")):
        run = bench(reply("", ("look", "{}")), reply("Heard."), tool_rules=rules)
        run.run()
        events = go_on(run, answered(run.ledger.records[0], YES, followed=followed))
        assert events[-1].stop_reason == stop


def test_a_cancel_before_the_rest_still_answers_every_call() -> None:
    run = bench(reply("", ("send_message", "{}"), ("look", "{}")))
    run.run()
    run.cancel.set()
    events = go_on(run, answered(run.ledger.records[0], YES))
    assert events[-1].stop_reason == "cancelled"
    assert run.box.called == []
    returns = run.ledger.records[0].messages[0].tool_returns
    assert {one.status for one in returns} == {"error"}
    assert len(returns) == 2


def test_a_wait_can_follow_a_wait() -> None:
    run = bench(reply("", ("look", "{}")), reply("", ("look", "{}")))
    run.run()
    events = go_on(run, answered(run.ledger.records[0], YES))
    assert events[-1].stop_reason == "requires_approval"
    assert [record.resumed for record in run.ledger.records] == [True, False]


def test_rules_remember_what_happened_before_the_wait() -> None:
    rules = (
        ASK,
        {"type": "run_first", "tool_name": "send_message"},
        {"type": "max_count_per_step", "tool_name": "send_message", "max_count_limit": 1},
    )
    run = bench(reply("", ("look", "{}")), reply("", ("send_message", "{}")), reply("ok"))
    run.spec = replace(run.spec, tool_rules=rules)
    sent = reply("", ("send_message", "{}"))
    run.phone.script.insert(0, sent)
    run.run()
    step_one = [replace(one, seq=10) for one in run.ledger.records[0].messages]
    pending = answered(run.ledger.records[1], YES)
    history = (user("hello"), *step_one, pending.request, response(pending.answers, 51))
    run.ledger.records.clear()
    run.transcript = Transcript("", history, pending=pending)
    run.run()
    told = run.ledger.records[1].messages[1].tool_returns[0]
    assert told.text.startswith("[ToolConstraintError] Cannot call send_message")
    assert run.box.called == ["send_message", "look"]


def test_a_call_that_waits_is_not_streamed_piece_by_piece() -> None:
    from agents.engine.ports import ReplyDelta

    class Pieces(ScriptedPhone):
        async def ask(self, request: ChatRequest) -> Any:  # type: ignore[override]
            for index, name in enumerate(("look", "send_message")):
                yield ReplyDelta(index=index, tool_call_id=f"call_{index}", name=name)
                yield ReplyDelta(index=index, arguments="{}")
            yield reply("", ("look", "{}"), ("send_message", "{}"))

    run = bench(stream_tokens=True)
    run.phone = Pieces([])
    deltas = [event for event in run.run() if isinstance(event, ToolCallDelta)]
    assert {delta.index for delta in deltas} == {1}


# --- histories with requests in them ---------------------------------------------------------


def asked(*calls: str, step: str = "step-1") -> Message:
    wanted = tuple(ToolCall(call, "look", "{}") for call in calls)
    return Message(new_id("message"), "approval", clock.now(), tool_calls=wanted, step_id=step)


@pytest.mark.parametrize(
    ("later", "text"),
    [
        ((), NOT_RUN),
        ((user("hello?"),), NOT_RUN),
        ((response((YES,), 9), user("hello?")), INTERRUPTED),
    ],
)
def test_a_provider_gets_a_return_for_every_request(later: tuple[Message, ...], text: str) -> None:
    held = replace(said("Hm.", 3), tool_calls=(ToolCall("held", "look", "{}"),), step_id="step-1")
    history = mend([user("hi"), held, asked("call_1", "call_2"), *later])
    assert [message.role for message in history][:3] == ["user", "assistant", "tool"]
    assert [call.id for call in history[1].tool_calls] == ["held", "call_1", "call_2"]
    assert {one.text for one in history[2].tool_returns} == {text}
    rows = build_messages(ChatRequest(ModelParams("x/y"), Transcript("s", history), ()))
    check_chat_request({"model": "gpt-4o-mini", "messages": rows})


def test_mending_twice_changes_nothing_more() -> None:
    once = mend([user("hi"), asked("call_1"), user("there")])
    assert mend(once) == once


def test_a_request_and_its_answer_leave_the_window_together() -> None:
    turns: list[Message] = []
    for n in range(4):
        result = ToolReturn(f"call_{n}", "look", "seen")
        returned = Message(new_id("message"), "tool", clock.now(), tool_returns=(result,))
        turns += [user("x" * 400), said("May I?", 3), asked(f"call_{n}")]
        turns += [response((YES,), 9), returned]
    leaving = evict(turns, budget_tokens=300).leaving
    assert leaving
    assert len(leaving) % 5 == 0
