"""The runner: accepts requests, runs them one after the other in each conversation, publishes.

It alone iterates the engine, in a task of its own: a client that leaves only stops listening.
"""

import asyncio
import heapq
import logging
from collections.abc import Sequence
from contextlib import aclosing

from agents.engine.approvals import PENDING, PendingApproval
from agents.engine.events import Failure, RunFinished, RunStarted
from agents.engine.loop import run_agent
from agents.engine.ports import Ports
from agents.llm.choose import Exchange
from agents.models import Batch
from agents.runtime import bus, callbacks, cancel, recording
from agents.runtime.ears import Ear, Replayed
from agents.runtime.followups import follow_up
from agents.runtime.messenger import RunMessenger, messenger_of
from agents.services import approvals, resends, runs
from agents.services.admission import Admission, admit_run
from agents.services.batches import open_batch
from agents.services.checkpoint import RunLedger
from agents.services.neighbours import name_of
from agents.services.snapshot import Begun, begin_run
from agents.tools.toolbox import AgentToolBox
from agents.types import RunInput, RunRef, Usage
from letta_site.core import clock
from letta_site.core.aio import in_db, spawn
from letta_site.core.errors import AppError, Conflict, LLMError, NotFound
from letta_site.core.types import Actor

log = logging.getLogger(__name__)

# Per conversation: the waiting runs as a heap by acceptance order. Present = a task drains it.
_queues: dict[str, list[tuple[int, RunRef]]] = {}


async def send(actor: Actor, given: RunInput) -> tuple[RunRef, Ear]:
    """Accept a request and queue it; return it with an ear that misses nothing of it.

    A request that was sent before is not carried out again: its run and what that told come back.
    """
    admitted = await _admit(actor, given)
    ref = admitted.ref
    if ref.background:
        _enqueue_new(admitted)
        return ref, await recording.follow(await in_db(runs.get_run, actor, ref.run_id))
    ear = bus.subscribe(ref.run_id)
    _enqueue_new(admitted)
    if not admitted.joined:
        return ref, ear
    return ref, Replayed(await in_db(resends.replay, actor, ref.run_id), ref, ear)


async def accept(actor: Actor, given: RunInput) -> RunRef:
    """Accept a request and queue it, for callers who do not wait for it."""
    admitted = await _admit(actor, given)
    _enqueue_new(admitted)
    return admitted.ref


async def accept_batch(
    actor: Actor, wanted: Sequence[RunInput], *, callback_url: str | None
) -> Batch:
    """Accept many requests at once, all of them or none, and queue them."""
    batch, admissions = await in_db(open_batch, actor, wanted, callback_url=callback_url)
    for admitted in admissions:
        await _interrupt(actor, admitted)
        _enqueue_new(admitted)
    return batch


async def _admit(actor: Actor, given: RunInput) -> Admission:
    admitted = await in_db(admit_run, actor, given)
    await _interrupt(actor, admitted)
    return admitted


async def _interrupt(actor: Actor, admitted: Admission) -> None:
    for run_id in admitted.interrupts:
        await _cancel_one(actor, run_id)


def _enqueue_new(admitted: Admission) -> None:
    if not admitted.joined:
        enqueue(admitted.ref, admitted.seq)


def enqueue(ref: RunRef, seq: int) -> None:
    """Put an accepted run into its conversation's queue and see that somebody drains it."""
    if ref.background:
        recording.start(ref)
    if ref.conversation_id in _queues:
        heapq.heappush(_queues[ref.conversation_id], (seq, ref))
        return
    _queues[ref.conversation_id] = [(seq, ref)]
    spawn(_drain(ref.conversation_id), name=f"conversation {ref.conversation_id}")


def is_queued(ref: RunRef) -> bool:
    """Tell whether a run waits in a queue of this process."""
    return any(waiting == ref for _, waiting in _queues.get(ref.conversation_id, ()))


async def _drain(conversation_id: str) -> None:
    queue = _queues[conversation_id]
    try:
        while queue:
            await _run(heapq.heappop(queue)[1])
    finally:
        del _queues[conversation_id]


async def _run(ref: RunRef) -> None:
    """Carry out one run. Whatever happens, it ends with a stored state and a RunFinished."""
    flag = cancel.flag_for(ref.run_id)
    try:
        begun = await in_db(begin_run, ref.run_id)
        if begun is None:
            bus.publish(ref, RunFinished("cancelled", Usage(), 0))
            return
        bus.publish(ref, RunStarted(begun.inputs))
        async with aclosing(run_agent(begun.spec, begun.transcript, _ports(begun, flag))) as events:
            async for event in events:
                if isinstance(event, RunFinished):
                    event, opened = await follow_up(begun, event)
                    for follower, seq in opened:
                        enqueue(follower, seq)
                bus.publish(ref, event)
    except Exception as error:  # noqa: BLE001 - the last line: a run must never stay open
        await _give_up(ref, error)
    finally:
        cancel.forget(ref.run_id)
        if ref.calls_back:
            callbacks.start(ref.run_id)


def _ports(begun: Begun, flag: asyncio.Event) -> Ports:
    return Ports(
        llm=Exchange(begun.actor.org_id, own_providers=begun.own_providers),
        tools=AgentToolBox(begun.actor.org_id, begun.spec.tools, messenger_of(begun, send)),
        ledger=RunLedger(begun),
        cancel=flag,
        clock=clock,
        org_id=begun.actor.org_id,
    )


async def messenger_by_hand(actor: Actor, agent_id: str) -> RunMessenger:
    """Return a messenger that writes as an agent which is not at work. Raises NotFound."""
    name = await in_db(name_of, actor, agent_id)
    return RunMessenger(actor, (agent_id, name), "", [], send)


async def _give_up(ref: RunRef, error: Exception) -> None:
    failure = _failure_of(error)
    if failure.kind == "internal_error":
        log.exception("Run %s failed", ref.run_id)
    await in_db(runs.end_run, ref.run_id, "error", failure)
    bus.publish(ref, RunFinished("error", Usage(), 0, failure=failure))


def _failure_of(error: Exception) -> Failure:
    if isinstance(error, LLMError):
        return Failure(error.kind, error.what, error.todo, error.detail)
    if isinstance(error, PendingApproval):
        return Failure(PENDING, error.what, error.todo, error.request_id)
    if isinstance(error, AppError):
        return Failure("internal_error" if error.code == "ERROR" else "llm_error", error.what)
    return Failure(
        "internal_error",
        "Something went wrong inside the server.",
        "Look at the server's log under this run's id; finished steps are kept.",
    )


async def cancel_runs(actor: Actor, agent_id: str, run_ids: list[str] | None) -> dict[str, str]:
    """Ask runs of an agent to stop; all active ones when none is named.

    Calls that wait for an answer are denied. Returns run id -> "cancelled" or "failed" (unknown
    id). Raises Conflict when nothing is active and nothing waits.
    """
    wanted = run_ids or await in_db(runs.active_run_ids, actor, agent_id)
    told = {run_id: await _cancel_one(actor, run_id) for run_id in wanted}
    for ref in await in_db(approvals.cancel_pending, actor, agent_id, run_ids):
        told[ref.run_id] = "cancelled"
        bus.publish(ref, RunFinished("cancelled", Usage(), 0))
    if not told:
        raise Conflict("No active runs to cancel for this agent.")
    return told


async def _cancel_one(actor: Actor, run_id: str) -> str:
    try:
        run = await in_db(runs.get_run, actor, run_id)
    except NotFound:
        return "failed"
    if run.status not in runs.ACTIVE:
        return "cancelled"
    if not cancel.ask_to_stop(run_id):
        await in_db(runs.close_waiting_run, actor, run_id, at=clock.now())
    return "cancelled"
