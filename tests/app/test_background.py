"""Background runs: their streams can be read again from any point."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError

from agents.engine.events import RunFinished, StepCommitted, TextDelta
from agents.models import Run, RunEvent
from agents.runtime import boot, recording
from agents.runtime.recording import join
from agents.services.run_events import from_event, to_event
from agents.types import Message, ReasoningPart, TextPart, ToolCall, ToolReturn, Usage
from letta_site.core.aio import in_db
from letta_site.core.clock import now
from tests.app.conftest import Api
from tests.app.posting import Stream, play, post, read, send
from tests.app.test_messages import HELLO, agent, history, make  # noqa: F401
from tests.fakes.openai_replies import Call, Failure, Reply, error_body
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

BACKGROUND = {"streaming": True, "background": True, **HELLO}
TOKENS = {"stream_tokens": True, **BACKGROUND}


def resume(run_id: str, body: Any = None) -> Stream:
    async def scenario() -> Stream:
        return await read(await post(f"/v1/runs/{run_id}/stream", {} if body is None else body))

    found: Stream = play(scenario)
    return found


def begin(agent_id: str, body: Any) -> Stream:
    async def scenario() -> Stream:
        found = await read(await post(f"/v1/agents/{agent_id}/messages", body))
        while recording._live:
            await asyncio.sleep(0.01)
        return found

    found: Stream = play(scenario)
    return found


def shown(found: Stream) -> list[Any]:
    return [frame for frame in found.frames if frame["message_type"] != "ping"]


@pytest.mark.parametrize("body", [BACKGROUND, TOKENS])
def test_a_stream_read_again_is_the_same(agent: Any, openai: FakeOpenAI, body: Any) -> None:  # noqa: F811
    edit = Call("memory_insert", {"label": "human", "new_string": "Oslo."})
    openai.push(Reply(text="A moment.", reasoning="Hm, hm.", calls=(edit,)), "Done with it.")
    first = begin(agent["id"], body)
    run = Run.objects.get()
    frames = shown(first)
    assert [frame["seq_id"] for frame in frames] == list(range(1, len(frames) + 1))
    assert {frame["run_id"] for frame in frames} == {run.id}
    assert first.lines[-1] == "data: [DONE]"
    again = resume(run.id)
    assert shown(again) == frames
    for at in (1, 3, len(frames) - 1, len(frames)):
        assert shown(resume(run.id, {"starting_after": at})) == frames[at:]


@pytest.mark.parametrize("cuts", [5, pytest.param(50, marks=pytest.mark.heavy)])
def test_every_cut_of_a_live_stream_is_mended(
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
    cuts: int,
) -> None:
    """The reader leaves at random events and comes back with the last number it saw."""
    chance, left = random.Random(7), 0
    edit = Call("memory_insert", {"label": "human", "new_string": "Oslo."})

    async def follow(path: str, body: Any) -> list[Any]:
        nonlocal left
        count = chance.randint(1, 4)
        response = await post(path, body)
        raw, found = b"", []
        async for piece in response.streaming_content:
            raw += piece
            found = shown(Stream(200, raw))
            if len(found) >= count and b"[DONE]" not in raw:
                left += 1
                break
        await response.streaming_content.aclose()
        return found

    async def scenario() -> tuple[list[Any], list[Any]]:
        openai.push(
            Reply(text="One two three four.", calls=(edit,), delay_s=0.02),
            Reply("five six seven eight nine ten", delay_s=0.02),
        )
        path = f"/v1/agents/{agent['id']}/messages"
        seen = await follow(path, TOKENS)
        run = await in_db(Run.objects.order_by("-seq").first)
        while not seen or seen[-1]["message_type"] != "usage_statistics":
            after = seen[-1]["seq_id"] if seen else 0
            seen += await follow(f"/v1/runs/{run.id}/stream", {"starting_after": after})
        whole = await read(await post(f"/v1/runs/{run.id}/stream", None))
        return seen, shown(whole)

    while left < cuts:
        seen, whole = play(scenario)
        assert seen == whole
        assert [frame["seq_id"] for frame in seen] == list(range(1, len(seen) + 1))
    print(f"{left} cuts, no gap, nothing twice")


def test_an_open_reader_gets_pings_and_then_the_rest(
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
    settings: Any,
) -> None:
    settings.PING_INTERVAL_S = 0.1
    openai.push(Reply("Slow.", delay_s=0.5))

    async def scenario() -> tuple[Stream, Stream]:
        path = f"/v1/agents/{agent['id']}/messages"
        first = asyncio.create_task(read(await post(path, BACKGROUND)))
        await asyncio.sleep(0.1)
        run = await in_db(Run.objects.get)
        quiet = {"include_pings": False}
        second = await read(await post(f"/v1/runs/{run.id}/stream", quiet))
        return await first, second

    first, second = play(scenario)
    assert first.types.count("ping") >= 3
    assert shown(second) == shown(first)
    assert "ping" not in second.types


def test_a_run_that_goes_on_after_a_restart_tells_its_beginning_once(
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
) -> None:
    edit = Call("memory_insert", {"label": "human", "new_string": "Oslo."})
    openai.push(Reply(calls=(edit,)), Reply("never", delay_s=30), "Done with it.")

    async def die() -> None:
        await post(f"/v1/agents/{agent['id']}/messages", BACKGROUND)
        while not await in_db(RunEvent.objects.filter(event__kind="StepCommitted").exists):
            await asyncio.sleep(0.02)
        recording._live.clear()

    async def revive() -> None:
        await boot.start()
        while recording._live or await in_db(Run.objects.filter(completed_at=None).exists):
            await asyncio.sleep(0.02)

    play(die)  # its loop ends with the run in the middle of the second step, as a kill would
    Run.objects.update(status="running")
    play(revive)
    kinds = [row.event["kind"] for row in RunEvent.objects.order_by("n")]
    assert kinds.count("RunStarted") == 1
    assert kinds[-1] == "RunFinished"


def test_a_recording_whose_past_cannot_be_read_still_tells_the_rest(
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(run_id: str) -> None:
        raise OperationalError("disk I/O error")

    monkeypatch.setattr(recording, "stored_events", fail)
    openai.push("Some words.")
    assert begin(agent["id"], BACKGROUND).of_type("stop_reason")


def test_a_failed_run_ends_its_stream_the_same_way(agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    openai.push(Failure(500, error_body("broken")))
    first = begin(agent["id"], BACKGROUND)
    again = resume(Run.objects.get().id)
    assert again.types[-2:] == first.types[-2:] == ["stop_reason", "error_message"]
    assert again.lines[-1] == "data: [DONE]"
    assert b"event: error" in again.raw


def test_a_run_that_the_server_did_not_survive_ends_for_its_reader(
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
) -> None:
    openai.push("Some words.")
    begin(agent["id"], TOKENS)
    run = Run.objects.get()
    RunEvent.objects.filter(run=run, n__gt=2).delete()
    failure = {"kind": "interrupted", "message": "The server stopped.", "todo": "", "detail": ""}
    Run.objects.update(status="failed", stop_reason="error", error=failure)
    found = resume(run.id, {"starting_after": 40})
    assert [(frame["message_type"], frame["seq_id"]) for frame in shown(found)] == [
        ("stop_reason", 41),
        ("error_message", 42),
    ]


def test_a_run_that_is_taken_up_again_goes_on_counting(
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
) -> None:
    openai.push("Some words.", "Other words.")
    first = shown(begin(agent["id"], BACKGROUND))
    run = Run.objects.get()
    RunEvent.objects.filter(run=run).last().delete()  # its end
    Run.objects.update(status="created")

    async def scenario() -> Stream:
        await boot.start()
        return await read(await post(f"/v1/runs/{run.id}/stream", {}))

    again = shown(play(scenario))
    assert again[0] == first[0]
    assert [frame["seq_id"] for frame in again] == list(range(1, len(again) + 1))
    assert [frame.get("content") for frame in again[:2]] == ["Some words.", "Other words."]


def test_what_cannot_be_read_again(api: Api, agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    send(agent["id"], HELLO)
    run = Run.objects.get()
    path = f"/v1/runs/{run.id}/stream"
    assert play(lambda: post(path, {})).status_code == 400
    Run.objects.update(background=True, created_at=now() - timedelta(hours=4))
    assert play(lambda: post(path, {})).status_code == 410
    assert play(lambda: post(path, {"starting_after": -1})).status_code == 422
    unknown = "run-00000000-0000-4000-8000-000000000000"
    assert play(lambda: post(f"/v1/runs/{unknown}/stream", {})).status_code == 404


def test_events_survive_storing() -> None:
    message = Message(
        "message-1",
        "assistant",
        now(),
        parts=(ReasoningPart("hm", None, False), TextPart("words")),
        tool_calls=(ToolCall("c", "n", "{}"),),
        tool_returns=(ToolReturn("c", "n", "text", "error", ("out",)),),
    )
    for event in (
        StepCommitted("step-1", 1, (message,), Usage(1, 2, None, 3)),
        RunFinished("end_turn", Usage(), 1),
        TextDelta("message-1", "ü"),
    ):
        assert to_event(from_event(event)) == event


def test_only_neighbouring_pieces_of_one_part_are_joined() -> None:
    pieces = [TextDelta("a", "x"), TextDelta("a", "y"), TextDelta("b", "z")]
    assert join(pieces) == [TextDelta("a", "xy"), TextDelta("b", "z")]
