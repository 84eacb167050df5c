"""Steps: /v1/steps."""

from django.http import HttpRequest
from ninja import Query

from agents.api.routers import steps_router as router
from agents.engine.strategies import strategy_of
from agents.services import message_lists, steps
from agents.services.past_requests import rebuild_request
from agents.types import Json
from agents.wire.ids import StepId
from agents.wire.messages import View, encode_history
from agents.wire.queries import StepConditions
from agents.wire.raw_messages import encode_raw
from agents.wire.run_requests import Feedback, ModifyFeedbackRequest
from agents.wire.runs import encode_step, encode_step_metrics, encode_trace
from letta_site.core.paging import Page


@router.get("/")
def list_steps(
    request: HttpRequest, conditions: Query[StepConditions], page: Query[Page]
) -> list[Json]:
    found = steps.list_steps(
        request.auth,
        query=page.query(limit=50),
        filters=conditions.lookups(),
        tags=conditions.tags or (),
    )
    held = steps.messages_of_steps(request.auth, found)
    return [encode_step(step, [encode_raw(row) for row in held[step.id]]) for step in found]


@router.get("/{step_id}")
def get_step(request: HttpRequest, step_id: StepId) -> Json:
    step = steps.get_step(request.auth, step_id)
    held = steps.messages_of_steps(request.auth, [step])
    return encode_step(step, [encode_raw(row) for row in held[step.id]])


@router.get("/{step_id}/metrics")
def get_step_metrics(request: HttpRequest, step_id: StepId) -> Json:
    return encode_step_metrics(steps.get_step(request.auth, step_id))


@router.get("/{step_id}/trace")
def get_step_trace(request: HttpRequest, step_id: StepId) -> Json:
    step = steps.get_step(request.auth, step_id)
    return encode_trace(step, rebuild_request(step))


@router.patch("/{step_id}/feedback")
def set_feedback(
    request: HttpRequest,
    step_id: StepId,
    feedback: Feedback | None = None,
    given: ModifyFeedbackRequest | None = None,
) -> Json:
    # The old npm client has no body: it puts its word into the query.
    given = given or ModifyFeedbackRequest(feedback=feedback)
    step = steps.set_feedback(request.auth, step_id, feedback=given.feedback, tags=given.tags)
    held = steps.messages_of_steps(request.auth, [step])
    return encode_step(step, [encode_raw(row) for row in held[step.id]])


@router.get("/{step_id}/messages")
def list_step_messages(request: HttpRequest, step_id: StepId, page: Query[Page]) -> list[Json]:
    step = steps.get_step(request.auth, step_id)
    query = page.query(limit=100, order="asc")
    found = message_lists.list_step_messages(request.auth, step_id=step.id, query=query)
    agent_type = message_lists.agent_type_of(request.auth, step.agent_id)
    return encode_history(found, View(text_is_reply=strategy_of(agent_type).reply == "text"))
