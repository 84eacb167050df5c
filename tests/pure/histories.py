"""Histories for tests of the engine: short builders, and a strategy for Hypothesis."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from hypothesis import strategies as st

from agents.types import Message, TextPart, ToolCall, ToolReturn

NOW = datetime(2026, 1, 1, 9, tzinfo=UTC)
_numbers = itertools.count()


def user(text: str) -> Message:
    return Message(f"message-{next(_numbers)}", "user", NOW, parts=(TextPart(text),))


def assistant(text: str = "", *calls: str) -> Message:
    return Message(
        f"message-{next(_numbers)}",
        "assistant",
        NOW,
        parts=(TextPart(text),) if text else (),
        tool_calls=tuple(ToolCall(call, "probe", "{}") for call in calls),
    )


def returned(*calls: str) -> Message:
    returns = tuple(ToolReturn(call, "probe", "done") for call in calls)
    return Message(f"message-{next(_numbers)}", "tool", NOW, tool_returns=returns)


_text = st.sampled_from(["", " ", "hello there", "a\0b", "half \ud800 pair", "ok. More."])
_ids = st.lists(st.sampled_from("abc"), max_size=3)
messages = st.one_of(
    st.builds(user, _text),
    st.builds(lambda text, calls: assistant(text, *calls), _text, _ids),
    st.builds(lambda calls: returned(*calls), _ids),
)
histories = st.lists(messages, max_size=12)
