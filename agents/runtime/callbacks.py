"""Calling back when a run has ended. It is tried once, and how it went is stored with the run."""

import json
import logging
from collections.abc import Callable, Sequence

from django.conf import settings

from agents.models import Run
from agents.services.callbacks import (
    claim_ended,
    claim_ended_batch,
    store_batch_outcome,
    store_outcome,
)
from agents.types import Json, Message
from letta_site.core.aio import in_db, spawn
from letta_site.core.errors import AppError
from letta_site.core.fetch import Limits, post_json

log = logging.getLogger(__name__)

Encode = Callable[[Run, Sequence[Message]], Json]
_source: list[Callable[[], Encode]] = []


def encode_with(source: Callable[[], Encode]) -> None:
    """Take what gives the encoder of a result: it belongs to the wire, which is above this room."""
    _source[:] = [source]


def start(run_id: str) -> None:
    """Call back for a run that has ended, while nobody waits."""
    spawn(call_back(run_id), name=f"callback of {run_id}")


async def call_back(run_id: str) -> None:
    """Post the result of a run to where its sender wants it, and store the outcome."""
    found = await in_db(claim_ended, run_id)
    if found:
        run, messages = found
        told = await _post(run.callback_url or "", _source[0]()(run, messages))
        await in_db(store_outcome, run_id, *told)
    batch = await in_db(claim_ended_batch, run_id)
    if batch:
        ended = "cancelled" if batch.cancelled_at else "completed"
        told = await _post(batch.callback_url or "", {"job_id": batch.id, "status": ended})
        await in_db(store_batch_outcome, batch.id, *told)


async def _post(url: str, body: Json) -> tuple[int | None, str | None]:
    """Return the status that the address answered with, or why it could not be told."""
    limits = Limits(settings.CALLBACK_TIMEOUT_S, private=settings.ALLOW_PRIVATE_CALLBACKS)
    try:
        return await post_json(url, json.dumps(body).encode(), limits), None
    except AppError as failed:
        log.warning("A callback failed: %s", failed.what)
        return None, failed.what
