"""Batches: /v1/messages/batches."""

from django.http import HttpRequest
from ninja import Query

from agents.api.routers import messages_router as router
from agents.models import Batch
from agents.runtime import runner
from agents.runtime.pictures import with_pictures
from agents.services import batches, message_lists
from agents.types import Json
from agents.wire.batches import encode_batch
from agents.wire.ids import BatchId
from agents.wire.queries import Page
from agents.wire.raw_messages import encode_raw
from agents.wire.requests import run_input
from agents.wire.run_requests import CreateBatch
from letta_site.core.aio import in_db


def _shown(rows: list[Batch]) -> list[Json]:
    runs = batches.runs_of(rows)
    return [encode_batch(row, batches.status_of_batch(row, runs[row.id])) for row in rows]


@router.post("/batches")
async def create_batch(request: HttpRequest, given: CreateBatch) -> Json:
    wanted = []
    for one in given.requests:
        await in_db(message_lists.agent_type_of, request.auth, one.agent_id)
        whole = run_input(one.agent_id, one, run_type="batch")
        wanted.append(await with_pictures(whole))
    batch = await runner.accept_batch(request.auth, wanted, callback_url=given.callback_url)
    return (await in_db(_shown, [batch]))[0]


@router.get("/batches")
def list_batches(request: HttpRequest, page: Query[Page]) -> list[Json]:
    return _shown(batches.list_batches(request.auth, query=page.query(limit=100)))


@router.get("/batches/{batch_id}")
def get_batch(request: HttpRequest, batch_id: BatchId) -> Json:
    return _shown([batches.get_batch(request.auth, batch_id)])[0]


@router.get("/batches/{batch_id}/messages")
def list_batch_messages(
    request: HttpRequest, batch_id: BatchId, page: Query[Page], agent_id: str | None = None
) -> Json:
    found = batches.list_batch_messages(
        request.auth, batch_id, query=page.query(limit=100), agent_id=agent_id
    )
    return {"messages": [encode_raw(row) for row in found]}


@router.patch("/batches/{batch_id}/cancel")
async def cancel_batch(request: HttpRequest, batch_id: BatchId) -> None:
    for run in await in_db(batches.cancel_batch, request.auth, batch_id):
        await runner.cancel_runs(request.auth, run.agent_id, [run.id])
