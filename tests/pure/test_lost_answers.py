"""Answers that break off, and models that cannot write a call: what the loop makes of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from agents.ade.live import LiveView
from agents.engine.events import RunFinished, StepCommitted, StepStarted, TextDelta
from agents.engine.ports import ChatRequest, Reply, ReplyDelta
from agents.wire.encode import FrameEncoder
from agents.wire.messages import View
from tests.pure.in_memory import Bench, FunctionBox, ScriptedPhone, reply, spec_of


class BreakingPhone(ScriptedPhone):
    """Says half of something first."""

    async def ask(self, request: ChatRequest) -> AsyncGenerator[ReplyDelta | Reply, None]:
        yield ReplyDelta(text="half of ")
        yield ReplyDelta(restart=True)
        async for piece in super().ask(request):
            yield piece


def breaking(*script: Reply | Exception) -> Bench:
    return Bench(BreakingPhone(list(script)), spec_of(stream_tokens=True))


def test_the_new_try_is_a_new_message_of_the_same_step() -> None:
    run = breaking(reply("all well"))
    events = run.run()
    first, second = (event for event in events if isinstance(event, StepStarted))
    assert (first.step_id, first.n) == (second.step_id, second.n)
    assert first.message_id != second.message_id
    words = [(event.message_id, event.text) for event in events if isinstance(event, TextDelta)]
    assert words[0] == (first.message_id, "half of ")
    assert {message_id for message_id, _ in words[1:]} == {second.message_id}
    (record,) = run.ledger.records
    assert [(one.id, one.text) for one in record.messages] == [(second.message_id, "all well")]


def test_a_stream_keeps_the_tries_apart() -> None:
    encoder = FrameEncoder("run-1", View(), tokens=True)
    frames = [
        frame for event in breaking(reply("all well")).run() for frame in encoder.frames(event)
    ]
    texts: dict[str, str] = {}
    for frame in frames:
        texts[frame["id"]] = texts.get(frame["id"], "") + frame["content"]
    assert list(texts.values()) == ["half of ", "allwell"]


def test_a_page_takes_the_lost_half_away() -> None:
    view = LiveView("Test", 0)
    shown = ""
    first = ""
    for event in breaking(reply("all well")).run():
        if isinstance(event, StepStarted) and not first:
            first = event.message_id
        if not isinstance(event, StepCommitted | RunFinished):
            view.absorb(event)
            shown += view.flush()
    assert f"msg-{first}" in shown
    assert f"msg-{first}" not in view._rows
    assert len(view._rows) == 1


def test_three_unreadable_calls_in_a_row_end_the_run() -> None:
    box = FunctionBox({"look": lambda _: "seen"})
    script = [reply("", ("look", "{"))] * 5
    run = Bench(ScriptedPhone(list(script)), spec_of(), box)
    end = run.run()[-1]
    assert isinstance(end, RunFinished)
    assert (end.stop_reason, end.step_count) == ("invalid_tool_call", 3)
    assert end.failure is not None
    assert "3 times in a row" in end.failure.message
    assert box.called == []
    assert all(len(record.calls) == 1 for record in run.ledger.records)


def test_a_readable_call_between_them_starts_the_count_anew() -> None:
    box = FunctionBox({"look": lambda _: "seen"})
    broken, good = reply("", ("look", "{")), reply("", ("look", "{}"))
    run = Bench(
        ScriptedPhone([broken, broken, good, broken, broken, reply("Done.")]), spec_of(), box
    )
    end = run.run()[-1]
    assert isinstance(end, RunFinished)
    assert (end.stop_reason, end.failure) == ("end_turn", None)
