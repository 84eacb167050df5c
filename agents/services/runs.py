"""Runs: accepting them, finding them, ending those that cannot end themselves."""

from dataclasses import asdict, replace
from datetime import datetime

from django.db.models import QuerySet

from agents.engine.events import Failure
from agents.models import Agent, Conversation, Message, Run
from agents.services.approvals import admit, close_cut_short
from agents.services.messages import Home, from_part, index_messages, to_type
from agents.services.numbering import reserve_in
from agents.types import InputMessage, Json, RunInput, RunRef, Usage
from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.errors import Conflict, NotFound
from letta_site.core.paging import page
from letta_site.core.types import Actor, PageQuery

ACTIVE = ("created", "running")
MOST_RESUMES = 3

# Which run status each stop reason means; every reason not named here is a failure.
STATUS_OF_STOP: dict[str, str] = {
    "end_turn": "completed",
    "max_steps": "completed",
    "tool_rule": "completed",
    "requires_approval": "completed",
    "cancelled": "cancelled",
}


def status_of(stop_reason: str) -> str:
    """Return the run status that a stop reason means."""
    return STATUS_OF_STOP.get(stop_reason, "failed")


def open_run(actor: Actor, given: RunInput) -> tuple[RunRef, int]:
    """Store a request durably and give it its place in the conversation's queue.

    From here on nothing of it is lost. Returns the run and its sequence number. Raises NotFound
    for an unknown agent or conversation; what `approvals.admit` raises while calls wait.
    """
    with write():
        run = insert_run(actor, locked_conversation(actor, given), given)
    return ref_of(run), run.seq


def insert_run(actor: Actor, conversation: Conversation, given: RunInput) -> Run:
    """Insert a run of a `locked_conversation`. Call it inside `aio.write()`.

    Raises what `approvals.admit` raises while calls wait for an answer.
    """
    agent = conversation.agent
    given = replace(given, messages=admit(conversation, given.messages))
    run = Run.objects.create(
        org_id=agent.org_id,
        agent=agent,
        conversation_id=conversation.id,
        # The numbers after it are its input's, if nothing else has come by the time it begins.
        seq=agent.last_seq + 1,
        background=given.background,
        input=stored_input(given),
        options=run_options(given),
        request_config=given.request_config,
        metadata=given.metadata,
        callback_url=given.callback_url,
        resend_key=given.resend_key,
        idempotency_key=given.idempotency_key,
        otid=given.otid,
        batch_id=given.batch_id,
        created_by_id=actor.id,
    )
    if not conversation.is_default:
        Conversation.objects.filter(pk=conversation.pk).update(last_message_at=run.created_at)
    return run


def ref_of(run: Run) -> RunRef:
    """Return a run by its ids."""
    return RunRef(
        run.id,
        run.agent_id,
        run.conversation_id,
        run.org_id,
        background=run.background,
        calls_back=bool(run.callback_url or run.batch_id),
    )


def locked_conversation(actor: Actor, given: RunInput) -> Conversation:
    """Return the conversation with its agent, which has numbers for the run and its input.

    The agent is locked until the commit. Call it inside `aio.write()`. Raises NotFound for an
    unknown agent or conversation.
    """
    wanted, count = given.conversation_id, 1 + len(given.messages)
    found = reserve_in(actor, given.agent_id, count, conversation_id=wanted)
    if found is not None:
        return found
    if wanted and Agent.objects.of(actor).filter(pk=given.agent_id).exists():
        raise NotFound(f"Conversation {wanted} not found")
    raise NotFound(f"Agent with ID {given.agent_id} not found")


def stored_input(given: RunInput) -> list[Json]:
    """Return the messages of a request as they are stored with its run."""
    return [_stored_message(message) for message in given.messages]


def _stored_message(message: InputMessage) -> Json:
    return {
        "role": message.role,
        "content": [from_part(part) for part in message.parts],
        "name": message.name,
        "otid": message.otid,
        "sender_id": message.sender_id,
        "group_id": message.group_id,
        "approvals": list(message.approvals),
    }


def run_options(given: RunInput) -> Json:
    """Return what of a request only the engine needs, as it is stored with the run."""
    return {
        "max_steps": given.max_steps,
        "stream_tokens": given.stream_tokens,
        "override_model": given.override_model,
        "override_system": given.override_system,
        "client_tools": list(given.client_tools),
        "client_skills": list(given.client_skills),
    }


def list_waiting() -> list[tuple[RunRef, int]]:
    """Return every accepted run that has not started, with its sequence number."""
    rows = Run.objects.filter(status="created").order_by("seq")
    return [(ref_of(row), row.seq) for row in rows]


def end_run(run_id: str, stop_reason: str, failure: Failure | None) -> None:
    """End a run outside of a step, and note on its agent how it ended."""
    moment = now()
    with write():
        run = Run.objects.filter(pk=run_id, status__in=ACTIVE).first()
        if run is None:
            return
        began = run.started_at or run.created_at
        Run.objects.filter(pk=run_id).update(**ending(began, stop_reason, failure, moment))
        close_cut_short(run)
        Agent.objects.filter(pk=run.agent_id).update(last_stop_reason=stop_reason)
        if not run.step_count:
            _index_inputs(run)


def _index_inputs(run: Run) -> None:
    """Make findable what a run was given that ended before its first checkpoint."""
    given = [to_type(row) for row in Message.objects.filter(run_id=run.id)]
    index_messages(given, Home(run.org_id, run.agent_id, run.conversation_id))


def failure_row(failure: Failure | None) -> Json | None:
    """Return a failure as it is stored."""
    return asdict(failure) if failure else None


def ending(began: datetime, stop_reason: str, failure: Failure | None, moment: datetime) -> Json:
    """Return the fields of a run that ends at `moment`."""
    return {
        "status": "failed" if failure else status_of(stop_reason),
        "stop_reason": stop_reason,
        "completed_at": moment,
        "total_duration_ns": int((moment - began).total_seconds() * 1e9),
        "error": failure_row(failure),
    }


def usage_columns(usage: Usage) -> Json:
    """Return the fields of a run that tell its tokens."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cached_input_tokens": usage.cached_input_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
    }


def resume_interrupted() -> tuple[int, int]:
    """Put runs that were under way when the server died back into their queues.

    Everything up to the last checkpoint is stored, so they go on from there. One that has been
    taken up `MOST_RESUMES` times in vain ends as interrupted. Returns how many of each.
    """
    with write():
        died = list(Run.objects.filter(status="running"))
        hopeless = [run.id for run in died if run.options.get("resumes", 0) >= MOST_RESUMES]
        for run in died:
            run.status = "created"
            run.options = {**run.options, "resumes": run.options.get("resumes", 0) + 1}
        Run.objects.bulk_update(
            [run for run in died if run.id not in hopeless], ["status", "options"]
        )
        for run in died:
            if run.id in hopeless:
                end_interrupted(run.id)
    return len(died) - len(hopeless), len(hopeless)


def end_interrupted(run_id: str) -> None:
    """End a run that nobody carries out any more. Call it inside `aio.write()`."""
    run = Run.objects.get(pk=run_id)
    close_cut_short(run)
    Run.objects.filter(pk=run_id).update(**_interruption())
    if not run.step_count:
        _index_inputs(run)


def _interruption() -> Json:
    return {
        "status": "failed",
        "stop_reason": "error",
        "completed_at": now(),
        "error": {
            "kind": "interrupted",
            "message": "The server stopped while this run was under way.",
            "todo": "Finished steps are kept. Send the message again to go on.",
        },
    }


def close_waiting_run(actor: Actor, run_id: str, *, at: datetime) -> bool:
    """Cancel a run that has not started; tell whether it was still waiting."""
    with write():
        return bool(
            Run.objects.of(actor)
            .filter(pk=run_id, status="created")
            .update(status="cancelled", stop_reason="cancelled", completed_at=at)
        )


def active_run_ids(actor: Actor, agent_id: str) -> list[str]:
    """Return the ids of an agent's runs that have not ended, latest first.

    In that order a run that waits is cancelled before the one it waits for.
    """
    rows = Run.objects.of(actor).filter(agent_id=agent_id, status__in=ACTIVE).order_by("-seq")
    return list(rows.values_list("id", flat=True))


def get_run(actor: Actor, run_id: str) -> Run:
    """Return a run. Raises NotFound."""
    run: Run | None = Run.objects.of(actor).filter(pk=run_id).first()
    if run is None:
        raise NotFound(f"Run with id '{run_id}' not found")
    return run


def list_runs(actor: Actor, *, query: PageQuery, filters: Json) -> list[Run]:
    """Return a page of runs. `filters` are field lookups of Run."""
    rows: QuerySet[Run] = Run.objects.of(actor).filter(**filters)
    return page(rows, query)


def delete_run(actor: Actor, run_id: str) -> Run:
    """Delete the record of a run that has ended; its messages stay. Raises Conflict, NotFound."""
    run = get_run(actor, run_id)
    if run.status in ACTIVE:
        raise Conflict(f"Run {run_id} is {run.status}.", todo="Cancel it first.")
    with write():
        Run.objects.filter(pk=run.pk).delete()
    return run
