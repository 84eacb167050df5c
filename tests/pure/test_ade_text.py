"""Text on its way to the page: markdown, diffs, JSON under way, cards, the bar."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.ade.markup import to_html
from agents.ade.meter import BAR_WIDTH, measure
from agents.ade.partial_json import text_so_far
from agents.ade.toolcards import BlockChange, close_card, duration_text, open_card
from agents.types import ToolCall, ToolReturn
from memory.ade.diffs import diff_lines


@pytest.mark.parametrize(
    ("given_text", "absent"),
    [
        ("<script>x</script>", "<script"),
        ("![a](https://example.invalid/a.png)", "<img"),
        ("[a](javascript:alert(1))", "href"),
        ("[a](data:text/html,x)", "href"),
        ('<a onclick="x">a</a>', "<a"),
        ("<style>*{}</style>", "<style"),
        ('!["><img src=x>](https://example.invalid)', "<img"),
    ],
)
def test_markdown_of_a_model_is_harmless(given_text: str, absent: str) -> None:
    assert absent not in to_html(given_text)


def test_markdown_is_rendered() -> None:
    html = to_html("**b** `c`\n\n- one\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[l](https://e.org)")

    for tag in ("<strong>b</strong>", "<code>c</code>", "<li>one</li>", "<td>1</td>"):
        assert tag in html
    assert 'rel="noopener noreferrer nofollow"' in html


def test_a_picture_becomes_a_link() -> None:
    assert '<a href="https://e.org/a.png" rel=' in to_html("![cat](https://e.org/a.png)")
    assert ">cat</a>" in to_html("![cat](https://e.org/a.png)")


@given(st.text(alphabet="ab\n ", max_size=60), st.text(alphabet="ab\n ", max_size=60))
def test_a_diff_holds_every_line_that_changed(before: str, after: str) -> None:
    lines = diff_lines(before, after)
    removed = [line.text for line in lines if line.kind == "d"]
    added = [line.text for line in lines if line.kind == "a"]

    assert len(before.splitlines()) - len(removed) == len(after.splitlines()) - len(added)
    assert all(text in before.splitlines() for text in removed)
    assert all(text in after.splitlines() for text in added)


def test_a_diff_marks_the_words_that_differ() -> None:
    removed, added = diff_lines("Lives in Lisbon.", "Lives in Oslo.")

    assert [part.text for part in removed.parts if part.marked] == ["Lisbon"]
    assert [part.text for part in added.parts if part.marked] == ["Oslo"]
    assert (removed.sign, added.sign) == ("−", "+")


@given(st.text(), st.integers(0, 400))
def test_a_string_under_way_is_a_beginning_of_the_whole(text: str, cut: int) -> None:
    whole = json.dumps({"thinking": "x", "message": text})

    found = text_so_far(whole[:cut], "message")
    assert text.startswith(found)
    assert text_so_far(whole, "message") == text


def test_a_card_shows_what_really_changed() -> None:
    arguments = {"label": "human", "old_string": "a", "new_string": "b"}
    card = open_card(ToolCall("c1", "memory_replace", json.dumps(arguments)), "msg-1")
    assert (card.dom_id, card.target, card.status) == ("msg-1-c1", "human", "running")
    assert [line.text for line in card.diff] == ["a", "b"]

    done = ToolReturn("c1", "memory_replace", "OK", duration_ns=2_000_000)
    card = close_card(card, done, BlockChange("human", "x a", "x b"))
    assert [line.text for line in card.diff] == ["x a", "x b"]
    assert (card.status, card.duration) == ("success", "2 ms")


def test_a_card_of_a_failed_call_claims_no_change() -> None:
    arguments = json.dumps({"label": "human", "new_string": "b"})
    card = open_card(ToolCall("c1", "memory_insert", arguments), "msg-1")
    failed = close_card(card, ToolReturn("c1", "memory_insert", "Error: no", "error"))

    assert failed.diff == ()
    assert "new_string" in failed.arguments


@pytest.mark.parametrize("arguments", ["", "{", "[]", "null", '"x"', "{}"])
def test_a_card_takes_any_arguments(arguments: str) -> None:
    assert open_card(ToolCall("c1", "memory", arguments), "msg-1").diff == ()


def test_durations_are_short() -> None:
    found = [duration_text(ns) for ns in (None, 0, 1, 20_000_000, 2_800_000_000)]
    assert found == ["", "", "1 ms", "20 ms", "2.8 s"]


@given(st.lists(st.integers(0, 10**6), max_size=6), st.integers(1, 10**6))
def test_the_bar_never_runs_over(tokens: list[int], window: int) -> None:
    keys = ("system", "tools", "memory", "summary", "messages", "files")
    meter = measure(zip(keys, tokens, strict=False), window)

    assert meter.used == sum(tokens)
    assert all(0 <= one.x and one.x + one.width <= BAR_WIDTH for one in meter.sections)
    assert 0 <= meter.percent <= 100
