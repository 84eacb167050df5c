"""Telling somebody else's server that a run has ended: what to tell, and how it went."""

from django.db.models import Q

from agents.models import Batch, Run
from agents.services.message_lists import run_replies
from agents.services.runs import ACTIVE
from agents.types import Message
from letta_site.core.aio import write
from letta_site.core.clock import now


def load_ended(run_id: str) -> tuple[Run, list[Message]] | None:
    """Return a run that is to call back, with its agent and what it said; None if it is not."""
    rows = Run.objects.select_related("agent").filter(pk=run_id, callback_sent_at=None)
    run: Run | None = rows.exclude(status__in=ACTIVE).exclude(callback_url=None).first()
    return (run, run_replies(run)) if run else None


def store_outcome(run_id: str, status_code: int | None, error: str | None) -> None:
    """Note how a callback went."""
    with write():
        Run.objects.filter(pk=run_id).update(
            callback_sent_at=now(), callback_status_code=status_code, callback_error=error
        )


def load_ended_batch(run_id: str) -> Batch | None:
    """Return the batch of a run that is to call back, if this run was the last of it to end."""
    batch: Batch | None = Batch.objects.filter(runs=run_id, callback_sent_at=None).first()
    if batch is None or not batch.callback_url:
        return None
    rows = Run.objects.filter(batch=batch)
    if rows.filter(status__in=ACTIVE).exists():
        return None
    # Runs that end at the same time may all look only now: one of them is the last.
    last = rows.order_by("-completed_at", "-id").values_list("id", flat=True).first()
    return batch if last == run_id else None


def store_batch_outcome(batch_id: str, status_code: int | None, error: str | None) -> None:
    """Note how the callback of a batch went."""
    with write():
        Batch.objects.filter(pk=batch_id).update(
            callback_sent_at=now(), callback_status_code=status_code, callback_error=error
        )


def list_uncalled() -> list[str]:
    """Return the ids of ended runs whose callback the last process did not get to."""
    alone = Q(callback_url__isnull=False, callback_sent_at=None)
    together = Q(batch__callback_url__isnull=False, batch__callback_sent_at=None)
    rows = Run.objects.exclude(status__in=ACTIVE).filter(alone | together)
    return list(rows.values_list("id", flat=True))
