"""Batches: requests to many agents, handed in together."""

from collections.abc import Sequence
from dataclasses import replace

from agents.models import Batch, Message, Run
from agents.services.admission import Admission, admit_run
from agents.services.runs import ACTIVE
from agents.types import Json, RunInput
from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.errors import Conflict, NotFound
from letta_site.core.paging import page
from letta_site.core.types import Actor, PageQuery


def open_batch(
    actor: Actor, wanted: Sequence[RunInput], *, callback_url: str | None = None
) -> tuple[Batch, list[Admission]]:
    """Store a batch and let all of its requests in, or none.

    It is new by itself: that a request was sent before is no reason to leave it out.
    Raises what `admit_run` does.
    """
    with write():
        batch = Batch.objects.create(
            org_id=actor.org_id,
            callback_url=callback_url,
            created_by_id=actor.id,
            last_updated_by_id=actor.id,
        )
        ours = [replace(one, batch_id=batch.id, otid=None, background=True) for one in wanted]
        return batch, [admit_run(actor, one) for one in ours]


def get_batch(actor: Actor, batch_id: str) -> Batch:
    """Return a batch. Raises NotFound."""
    batch: Batch | None = Batch.objects.of(actor).filter(pk=batch_id).first()
    if batch is None:
        raise NotFound(f"Batch with id '{batch_id}' not found")
    return batch


def list_batches(actor: Actor, *, query: PageQuery) -> list[Batch]:
    """Return a page of batches."""
    return page(Batch.objects.of(actor), query)


def runs_of(batches: list[Batch]) -> dict[str, list[Run]]:
    """Return the runs of each batch by its id, in the order handed in: one query."""
    found: dict[str, list[Run]] = {batch.id: [] for batch in batches}
    for run in Run.objects.filter(batch__in=batches).order_by("created_at", "seq"):
        found[run.batch_id or ""].append(run)
    return found


def list_batch_messages(
    actor: Actor, batch_id: str, *, query: PageQuery, agent_id: str | None = None
) -> list[Message]:
    """Return a page of the messages of all runs of a batch. Raises NotFound."""
    get_batch(actor, batch_id)
    runs = Run.objects.filter(batch_id=batch_id).values("id")
    rows = Message.objects.of(actor).filter(run_id__in=runs)
    return page(rows.filter(agent_id=agent_id) if agent_id else rows, query)


def cancel_batch(actor: Actor, batch_id: str) -> list[Run]:
    """Note that a batch is not wanted any more; return its runs that have not ended, latest first.

    In that order a run that waits is cancelled before the one it waits for.

    Raises NotFound; Conflict when all of them have.
    """
    with write():
        batch = get_batch(actor, batch_id)
        active = list(Run.objects.filter(batch=batch, status__in=ACTIVE).order_by("-seq"))
        if not active:
            raise Conflict(f"Batch {batch_id} has ended.")
        Batch.objects.filter(pk=batch.pk).update(cancelled_at=now(), updated_at=now())
    return active


def status_of_batch(batch: Batch, runs: list[Run]) -> Json:
    """Return status and time of completion: it ends with the last of its runs."""
    if any(run.status in ACTIVE for run in runs):
        return {"status": "running", "completed_at": None}
    ends = [run.completed_at for run in runs if run.completed_at]
    failed = bool(runs) and all(run.status == "failed" for run in runs)
    ended = "cancelled" if batch.cancelled_at else "failed" if failed else "completed"
    return {"status": ended, "completed_at": max(ends, default=batch.created_at)}
