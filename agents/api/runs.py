"""Runs: /v1/runs."""

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query

from agents.api.answering import resume
from agents.api.routers import runs_router as router
from agents.services import message_lists, run_events, runs, steps
from agents.types import Json
from agents.wire.ids import RunId
from agents.wire.messages import encode_history
from agents.wire.queries import RunConditions, RunPage
from agents.wire.raw_messages import encode_raw
from agents.wire.results import view_of_config
from agents.wire.run_requests import RetrieveStreamRequest
from agents.wire.runs import encode_run, encode_run_metrics, encode_run_usage, encode_step
from agents.wire.spans import encode_spans
from letta_site.core.aio import in_db
from letta_site.core.paging import Page, check_limit


@router.get("/")
def list_runs(
    request: HttpRequest, conditions: Query[RunConditions], page: Query[RunPage]
) -> list[Json]:
    query, filters = page.query(limit=100), conditions.lookups()
    return [encode_run(row) for row in runs.list_runs(request.auth, query=query, filters=filters)]


@router.get("/active")
def list_active_runs(request: HttpRequest, conditions: Query[RunConditions]) -> list[Json]:
    filters = conditions.lookups() | {"status__in": runs.ACTIVE}
    query = RunPage().query(limit=1000)
    return [encode_run(row) for row in runs.list_runs(request.auth, query=query, filters=filters)]


@router.get("/{run_id}")
def get_run(request: HttpRequest, run_id: RunId) -> Json:
    return encode_run(runs.get_run(request.auth, run_id))


@router.delete("/{run_id}")
def delete_run(request: HttpRequest, run_id: RunId) -> Json:
    return encode_run(runs.delete_run(request.auth, run_id))


@router.get("/{run_id}/messages")
def list_run_messages(request: HttpRequest, run_id: RunId, page: Query[Page]) -> list[Json]:
    run = runs.get_run(request.auth, run_id)
    query = page.query(limit=100, order="asc")
    found = message_lists.list_run_messages(request.auth, run_id=run.id, query=query)
    agent_type = message_lists.agent_type_of(request.auth, run.agent_id)
    return encode_history(found, view_of_config(run.request_config, agent_type=agent_type))


@router.get("/{run_id}/usage")
def get_run_usage(request: HttpRequest, run_id: RunId) -> Json:
    return encode_run_usage(runs.get_run(request.auth, run_id))


@router.get("/{run_id}/metrics")
def get_run_metrics(request: HttpRequest, run_id: RunId) -> Json:
    run = runs.get_run(request.auth, run_id)
    return encode_run_metrics(run, steps.tools_used(request.auth, run_id))


@router.get("/{run_id}/steps")
def list_run_steps(request: HttpRequest, run_id: RunId, page: Query[Page]) -> list[Json]:
    runs.get_run(request.auth, run_id)
    found = steps.list_steps(request.auth, query=page.query(limit=100), filters={"run_id": run_id})
    held = steps.messages_of_steps(request.auth, found)
    return [encode_step(step, [encode_raw(row) for row in held[step.id]]) for step in found]


@router.get("/{run_id}/trace")
def get_run_trace(request: HttpRequest, run_id: RunId, limit: int = 1000) -> list[Json]:
    run = runs.get_run(request.auth, run_id)
    made, called = steps.work_of_run(request.auth, run.id)
    return encode_spans(run, made, called)[: check_limit(limit)]


@router.post("/{run_id}/stream")
async def stream_run(
    request: HttpRequest, run_id: RunId, given: RetrieveStreamRequest | None = None
) -> StreamingHttpResponse:
    run = await in_db(run_events.readable_run, request.auth, run_id)
    return await resume(request, run, given)
