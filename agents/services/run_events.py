"""What background runs told: events to rows and back."""

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any, cast, get_args

from pydantic import TypeAdapter

from agents.engine.events import Event, RunFinished, RunStarted, StepCommitted
from agents.models import Run, RunEvent
from agents.services.resends import end_of
from agents.services.runs import ACTIVE, get_run
from agents.types import Json
from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.errors import Gone, Invalid
from letta_site.core.types import Actor

KEPT_FOR = timedelta(hours=3)
_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Event)}


def store_events(run_id: str, first: int, events: Sequence[Event]) -> None:
    """Store events of a run, the first of them under number `first`; they count from 1."""
    with write():
        RunEvent.objects.bulk_create(
            RunEvent(run_id=run_id, n=n, event=from_event(event))
            for n, event in enumerate(events, first)
        )


def drop_old_events() -> None:
    """Delete what no reader may ask for any more."""
    with write():
        RunEvent.objects.filter(created_at__lt=now() - 2 * KEPT_FOR).delete()


def load_events(run: Run) -> list[Event]:
    """Return what a run has told, with its end if it has ended, told or not."""
    events = stored_events(run.id)
    run.refresh_from_db()
    if run.status in ACTIVE or (events and isinstance(events[-1], RunFinished)):
        return events
    return [*events, end_of(run)]


def stored_events(run_id: str) -> list[Event]:
    """Return what is stored of what a run told, in order."""
    rows = RunEvent.objects.filter(run_id=run_id).order_by("n").values_list("event", flat=True)
    return [to_event(row) for row in rows]


def readable_run(actor: Actor, run_id: str) -> Run:
    """Return a run whose stream can be read again. Raises NotFound, Invalid or Gone."""
    run = get_run(actor, run_id)
    if not run.background:
        raise Invalid(
            f"Run {run_id} was not a background run.", todo="Send with background set to true."
        )
    if run.status not in ACTIVE and run.created_at < now() - KEPT_FOR:
        raise Gone(
            f"Run {run_id} was created more than 3 hours ago, and its stream is kept no longer.",
            todo=f"GET /v1/runs/{run_id}/messages for what it has said.",
        )
    return run


def from_event(event: Event) -> Json:
    """Return what is stored of an event: not what a reader of messages never sees."""
    if isinstance(event, RunStarted):
        event = RunStarted(())
    elif isinstance(event, StepCommitted):
        event = dataclasses.replace(event, changed_blocks=())
    kind = type(event).__name__
    return {"kind": kind, **_adapter(kind).dump_python(event, mode="json")}


def to_event(row: Json) -> Event:
    """Return the value of a stored event."""
    fields = {key: value for key, value in row.items() if key != "kind"}
    return cast(Event, _adapter(row["kind"]).validate_python(fields))


@cache
def _adapter(kind: str) -> "TypeAdapter[Any]":
    return TypeAdapter(_KINDS[kind])
