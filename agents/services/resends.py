"""Requests that a client sent again because it did not see the answer."""

from datetime import timedelta
from itertools import groupby

from django.db.models import Q

from agents.engine.events import Event, Failure, RunFinished, StepCommitted
from agents.models import Message, Run
from agents.services.messages import to_type
from agents.services.runs import ACTIVE, get_run, stored_input
from agents.types import Json, RunInput, Usage
from letta_site.core.clock import now
from letta_site.core.errors import Conflict
from letta_site.core.types import Actor

# An SDK sends again within minutes, but a run may take longer than that.
SAME_BODY_FOR = timedelta(minutes=30)
SAME_OTID_FOR = timedelta(hours=24)


def find_resent(conversation_id: str, given: RunInput) -> Run | None:
    """Return the run that this very request led to before, if there is one.

    Call it while the agent's row is locked. Raises Conflict when the caller's Idempotency-Key was
    used for another request.
    """
    return _by_key(given) or _by_otid(conversation_id, given) or _by_body(conversation_id, given)


def _by_key(given: RunInput) -> Run | None:
    if not given.idempotency_key:
        return None
    rows = Run.objects.filter(agent_id=given.agent_id, idempotency_key=given.idempotency_key)
    found: Run | None = rows.first()
    if found and found.resend_key != given.resend_key:
        raise Conflict(
            "This Idempotency-Key was used for another request.",
            todo="Use a new key for a new request.",
            run_id=found.id,
        )
    return found


def _by_otid(conversation_id: str, given: RunInput) -> Run | None:
    """Find by the sender's own id: the same words still under way, or the same request of today.

    Some clients give every message the same otid. Those are new messages, not resends.
    """
    if not given.otid:
        return None
    lately = Q(status__in=ACTIVE) | Q(created_at__gt=now() - SAME_OTID_FOR)
    rows = Run.objects.filter(conversation_id=conversation_id, otid=given.otid).filter(lately)
    return next((run for run in rows.order_by("-seq") if _same(run, given)), None)


def _same(run: Run, given: RunInput) -> bool:
    if run.resend_key == given.resend_key:
        return True
    # While it is under way, a reader may come back in another way, e.g. for a stream.
    return run.status in ACTIVE and _words(run.input) == _words(stored_input(given))


def _words(rows: list[Json]) -> list[tuple[str, list[Json]]]:
    return [(row["role"], row["content"]) for row in rows]


def _by_body(conversation_id: str, given: RunInput) -> Run | None:
    if not (given.resends and given.resend_key):
        return None
    lately = Q(status__in=ACTIVE) | Q(created_at__gt=now() - SAME_BODY_FOR)
    rows = Run.objects.filter(conversation_id=conversation_id, resend_key=given.resend_key)
    found: Run | None = rows.filter(lately).order_by("-seq").first()
    return found


def replay(actor: Actor, run_id: str) -> list[Event]:
    """Return what a run has told so far, from what is stored of it: steps, and its end if it has.

    Raises NotFound.
    """
    run = get_run(actor, run_id)
    events: list[Event] = _steps(run)
    return events if run.status in ACTIVE else [*events, end_of(run)]


def _steps(run: Run) -> list[Event]:
    rows = Message.objects.filter(run_id=run.id, step_id__isnull=False).order_by("seq")
    return [
        StepCommitted(str(step_id), n, tuple(map(to_type, messages)), Usage())
        for n, (step_id, messages) in enumerate(groupby(rows, lambda row: row.step_id), 1)
    ]


def end_of(run: Run) -> RunFinished:
    """Return the last event of a run that has ended, from what is stored of it."""
    usage = Usage(
        run.prompt_tokens,
        run.completion_tokens,
        run.cached_input_tokens,
        None,
        run.reasoning_tokens,
    )
    return RunFinished(
        stop_reason=run.stop_reason or "error",
        usage=usage,
        step_count=run.step_count,
        context_tokens=run.context_tokens,
        failure=Failure(**run.error) if run.error else None,
    )
