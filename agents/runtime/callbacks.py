"""Calling back when a run has ended. It is tried once, and how it went is stored with the run."""

import json
import logging
from collections.abc import Callable, Sequence

from django.conf import settings

from agents.models import Run
from agents.services.callbacks import load_ended, store_outcome
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
    found = await in_db(load_ended, run_id)
    if found is None:
        return
    run, messages = found
    body = json.dumps(_source[0]()(run, messages)).encode()
    limits = Limits(settings.CALLBACK_TIMEOUT_S, private=settings.ALLOW_PRIVATE_CALLBACKS)
    status, error = None, None
    try:
        status = await post_json(run.callback_url or "", body, limits)
    except AppError as failed:
        error = failed.what
        log.warning("The callback of run %s failed: %s", run_id, error)
    await in_db(store_outcome, run_id, status, error)
