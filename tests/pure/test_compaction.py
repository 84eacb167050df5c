"""The ladder that keeps every request within the window."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from agents.engine.compaction import limit_tokens
from agents.engine.events import RunFinished, WindowShortened
from agents.engine.loop import run_agent
from agents.engine.ports import Ports
from agents.engine.sizes import Sizes
from agents.engine.summaries import NOTICE, SUMMARY_PROMPT, render, summary_text
from agents.types import CompactionPlan, ModelParams, Transcript
from letta_site.core import clock
from letta_site.core.errors import LLMError
from tests.pure.in_memory import Bench, FunctionBox, ScriptedPhone, reply, said, spec_of, user
from tests.pure.long_lives import Life

WINDOWS = (8_000, 32_000, 128_000)


@pytest.mark.parametrize(
    ("window", "turns"),
    [(window, 250) for window in WINDOWS]
    + [pytest.param(window, 10_000, marks=pytest.mark.heavy) for window in WINDOWS],
)
def test_no_request_of_a_long_life_is_above_the_window(window: int, turns: int) -> None:
    life = Life(window).live(turns, chars=window // (12 if turns < 10_000 else 80))
    print(
        f"{window}: {life.requests} requests, {life.over} above the window, largest "
        f"{life.largest}, {len(life.ledger.evictions)} compactions"
    )
    assert life.requests >= turns
    assert life.over == 0
    assert life.ledger.evictions


@pytest.mark.parametrize("mood", ["ok", "empty", "error", "overflows", "half", "long"])
@pytest.mark.parametrize("seed", range(2))
def test_whatever_the_summariser_does_the_request_fits_and_the_last_turns_stay(
    mood: str, seed: int
) -> None:
    life = Life(8_000, seed=seed, mood=mood)
    life.live(80, chars=100)
    assert life.over == 0
    assert sum(message.role == "user" for message in life.state.messages) >= 6
    modes = {eviction.mode for eviction in life.ledger.evictions}
    wanted = {"ok": "sliding_window", "half": "sliding_window", "long": "sliding_window"}
    assert modes == {wanted.get(mood, "digest")}


@pytest.mark.parametrize("turns", [1_000, pytest.param(10_000, marks=pytest.mark.heavy)])
def test_a_long_imported_history_is_shortened_at_once(turns: int) -> None:
    life = Life(8_000)
    for _ in range(turns):
        life.add(user(life.words(60)))
        life.add(said(life.words(60), 0))
    asyncio.run(life.turn(60))
    assert (life.over, len(life.ledger.evictions)) == (0, 1)


def test_old_tool_returns_are_shortened_before_anything_leaves() -> None:
    life = Life(8_000, tool_share=0)
    life.live(3, chars=40)
    for _ in range(4):
        life.call(life.words(9_000))
    life.add(said("There.", 0))
    life.live(1, chars=40)
    assert life.ledger.evictions == []
    shown = life.state.request().transcript.messages
    assert max(len(one.text) for message in shown for one in message.tool_returns) <= 600
    kept = [one for message in life.state.messages for one in message.tool_returns]
    assert min(len(one.text) for one in kept) > 4_000


def test_a_turn_larger_than_the_window_goes_on_with_its_request_in_sight() -> None:
    life = Life(8_000)
    life.add(user("Count the boats of Bergen."))

    async def scenario() -> None:
        for _ in range(60):
            await life.ask()
            life.call(life.words(3_000))

    asyncio.run(scenario())
    assert life.over == 0
    assert life.state.summary is not None
    in_window = [m for m in life.state.messages if "Count the boats" in m.text]
    assert in_window or "Count the boats of Bergen." in life.state.summary.text
    for eviction in life.ledger.evictions:
        assert eviction.from_seq <= eviction.to_seq


def test_a_single_message_larger_than_the_window_is_shown_shortened() -> None:
    life = Life(8_000)
    life.add(user("START " + life.words(120_000) + " END"))
    asyncio.run(life.ask())
    (shown,) = life.state.request().transcript.messages
    assert life.over == 0
    assert shown.text.startswith("START") and shown.text.endswith("END")
    assert len(life.state.messages[0].text) > 100_000


def bench(*script: object, **changes: object) -> Bench:
    box = FunctionBox({"look": lambda _: "seen", "send_message": lambda _: "Sent"})
    return Bench(ScriptedPhone(list(script)), spec_of(**changes), box)  # type: ignore[arg-type]


def old_turns(count: int = 12) -> list[object]:
    return [
        one
        for n in range(2, 2 + 2 * count, 2)
        for one in (user(f"Fact {n}. " + "word " * 200, seq=n), said("Noted.", n + 1))
    ]


def test_the_summary_is_asked_for_in_plain_text_and_stored_in_its_envelope() -> None:
    run = bench(reply("They spoke of facts."), reply("ok"), window_tokens=2_000)
    events = run.run(*old_turns(), user("And now?", seq=60))  # type: ignore[arg-type]
    asked = run.phone.asked[0]
    assert (asked.transcript.system, asked.tools) == (SUMMARY_PROMPT, ())
    assert [message.role for message in asked.transcript.messages] == ["user"]
    (eviction,) = run.ledger.evictions
    packed = json.loads(eviction.summary.text)
    assert set(packed) == {"type", "message", "time", "compaction_stats"}
    assert packed["message"] == NOTICE + "They spoke of facts."
    assert set(packed["compaction_stats"]) == {
        "trigger",
        "context_tokens_before",
        "context_tokens_after",
        "context_window",
        "messages_count_before",
        "messages_count_after",
    }
    assert sum(isinstance(event, WindowShortened) for event in events) == 1
    assert run.phone.asked[1].transcript.messages[-1].text == "And now?"


@pytest.mark.parametrize(
    ("plan", "handle"),
    [
        (CompactionPlan(model="test/small"), "test/small"),
        (CompactionPlan(), "test/scripted"),
        (CompactionPlan(prompt="Sum up."), "test/scripted"),
    ],
)
def test_the_plan_names_the_summariser(plan: CompactionPlan, handle: str) -> None:
    run = bench(reply("Short."), reply("ok"), window_tokens=2_000, compaction=plan)
    run.run(*old_turns(), user("And now?", seq=60))  # type: ignore[arg-type]
    asked = run.phone.asked[0]
    assert asked.model.handle == handle
    assert asked.transcript.system == (plan.prompt or SUMMARY_PROMPT)


def test_mode_all_leaves_only_the_last_turn() -> None:
    run = bench(
        reply("Short."), reply("ok"), window_tokens=2_000, compaction=CompactionPlan(mode="all")
    )
    run.run(*old_turns(), user("And now?", seq=60))  # type: ignore[arg-type]
    assert [m.text for m in run.phone.asked[1].transcript.messages] == ["And now?"]


def test_a_system_prompt_over_the_window_fails_with_its_own_stop_reason() -> None:
    run = bench(reply("never"), window_tokens=2_000)
    run.spec = replace(run.spec, tools=())
    big = "word " * 4_000

    async def scenario() -> list[object]:
        ports = Ports(run.phone, run.box, run.ledger, run.cancel, clock)
        return [e async for e in run_agent(run.spec, Transcript(big, (user("hi"),)), ports)]

    finished = asyncio.run(scenario())[-1]
    assert isinstance(finished, RunFinished)
    assert finished.stop_reason == "context_window_overflow_in_system_prompt"
    assert run.phone.asked == []


def test_a_refused_request_is_shortened_and_asked_again_at_most_twice() -> None:
    too_long = LLMError("llm_context_window", "too long")
    run = bench(too_long, reply("Short."), reply("ok"), window_tokens=16_000)
    finished = run.run(*old_turns(), user("And now?", seq=60))[-1]  # type: ignore[arg-type]
    assert isinstance(finished, RunFinished) and finished.failure is None
    assert len(run.ledger.evictions) == 1

    always = bench(*[too_long] * 9, window_tokens=16_000)
    ended = always.run(*old_turns(), user("And now?", seq=60))[-1]  # type: ignore[arg-type]
    assert isinstance(ended, RunFinished) and ended.failure is not None
    assert ended.failure.kind == "llm_context_window"
    questions = [one for one in always.phone.asked if one.tools]
    assert 2 <= len(questions) <= 3


def test_a_cancel_is_heard_while_the_summary_is_made() -> None:
    run = bench(reply("late"), window_tokens=2_000)
    run.phone.pause_s = 30

    async def scenario() -> list[object]:
        asyncio.get_running_loop().call_later(0.05, run.cancel.set)
        messages = (*old_turns(), user("And now?", seq=60))
        return list(await asyncio.wait_for(run.collect(*messages), 2))  # type: ignore[arg-type]

    finished = asyncio.run(scenario())[-1]
    assert isinstance(finished, RunFinished)
    assert finished.stop_reason == "cancelled"
    assert run.ledger.evictions == []


@pytest.mark.parametrize(
    ("reported", "ratio"),
    [(1_200, 1.2), (1_900, 1.9), (2_500, 2.0), (0, 1.0), (4_000, 1.0), (500, 0.75)],
)
def test_reported_sizes_calibrate_ours_unless_they_cannot_be_true(
    reported: int, ratio: float
) -> None:
    sizes = Sizes("", (), return_limit_chars=5_000, ratio=1.0)
    sizes.learn(1_000, reported)
    assert sizes.ratio == ratio


def test_the_answer_has_room() -> None:
    state = Life(8_000).state
    assert limit_tokens(state) == 7_200
    state.spec = replace(state.spec, model=ModelParams("test/x", max_tokens=1_500))
    assert limit_tokens(state) == 6_500
    state.spec = replace(state.spec, model=ModelParams("test/x", max_tokens=90_000))
    assert limit_tokens(state) == 6_000


def test_a_summary_is_read_out_of_its_envelope() -> None:
    old = replace(user("x"), role="summary")
    assert summary_text(old) == "x"
    text = render([user("Hi. I am Bo."), said("Hello Bo.", 3)], "Earlier.", limit_chars=500)
    assert text.splitlines()[0] == "Notes so far:"
    assert "User: Hi. I am Bo." in text and "Assistant: Hello Bo." in text
