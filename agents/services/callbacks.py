"""Telling somebody else's server that a run has ended: what to tell, and how it went."""

from django.db.models import Q

from agents.models import Batch, Run
from agents.services.message_lists import run_replies
from agents.services.runs import ACTIVE
from agents.types import Message
from letta_site.core.aio import write
from letta_site.core.clock import now


def claim_ended(run_id: str) -> tuple[Run, list[Message]] | None:
    """Return a run that is to call back, with its agent and what it said; None if it is not.

    Whoever gets it calls: `callback_sent_at` is taken in one statement, so only one of two does.
    """
    ours = Run.objects.filter(pk=run_id, callback_url__isnull=False, callback_sent_at=None)
    with write():
        if not ours.exclude(status__in=ACTIVE).update(callback_sent_at=now()):
            return None
    run = Run.objects.select_related("agent").get(pk=run_id)
    return run, run_replies(run)


def store_outcome(run_id: str, status_code: int | None, error: str | None) -> None:
    """Note how a callback went."""
    with write():
        Run.objects.filter(pk=run_id).update(callback_status_code=status_code, callback_error=error)


def claim_ended_batch(run_id: str) -> Batch | None:
    """Return the batch of a run that is to call back, once all of its runs have ended."""
    ended = Batch.objects.filter(runs=run_id, callback_url__isnull=False, callback_sent_at=None)
    batch: Batch | None = ended.first()
    if batch is None or Run.objects.filter(batch=batch, status__in=ACTIVE).exists():
        return None
    with write():
        ours = Batch.objects.filter(pk=batch.pk, callback_sent_at=None)
        return batch if ours.update(callback_sent_at=now()) else None


def store_batch_outcome(batch_id: str, status_code: int | None, error: str | None) -> None:
    """Note how the callback of a batch went."""
    with write():
        Batch.objects.filter(pk=batch_id).update(
            callback_status_code=status_code, callback_error=error
        )


def release_uncalled() -> list[str]:
    """Return the ids of ended runs whose callback the last process did not get to, or not through.

    For a start: nobody is calling yet, so a callback without an outcome belongs to nobody.
    """
    open_ended = Q(callback_status_code=None, callback_error=None)
    with write():
        for model in (Run, Batch):
            called = model.objects.filter(open_ended, callback_sent_at__isnull=False)
            called.update(callback_sent_at=None)
    alone = Q(callback_url__isnull=False, callback_sent_at=None)
    together = Q(batch__callback_url__isnull=False, batch__callback_sent_at=None)
    rows = Run.objects.exclude(status__in=ACTIVE).filter(alone | together)
    return list(rows.values_list("id", flat=True))
