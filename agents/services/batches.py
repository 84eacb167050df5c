"""Batches: requests to many agents, handed in together."""

from agents.models import Batch, Message, Run
from agents.services.agent_boot import default_conversation
from agents.services.approvals import admit
from agents.services.runs import ACTIVE
from agents.types import Json, RunInput
from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.errors import Conflict, NotFound
from letta_site.core.paging import page
from letta_site.core.types import Actor, PageQuery


def create_batch(actor: Actor, *, callback_url: str | None = None) -> Batch:
    """Store a batch, to which runs are then added."""
    with write():
        return Batch.objects.create(
            org_id=actor.org_id,
            callback_url=callback_url,
            created_by_id=actor.id,
            last_updated_by_id=actor.id,
        )


def check_item(actor: Actor, given: RunInput) -> None:
    """Raise what accepting this request would raise, so that a batch is accepted whole or not."""
    admit(default_conversation(actor, given.agent_id), given.messages)


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
    """Note that a batch is not wanted any more; return its runs that have not ended.

    Raises NotFound; Conflict when all of them have.
    """
    with write():
        batch = get_batch(actor, batch_id)
        active = list(Run.objects.filter(batch=batch, status__in=ACTIVE).order_by("seq"))
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
