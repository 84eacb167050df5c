"""What an open page is told of a step under way."""

from __future__ import annotations

from agents.ade.live import LiveView
from agents.engine.events import TextDelta, ToolCallDelta, ToolReturned, ToolStarted
from agents.types import ToolCall, ToolReturn


def test_a_page_that_comes_in_the_middle_of_a_step_shows_each_call_once() -> None:
    live = LiveView("Bob", 0)
    live.absorb(TextDelta("message-1", "Let me note that."))
    live.absorb(ToolCallDelta("message-1", 0, "call_1", "memory_insert", ""))
    live.absorb(ToolStarted("step-1", ToolCall("call_1", "memory_insert", "{}")))
    live.absorb(ToolReturned("step-1", ToolReturn("call_1", "memory_insert", "done")))
    html = live.flush()
    assert html.count("data-live") == 1
    assert "msg-step-1" not in html
