"""Runs from acceptance to the last stored byte, with a real provider over HTTP."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest

from agents.engine.events import Event, RunFinished, StepCommitted, TextDelta
from agents.models import Agent, Message, Run, Step, ToolCall
from agents.runtime import boot, bus, runner
from agents.services import runs
from agents.services.agent_models import ModelWish
from agents.services.agents import AgentDraft, create_agent
from agents.services.past_requests import rebuild_request
from agents.services.snapshot import begin_run
from agents.types import InputMessage, RunInput, TextPart
from letta_site.core.aio import in_db
from letta_site.core.clock import now
from letta_site.core.errors import Conflict
from letta_site.core.types import Actor
from memory.models import Block, BlockVersion, Passage
from memory.services.blocks import update_block
from tests.fakes.openai_replies import Call, Failure, Reply
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def agent(owner: Actor, openai: FakeOpenAI) -> Agent:
    draft = AgentDraft(
        model=ModelWish(handle="openai/gpt-4o-mini"),
        name="Sam",
        blocks=({"label": "human", "value": "Name: Bob."},),
        tool_names=("archival_memory_insert",),
    )
    return create_agent(owner, draft)


def given(agent: Agent, text: str = "hello", **options: Any) -> RunInput:
    return RunInput(agent.id, (InputMessage("user", (TextPart(text),)),), **options)


async def follow(actor: Actor, wish: RunInput) -> list[Event]:
    """Send and return all events of the run."""
    _, ear = await runner.send(actor, wish)
    found: list[Event] = []
    async with aclosing(ear):
        async for _, event in ear:
            found.append(event)
            if isinstance(event, RunFinished):
                return found
    return found


def play(scenario: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(scenario(), 20))


def test_one_answer(owner: Actor, agent: Agent, fake_openai: FakeOpenAI) -> None:
    fake_openai.push("Hello, Bob.")
    events = play(lambda: follow(owner, given(agent)))
    assert [type(event).__name__ for event in events] == [
        "RunStarted",
        "StepStarted",
        "StepCommitted",
        "RunFinished",
    ]
    run = Run.objects.get()
    assert (run.status, run.stop_reason, run.step_count) == ("completed", "end_turn", 1)
    assert run.prompt_tokens == fake_openai.usages[0].prompt
    said = list(Message.objects.order_by("seq").values_list("role", flat=True))
    assert said == ["system", "user", "assistant"]
    agent.refresh_from_db()
    assert agent.last_stop_reason == "end_turn"
    assert agent.last_seq == Step.objects.get().seq + 1


def test_a_memory_edit_is_made_with_its_provenance(
    owner: Actor, agent: Agent, fake_openai: FakeOpenAI
) -> None:
    edit = Call("memory_insert", {"label": "human", "new_string": "Lives in Oslo."}, "call_1")
    fake_openai.push(Reply(calls=(edit,)), "Noted.")
    events = play(lambda: follow(owner, given(agent)))
    assert Block.objects.get().value == "Name: Bob.\nLives in Oslo."
    version = BlockVersion.objects.get(n=2)
    step = Step.objects.get(n=1)
    assert (version.actor_kind, version.step_id, version.tool_call_id) == (
        "agent",
        step.id,
        "call_1",
    )
    assert version.agent_seq == step.seq
    call = ToolCall.objects.get()
    assert (call.name, call.status, call.step_id) == ("memory_insert", "success", step.id)
    committed = next(event for event in events if isinstance(event, StepCommitted))
    assert [block.version for block in committed.changed_blocks] == [2]


def test_later_steps_build_on_the_edits_of_earlier_ones(
    owner: Actor, agent: Agent, fake_openai: FakeOpenAI
) -> None:
    fake_openai.push(
        Reply(calls=(Call("memory_insert", {"label": "human", "new_string": "Lives in Oslo."}),)),
        Reply(calls=(Call("conversation_search", {"query": "Oslo"}),)),
        Reply(
            calls=(
                Call("memory_replace", {"label": "human", "old_string": "Oslo", "new_string": "X"}),
                Call("memory_replace", {"label": "human", "old_string": "in X", "new_string": "Y"}),
            )
        ),
        "Done.",
    )
    play(lambda: follow(owner, given(agent)))
    assert Block.objects.get().value == "Name: Bob.\nLives Y."
    assert set(ToolCall.objects.values_list("status", flat=True)) == {"success"}


def test_the_head_of_the_prompt_follows_an_own_edit_when_the_cache_is_cold(
    owner: Actor, agent: Agent, fake_openai: FakeOpenAI
) -> None:
    edit = Call("memory_insert", {"label": "human", "new_string": "Lives in Oslo."})
    fake_openai.push(Reply(calls=(edit,)), "Noted.", "Oslo.", "Oslo.")

    async def scenario() -> None:
        await follow(owner, given(agent))
        await follow(owner, given(agent, "Where do I live?"))
        await in_db(Agent.objects.update, last_run_completion=now() - timedelta(hours=1))
        await follow(owner, given(agent, "Where do I live?"))

    play(scenario)
    systems = [chat["messages"][0]["content"] for chat in fake_openai.chats]
    assert systems[0] == systems[1]  # the head holds still while a run works
    assert "Lives in Oslo." not in systems[0]
    assert systems[2] == systems[0]  # the edit is in the window, as a call and its return
    assert any("Lives in Oslo." in str(row) for row in fake_openai.chats[2]["messages"][1:])
    assert "Lives in Oslo." in systems[3]


def test_the_head_of_the_prompt_follows_the_edit_of_somebody_else_at_once(
    owner: Actor, agent: Agent, fake_openai: FakeOpenAI
) -> None:
    async def scenario() -> None:
        await follow(owner, given(agent))
        block = await in_db(Block.objects.get)
        await in_db(update_block, owner, block.id, changes={"value": "Name: Rob."})
        await follow(owner, given(agent))

    play(scenario)
    systems = [chat["messages"][0]["content"] for chat in fake_openai.chats]
    assert "Name: Bob." in systems[0] and "Name: Rob." in systems[1]


def test_a_block_changed_meanwhile_is_not_overwritten(
    owner: Actor, agent: Agent, fake_openai: FakeOpenAI
) -> None:
    block = Block.objects.get()
    edit = Call("memory_replace", {"label": "human", "old_string": "Bob", "new_string": "Rob"})

    def answer(request: dict[str, Any]) -> Reply:
        if request["messages"][-1]["role"] == "tool":
            return Reply("Hm.")
        return Reply(calls=(edit,), delay_s=0.2)

    fake_openai.answer_with(answer)

    async def scenario() -> None:
        task = asyncio.create_task(follow(owner, given(agent)))
        await asyncio.sleep(0.1)
        await in_db(update_block, owner, block.id, changes={"value": "Nobody knows."})
        await task

    play(scenario)
    assert Block.objects.get().value == "Nobody knows."
    told = ToolCall.objects.get()
    assert told.status == "error"
    assert fake_openai.chats[-1]["messages"][-1]["content"] == told.result


def test_passages_and_searches_are_stored_with_the_step(
    owner: Actor, agent: Agent, fake_openai: FakeOpenAI
) -> None:
    fake_openai.push(
        Reply(calls=(Call("archival_memory_insert", {"content": "Bob likes fjords."}),)),
        "Kept.",
    )
    play(lambda: follow(owner, given(agent)))
    passage = Passage.objects.get()
    assert (passage.text, passage.agent_id) == ("Bob likes fjords.", agent.id)
    assert passage.step_id == Step.objects.get(n=1).id


def test_a_failing_provider_loses_nothing(
    owner: Actor, agent: Agent, fake_openai: FakeOpenAI
) -> None:
    fake_openai.push(Failure(500, "boom"), "Back again.")

    async def scenario() -> tuple[list[Event], list[Event]]:
        return await follow(owner, given(agent, "one")), await follow(owner, given(agent, "two"))

    first, second = play(scenario)
    assert first[-1].failure.kind == "llm_error"
    assert second[-1].failure is None
    asked = [message["content"] for message in fake_openai.chats[-1]["messages"][1:]]
    assert asked == ["one", "two"]
    assert list(Run.objects.order_by("seq").values_list("status", flat=True)) == [
        "failed",
        "completed",
    ]
    assert Step.objects.order_by("seq")[0].error["kind"] == "llm_error"


def test_runs_of_one_agent_wait_for_each_other(
    owner: Actor, agent: Agent, fake_openai: FakeOpenAI
) -> None:
    async def scenario() -> None:
        await asyncio.gather(*(follow(owner, given(agent, f"m{n}")) for n in range(8)))

    play(scenario)
    roles = list(Message.objects.order_by("seq").values_list("role", flat=True))
    assert roles == ["system"] + ["user", "assistant"] * 8
    asked = [chat["messages"][-1]["content"] for chat in fake_openai.chats]
    accepted = [run.input[0]["content"][0]["text"] for run in Run.objects.order_by("seq")]
    assert asked == accepted


def test_cancelling_ends_the_running_and_the_waiting_one(
    owner: Actor, agent: Agent, fake_openai: FakeOpenAI
) -> None:
    fake_openai.answer_with(lambda _: Reply("late", delay_s=3))

    async def scenario() -> dict[str, str]:
        tasks = [asyncio.create_task(follow(owner, given(agent))) for _ in range(2)]
        await asyncio.sleep(0.3)
        told = await runner.cancel_runs(owner, agent.id, None)
        await asyncio.wait_for(asyncio.gather(*tasks), 2)
        return told

    told = play(scenario)
    assert set(told.values()) == {"cancelled"}
    assert set(Run.objects.values_list("status", flat=True)) == {"cancelled"}


def test_cancelling_nothing_is_a_conflict(owner: Actor, agent: Agent) -> None:
    with pytest.raises(Conflict):
        play(lambda: runner.cancel_runs(owner, agent.id, None))


def test_accepted_runs_survive_a_restart(
    owner: Actor, agent: Agent, fake_openai: FakeOpenAI
) -> None:
    died, _ = runs.open_run(owner, given(agent, "was running"))
    waiting, _ = runs.open_run(owner, given(agent, "still here"))
    hopeless, _ = runs.open_run(owner, given(agent, "brings the server down"))
    Run.objects.filter(pk=hopeless.run_id).update(status="running", options={"resumes": 3})
    assert begin_run(died.run_id) is not None

    async def scenario() -> None:
        async with aclosing(bus.subscribe(waiting.run_id)) as ear:
            await boot.start()
            async for _, event in ear:
                if isinstance(event, RunFinished):
                    return

    play(scenario)
    assert Run.objects.get(pk=waiting.run_id).status == "completed"
    assert Run.objects.get(pk=died.run_id).status == "completed"
    said = [row["content"] for row in fake_openai.chats[-1]["messages"] if row["role"] == "user"]
    assert said == ["was running", "still here"]
    interrupted = Run.objects.get(pk=hopeless.run_id)
    assert (interrupted.status, interrupted.error["kind"]) == ("failed", "interrupted")


def test_a_run_goes_on_from_its_last_checkpoint(
    owner: Actor, agent: Agent, fake_openai: FakeOpenAI
) -> None:
    insert = Call("archival_memory_insert", {"content": "Bob likes fjords."})
    fake_openai.push(Reply(calls=(insert,)), Reply("never", delay_s=30), "Kept.")

    async def die() -> None:
        ref, ear = await runner.send(owner, given(agent))
        async with aclosing(ear):
            async for _, event in ear:
                if isinstance(event, StepCommitted):
                    break
        await asyncio.sleep(0.2)

    async def revive() -> None:
        run = await in_db(Run.objects.get)
        async with aclosing(bus.subscribe(run.id)) as ear:
            await boot.start()
            async for _, event in ear:
                if isinstance(event, RunFinished):
                    return

    play(die)  # its loop ends with the task in the middle of the second step, as a kill would
    Run.objects.update(status="running")
    play(revive)
    run = Run.objects.get()
    assert (run.status, run.step_count, Passage.objects.count()) == ("completed", 2, 1)
    roles = list(Message.objects.order_by("seq").values_list("role", flat=True))
    assert roles == ["system", "user", "assistant", "tool", "assistant"]


def test_a_search_does_not_find_the_question_that_led_to_it(
    owner: Actor, agent: Agent, fake_openai: FakeOpenAI
) -> None:
    fake_openai.push("Bergen has fjords.")
    play(lambda: follow(owner, given(agent, "Tell me of fjords.")))
    look = Reply(calls=(Call("conversation_search", {"query": "fjords"}),))
    fake_openai.push(look, look, "You asked before.")
    play(lambda: follow(owner, given(agent, "Did I ask about fjords?")))
    for call in ToolCall.objects.all():  # the second is made when its own question is in the index
        found = {one["content"] for one in json.loads(call.result)["results"]}
        assert found == {"Tell me of fjords.", "Bergen has fjords."}


def test_what_a_summary_cost_counts_for_the_run_and_for_no_step(
    owner: Actor, agent: Agent, fake_openai: FakeOpenAI
) -> None:
    for n in range(6):
        fake_openai.push("word " * 400)
        play(lambda n=n: follow(owner, given(agent, f"Fact {n}. " + "word " * 400)))
    Agent.objects.update(context_window_limit=4_000)
    fake_openai.push("They spoke of facts.", "ok")
    *_, end = play(lambda: follow(owner, given(agent, "And now?")))
    run, step = Run.objects.latest("seq"), Step.objects.latest("seq")
    summary, answer = fake_openai.usages[-2:]
    assert (step.prompt_tokens, step.completion_tokens) == (answer.prompt, answer.completion)
    assert run.prompt_tokens == end.usage.prompt_tokens == summary.prompt + answer.prompt
    assert run.completion_tokens == summary.completion + answer.completion


def test_tokens_come_when_asked_for(owner: Actor, agent: Agent, fake_openai: FakeOpenAI) -> None:
    fake_openai.push("one two three")
    events = play(lambda: follow(owner, given(agent, stream_tokens=True)))
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "one two three"
    assert fake_openai.chats[0]["stream"] is True


def test_a_request_is_rebuilt_byte_for_byte(
    owner: Actor, agent: Agent, fake_openai: FakeOpenAI
) -> None:
    fake_openai.push(Reply(calls=(Call("conversation_search", {"query": "Bob"}),)), "Found.")
    play(lambda: follow(owner, given(agent)))
    sent = [request.body for request in fake_openai.requests if "messages" in request.body]
    for step, body in zip(Step.objects.order_by("seq"), sent, strict=True):
        assert rebuild_request(step) == {"body": body, "verified": True}
