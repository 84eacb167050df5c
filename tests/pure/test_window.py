"""Sizes, eviction, digest and mending of histories."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.engine.prompt import heartbeat_text, login_text, user_envelope
from agents.engine.repair import INTERRUPTED, clean_text, mend
from agents.engine.window import (
    digest,
    estimate_messages,
    estimate_request,
    estimate_tokens,
    evict,
)
from agents.types import ImagePart, Message, ReasoningPart, ToolCall, ToolSpec
from tests.pure.histories import NOW, assistant, histories, returned, user


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("abcde", 2), ("日本", 2), ("abcd日", 2), ("\ud800", 1)]
)
def test_estimate_counts_other_scripts_higher(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


def test_request_is_broken_down_by_section() -> None:
    system = "Be kind.\n<memory_blocks>\nName: Ada\n</memory_blocks>\nEnd."
    tool = ToolSpec("probe", "Probes.", {"type": "object", "properties": {}})
    sizes = estimate_request(system, [user("hello")], [tool], user("earlier"))
    assert min(sizes.system, sizes.memory, sizes.tools, sizes.summary, sizes.messages) > 0
    assert sizes.total == sum(
        (sizes.system, sizes.memory, sizes.tools, sizes.summary, sizes.messages)
    )
    assert estimate_request("Plain.", [], []).memory == 0


def test_long_returns_count_up_to_the_limit() -> None:
    message = returned("a")
    long = replace(message, tool_returns=(replace(message.tool_returns[0], text="x" * 4000),))
    assert estimate_messages([long]) > estimate_messages([long], return_limit_chars=40)


def test_pictures_and_calls_count() -> None:
    picture = replace(user(""), parts=(ImagePart(url="http://localhost/a.png"),))
    assert estimate_messages([picture]) > 500
    assert estimate_messages([assistant("", "a")]) > estimate_messages([assistant("")])


def test_oldest_whole_turns_leave() -> None:
    first = [user("one " * 50), assistant("", "a"), returned("a"), assistant("done")]
    second = [user("two"), assistant("fine")]
    split = evict([*first, *second], budget_tokens=60)
    assert (list(split.leaving), list(split.staying)) == (first, second)
    assert evict([*first, *second], budget_tokens=10_000).leaving == ()


def test_last_turn_stays_even_when_too_big() -> None:
    turn = [user("word " * 500), assistant("", "a"), returned("a")]
    assert evict(turn, budget_tokens=1).leaving == ()
    assert evict([user("old"), assistant("yes"), *turn], budget_tokens=1).staying == tuple(turn)
    assert evict([], budget_tokens=1).staying == ()


def test_heartbeat_does_not_start_a_turn() -> None:
    beat = user(heartbeat_text("more", NOW, "UTC"))
    turn = [user("go"), assistant("", "a"), returned("a"), beat, assistant("", "b"), returned("b")]
    assert evict(turn, budget_tokens=1).leaving == ()


def test_turn_boundary_inside_an_open_call_is_no_boundary() -> None:
    history = [user("go"), assistant("", "a"), user("hurry"), returned("a"), assistant("done")]
    assert evict(history, budget_tokens=1).leaving == ()


@settings(max_examples=60)
@given(history=histories, budget=st.integers(0, 80))
def test_eviction_keeps_order_and_never_parts_a_call_from_its_return(
    history: list[Message], budget: int
) -> None:
    split = evict(history, budget_tokens=budget)
    assert [*split.leaving, *split.staying] == history
    assert bool(split.staying) == bool(history)
    mended = list(mend(history))
    cut = evict(mended, budget_tokens=budget)
    for part in (cut.leaving, cut.staying):
        assert list(mend(part)) == list(part)


def test_digest_tells_who_said_what() -> None:
    spoken = replace(
        assistant(), tool_calls=(ToolCall("s", "send_message", '{"message": "Hi. I am Bo."}'),)
    )
    failed = replace(
        returned("a"), tool_returns=(replace(returned("a").tool_returns[0], status="error"),)
    )
    text = digest(
        [
            user(user_envelope("I live in Rome. And more.", NOW, "UTC")),
            user(login_text(NOW, "UTC")),
            assistant("Noted! Truly.", "a"),
            failed,
            spoken,
        ],
        limit_chars=1000,
    )
    assert text.splitlines() == [
        "User: I live in Rome.",
        "Agent: Noted!",
        "probe({})",
        "The call of probe failed.",
        "Agent: Hi.",
    ]


@settings(max_examples=60)
@given(history=histories, limit=st.integers(0, 60))
def test_digest_stays_in_its_limit(history: list[Message], limit: int) -> None:
    assert len(digest(history, limit_chars=limit)) <= limit


def test_digest_shortens_endless_sentences() -> None:
    assert len(digest([user("x" * 5000)], limit_chars=4000)) < 250


def test_broken_send_message_is_shown_as_a_call() -> None:
    broken = replace(assistant(), tool_calls=(ToolCall("s", "send_message", '["message"'),))
    assert digest([broken], limit_chars=100) == 'send_message(["message")'


def test_orphan_call_gets_an_error_and_orphan_return_goes() -> None:
    mended = mend([returned("z"), user("go"), assistant("", "a", "b"), returned("b"), user("on")])
    assert [message.role for message in mended] == ["user", "assistant", "tool", "tool", "user"]
    stand_in, real = mended[2].tool_returns[0], mended[3].tool_returns[0]
    assert (stand_in.status, stand_in.text) == ("error", INTERRUPTED)
    assert real.text == "done"


def test_late_return_moves_to_its_call() -> None:
    mended = mend([assistant("", "a"), user("hurry"), returned("a")])
    assert [message.role for message in mended] == ["assistant", "tool", "user"]


def test_reused_call_ids_are_matched_by_position() -> None:
    history = [assistant("", "a"), returned("a"), assistant("", "a"), returned("a")]
    assert list(mend(history)) == history


def test_assistant_that_only_thought_is_left_out() -> None:
    thought = replace(assistant(), parts=(ReasoningPart("hm"),))
    assert mend([user("hi"), thought, assistant(" ")])[1:] == ()


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("a\0b", "a\ufffdb"),
        ("é\0", "é\ufffd"),
        ("\ud83d\ude00", "😀"),
        ("\ud83d!", "\ufffd!"),
        ("\ufeffé", "\ufeffé"),
    ],
)
def test_text_is_cleaned(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned


def pairs_up(history: tuple[Message, ...]) -> bool:
    """Whether each call is answered, once, before anything else happens."""
    pending: list[str] = []
    for message in history:
        answered = [one.tool_call_id for one in message.tool_returns]
        if message.role != "tool" and pending:
            return False
        if any(call not in pending for call in answered):
            return False
        pending = [call for call in pending if call not in answered]
        pending += [call.id for call in message.tool_calls]
    return not pending


@settings(max_examples=60)
@given(history=histories)
def test_mended_history_pairs_up_and_stays_as_it_is(history: list[Message]) -> None:
    mended = mend(history)
    assert pairs_up(mended)
    assert mend(mended) == mended
    for message in mended:
        message.text.encode("utf-8")
        assert "\0" not in message.text


@settings(max_examples=60)
@given(text=st.text(st.characters(categories=["L", "Cs", "Cc"]), max_size=20))
def test_cleaned_text_can_be_stored_and_stays_clean(text: str) -> None:
    clean = clean_text(text)
    clean.encode("utf-8")
    assert "\0" not in clean and clean_text(clean) == clean


def test_inputs_of_one_request_leave_together() -> None:
    note, question = (replace(user(text), run_id="run-1") for text in ("note", "question"))
    assert evict([note, question], budget_tokens=1).leaving == ()
    other = replace(user("again"), run_id="run-2")
    assert evict([note, question, other], budget_tokens=1).leaving == (note, question)
