"""Letting a request in: to its own run, to the run it led to before, or not at all."""

from dataclasses import dataclass

from agents.models import Conversation, Run
from agents.services.resends import find_resent
from agents.services.runs import ACTIVE, insert_run, locked_conversation, ref_of
from agents.types import RunInput, RunRef
from letta_site.core.aio import write
from letta_site.core.errors import Conflict
from letta_site.core.types import Actor


@dataclass(frozen=True, slots=True)
class Admission:
    """A run for a request. `joined`: it was there; `interrupts` are to be stopped for it."""

    ref: RunRef
    seq: int
    joined: bool = False
    interrupts: tuple[str, ...] = ()


def admit_run(actor: Actor, given: RunInput) -> Admission:
    """Store a request durably, unless it was sent before: then return the run that it led to.

    All of it happens under the lock of the agent's row, so that of two resends at once one wins.
    Raises NotFound; Conflict with `run_id` when the conversation is busy and the request does not
    wait, or when its Idempotency-Key belongs to another request.
    """
    with write():
        conversation = locked_conversation(actor, given)
        before = find_resent(conversation.id, given)
        if before is not None:
            return Admission(ref_of(before), before.seq, joined=True)
        active = _active_runs(conversation, given)
        if active and given.when_busy == "reject":
            raise Conflict(
                "Another request is at work in this conversation.",
                todo="Wait for its end, cancel it, or send with when_busy=queue.",
                run_id=active[-1],
            )
        run = insert_run(actor, conversation, given)
    return Admission(ref_of(run), run.seq, interrupts=tuple(active))


def _active_runs(conversation: Conversation, given: RunInput) -> list[str]:
    if given.when_busy == "queue":
        return []
    rows = Run.objects.filter(conversation_id=conversation.id, status__in=ACTIVE)
    return list(rows.order_by("-seq").values_list("id", flat=True))
