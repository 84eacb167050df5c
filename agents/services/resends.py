"""Requests that a client sent again because it did not see the answer."""

from datetime import timedelta
from itertools import groupby

from agents.engine.events import Event, Failure, RunFinished, StepCommitted
from agents.models import Message, Run
from agents.services.messages import to_type
from agents.services.runs import ACTIVE, get_run
from agents.types import Usage
from letta_site.core.clock import now
from letta_site.core.types import Actor

SAME_REQUEST_FOR = timedelta(minutes=30)


def find_resent(actor: Actor, agent_id: str, resend_key: str) -> Run | None:
    """Return the run that this very request led to lately, if there is one."""
    rows = Run.objects.of(actor).filter(agent_id=agent_id, resend_key=resend_key)
    lately = rows.filter(created_at__gt=now() - SAME_REQUEST_FOR)
    found: Run | None = lately.order_by("-seq").first()
    return found


def replay(actor: Actor, run_id: str) -> list[Event]:
    """Return what a run has told so far, from what is stored of it: steps, and its end if it has.

    Raises NotFound.
    """
    run = get_run(actor, run_id)
    events: list[Event] = _steps(run)
    return events if run.status in ACTIVE else [*events, _end(run)]


def _steps(run: Run) -> list[Event]:
    rows = Message.objects.filter(run_id=run.id, step_id__isnull=False).order_by("seq")
    return [
        StepCommitted(str(step_id), n, tuple(map(to_type, messages)), Usage())
        for n, (step_id, messages) in enumerate(groupby(rows, lambda row: row.step_id), 1)
    ]


def _end(run: Run) -> RunFinished:
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
