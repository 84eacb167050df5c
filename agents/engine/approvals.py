"""Calls that wait: for a person to agree, or for the caller to run its own tool. PURE."""

import uuid
from collections.abc import Sequence
from dataclasses import replace

from agents.engine.arguments import read_arguments
from agents.engine.calling import plan_calls
from agents.engine.draft import PlannedCall, StepDraft
from agents.engine.repair import INTERRUPTED
from agents.engine.state import RunState
from agents.engine.turn import assistant_message
from agents.types import CLIENT_TOOL, Json, Message, Pending, ToolCall, ToolOutcome
from letta_site.core.errors import Conflict

WAITING = "requires_approval"
PENDING = "pending_approval"
EXPIRED = "nobody answered in time"
CANCELLED = "the run was cancelled"
_AT_CLIENT = "Error: this tool runs at the client, which agreed to the call but sent no result."


class PendingApproval(Conflict):
    """A message came while calls wait for an answer."""

    code = "PENDING_APPROVAL"

    def __init__(self, request_id: str) -> None:
        what = "The agent waits for the approval of tool calls, and takes no message before."
        shown = {"code": self.code, "message": what, "pending_request_id": request_id}
        super().__init__(what, todo=f"Answer {request_id}, or cancel it.", detail=shown)
        self.request_id = request_id


def request_id_of(message_id: str) -> str:
    """Return the id of the request that goes with an assistant message: its uuid minus one."""
    number = uuid.UUID(message_id.removeprefix("message-")).int
    return f"message-{uuid.UUID(int=number - 1)}"


def denial(reason: str | None) -> str:
    """Return what the model is told of a call that was refused."""
    said = reason or "none given."
    return f"Error: request to call tool denied. User reason: {said}"


def waiting_messages(
    draft: StepDraft, state: RunState, plans: Sequence[PlannedCall]
) -> tuple[Message, ...]:
    """Return what is kept of a step that waits: what was said and held, then the request."""
    whole = assistant_message(draft, state, plans, goes_on=None)
    if whole is None:
        return ()
    waiting = {plan.call.id for plan in plans if plan.waits}
    held = tuple(call for call in whole.tool_calls if call.id not in waiting)
    asked = tuple(call for call in whole.tool_calls if call.id in waiting)
    request = replace(
        whole, id=request_id_of(whole.id), role="approval", parts=(), tool_calls=asked
    )
    if not (whole.parts or held):
        return (request,)
    return replace(whole, tool_calls=held), request


def resumed_plans(pending: Pending, state: RunState) -> list[PlannedCall]:
    """Return the calls to make now that the answers are there: held ones first."""
    answers = {row["tool_call_id"]: row for row in pending.answers}
    held = [replace(plan, waits=False) for plan in plan_calls(pending.held, state)]
    asked = [_answered(call, answers[call.id], state) for call in pending.request.tool_calls]
    return [_unknown(plan) for plan in (*held, *asked)] if pending.cut_short else held + asked


def _unknown(plan: PlannedCall) -> PlannedCall:
    """Never make a call twice that somebody agreed to once: what became of it is not known."""
    if plan.given or plan.refusal:
        return plan
    return replace(plan, given=ToolOutcome(INTERRUPTED, "error"))


def _answered(call: ToolCall, answer: Json, state: RunState) -> PlannedCall:
    given = given_outcome(answer)
    tool = state.tool(call.name)
    if given is None and tool is not None and tool.tool_type == CLIENT_TOOL:
        given = ToolOutcome(_AT_CLIENT, "error")
    return PlannedCall(call, read_arguments(call.arguments), given=given, approved=given is None)


def given_outcome(answer: Json) -> ToolOutcome | None:
    """Return the outcome that an answer brings with it; None: the call may be carried out."""
    if answer["type"] == "tool":
        return ToolOutcome(
            answer["tool_return"],
            answer["status"],
            stdout=tuple(answer.get("stdout") or ()),
            stderr=tuple(answer.get("stderr") or ()),
        )
    return None if answer["approve"] else ToolOutcome(denial(answer.get("reason")), "error")
