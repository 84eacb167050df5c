"""Runs: /v1/runs."""

from django.http import HttpRequest
from ninja import Query

from agents.api.routers import runs_router as router
from agents.engine.strategies import strategy_of
from agents.services import message_lists, runs, steps
from agents.types import Json
from agents.wire.ids import RunId
from agents.wire.messages import encode_history
from agents.wire.queries import MessageConditions, Page, RunConditions, RunPage
from agents.wire.raw_messages import encode_raw
from agents.wire.runs import encode_run, encode_run_metrics, encode_run_usage, encode_step
from letta_site.core.errors import NotReady


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
    view = MessageConditions(**_shown(run.request_config)).view(
        text_is_reply=strategy_of(agent_type).reply == "text"
    )
    return encode_history(found, view)


def _shown(config: Json | None) -> Json:
    return {key: value for key, value in (config or {}).items() if value is not None}


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


@router.post("/{run_id}/stream")
def stream_run(request: HttpRequest, run_id: RunId) -> Json:
    runs.get_run(request.auth, run_id)
    raise NotReady(
        "Following a run from a position in its stream is not supported yet.",
        todo=f"GET /v1/runs/{run_id}/messages for what it has said.",
    )
