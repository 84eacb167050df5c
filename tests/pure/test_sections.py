"""A body in pieces: never a byte more or less, whatever it says."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agents.engine.sections import find_break, read_order, split_body
from agents.llm.to_openai import encode
from memory.logic.edits import BlockView
from memory.logic.render import render_blocks

MARKS = (
    '<memory_blocks> </memory_blocks> <tool_usage_rules> </tool_usage_rules> <a> </a> \n " \\ 猫'
)
texts = st.lists(st.sampled_from([*MARKS.split(" "), "</value>\n</a>", "<a>\n<description>", "x"]))
rows = st.lists(texts.map(lambda words: {"role": "user", "content": "".join(words)}), max_size=3)


def body_of(system: str, messages: list[Any]) -> dict[str, Any]:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    head = {"role": "system", "content": system}
    return {"model": "m", "messages": [head, *messages], "tools": [tool], "stream": True}


@given(texts.map("".join), rows)
def test_the_pieces_are_the_bytes(system: str, messages: list[Any]) -> None:
    body = body_of(system, messages)
    pieces = split_body(body, labels=("a", "b"))
    assert "".join(one.text for one in pieces).encode() == encode(body)
    said = [one.content for one in pieces if one.kind not in ("frame", "parameters")]
    assert "".join(said[: len(said) - len(messages) - 1]) == system


def test_blocks_are_told_apart_from_what_stands_around_them() -> None:
    views = [BlockView("b1", "human", "Ada"), BlockView("b2", "a/b", "<human> says hi")]
    memory = render_blocks(views, line_numbers=True)
    pieces = split_body(body_of(f"Be kind.\n\n{memory}", []), labels=("human", "a/b"))
    shown = [(one.kind, one.name) for one in pieces if one.kind in ("block", "instructions")]
    assert shown == [("instructions", ""), ("block", "human"), ("block", "a/b")]
    (second,) = [one.content for one in pieces if one.name == "a/b"]
    assert second.startswith("<a/b>") and second.endswith("</a/b>")


def test_a_request_that_goes_on_from_another_breaks_nowhere() -> None:
    said = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]
    old = read_order(split_body(body_of("s", said[:1])))
    new = read_order(split_body(body_of("s", said)))
    assert find_break(old, new) is None
    other = read_order(split_body(body_of("s2", said)))
    found = find_break(new, other)
    assert found is not None and (other[found.at].kind, found.chars) == ("instructions", 1)
