"""Batches on the wire: jobs of type `batch`."""

from agents.models import Batch
from agents.types import Json
from agents.wire.moments import stamp


def encode_batch(batch: Batch, ended: Json) -> Json:
    """Return a BatchJob; `ended` holds its status and its time of completion."""
    return {
        "id": batch.id,
        "status": ended["status"],
        "completed_at": stamp(ended["completed_at"]),
        "created_at": stamp(batch.created_at),
        "updated_at": stamp(batch.updated_at),
        "created_by_id": batch.created_by_id,
        "last_updated_by_id": batch.last_updated_by_id,
        "stop_reason": None,
        "metadata": {},
        "job_type": "batch",
        "background": True,
        "agent_id": None,
        "callback_url": batch.callback_url,
        "callback_sent_at": stamp(batch.callback_sent_at),
        "callback_status_code": batch.callback_status_code,
        "callback_error": batch.callback_error,
        "ttft_ns": None,
        "total_duration_ns": None,
    }
