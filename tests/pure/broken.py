"""Broken histories, made from a number: orphans, doubles, empty messages, unstorable characters."""

from __future__ import annotations

import random
from dataclasses import replace

from agents.types import Message, ToolCall, ToolReturn
from tests.pure.histories import assistant, returned, user

_TEXTS = ("", " ", "\0", "\ud800", "a\0b", "half \udc00", "\U0001f600", "fine", "\ud83d\ude00 ok")
_IDS = ("a", "b", "c", "", "call\0x", "\ud801")
_NAMES = ("probe", "no such tool!", "")


def broken_history(number: int) -> list[Message]:
    """Return a history of 1 to 14 messages, some of which may be in it twice."""
    chance = random.Random(number)
    history = [_message(chance) for _ in range(chance.randint(1, 14))]
    return history + chance.choices(history, k=chance.choice((0, 0, 1, 4)))


def _message(chance: random.Random) -> Message:
    text = "".join(chance.choices(_TEXTS, k=chance.randint(0, 3)))
    ids = chance.choices(_IDS, k=chance.randint(0, 3))
    kind = chance.choice(("user", "user", "assistant", "assistant", "tool", "tool", "system"))
    if kind == "tool":
        back = tuple(ToolReturn(one, chance.choice(_NAMES), text) for one in ids)
        return replace(returned(), tool_returns=back)
    if kind == "assistant":
        calls = tuple(ToolCall(one, chance.choice(_NAMES), "{}") for one in ids)
        return replace(assistant(text), tool_calls=calls)
    return replace(user(text), role=kind)
