"""Tool calls that wait for an answer: who may answer, once, and what happens without one.

`Conversation.pending` names the request that waits. It is set in the transaction that stores the
request and cleared in the one that stores the answer, so no call can be carried out twice.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from django.conf import settings

from agents.engine.approvals import CANCELLED, EXPIRED, PendingApproval, denial, given_outcome
from agents.engine.prompt import heartbeat_text
from agents.engine.repair import INTERRUPTED
from agents.models import Agent, Conversation, Message, Run
from agents.services.messages import number, store_messages, to_type
from agents.services.numbering import reserve
from agents.types import (
    InputMessage,
    Json,
    Pending,
    RunRef,
    TextPart,
    ToolCall,
    ToolOutcome,
    ToolReturn,
)
from agents.types import Message as MessageValue
from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.errors import Conflict, Invalid
from letta_site.core.ids import new_id
from letta_site.core.types import Actor

LATELY_MESSAGES = 10
_HELD_BACK = "Error: this call was not carried out, because the calls beside it were not approved."
_NUDGE = "Continuing: the answer to your calls had arrived before."

Answers = tuple[Json, ...]


def hold(conversation_id: str, message_id: str) -> None:
    """Let a conversation wait for the answer to a request. Call it inside `aio.write()`."""
    Conversation.objects.filter(pk=conversation_id).update(pending=message_id)


def waiting_calls(agent_id: str) -> tuple[ToolCall, ...]:
    """Return the calls of an agent's default conversation that wait for somebody's answer."""
    rows = Conversation.objects.filter(agent_id=agent_id, is_default=True)
    conversation = rows.select_related("pending").first()
    request = conversation.pending if conversation else None
    return to_type(request).tool_calls if request else ()


# --- before a run is accepted ----------------------------------------------------------------


def admit(conversation: Conversation, messages: Sequence[InputMessage]) -> tuple[InputMessage, ...]:
    """Return messages as they may be queued, their answers made complete, one a waiting call.

    Call it inside `aio.write()` with the agent locked. An answer that has been carried out
    already only sets the agent going again. Raises PendingApproval for words while calls wait,
    Invalid for answers that do not fit what waits, Conflict for a second answer.
    """
    answers = tuple(row for message in messages for row in message.approvals)
    if not answers:
        if conversation.pending_id and not (_expired(conversation) or _answering(conversation)):
            raise PendingApproval(conversation.pending_id)
        return tuple(messages)
    words = tuple(message for message in messages if not message.approvals)
    if conversation.pending is None:
        return _repeated(conversation, answers, words)
    complete = _complete(conversation.pending, answers)
    if run_id := _answering(conversation):
        raise Conflict(f"These calls have been answered already, by run {run_id}.")
    carrier = next(message for message in messages if message.approvals)
    return (replace(carrier, approvals=complete), *words)


def _expired(conversation: Conversation) -> bool:
    patience = timedelta(minutes=settings.APPROVAL_TIMEOUT_MIN)
    asked = conversation.pending
    return bool(patience and asked and asked.created_at + patience < now())


def _answering(conversation: Conversation, ids: set[str] | None = None) -> str | None:
    """Return the unfinished run that brings answers, if any; `ids`: to any of these calls."""
    rows = Run.objects.filter(conversation=conversation, completed_at__isnull=True)
    for run_id, messages in rows.order_by("seq").values_list("id", "input"):
        found = {row["tool_call_id"] for one in messages for row in one.get("approvals", ())}
        if found and (ids is None or found & ids):
            return str(run_id)
    return None


def _complete(request: Message, answers: Answers) -> Answers:
    waiting = list(dict.fromkeys(call["id"] for call in request.tool_calls))
    rows = [row for answer in answers for row in _spread(request, waiting, answer)]
    given = [row["tool_call_id"] for row in rows]
    if sorted(given) != sorted(waiting):
        raise Invalid(
            f"The answers are for the calls {given}, but these calls wait: {waiting}.",
            todo="Answer each waiting call once, in one request.",
        )
    return tuple({**row, "approval_request_id": request.id} for row in rows)


def _spread(request: Message, waiting: list[str], answer: Json) -> list[Json]:
    """Return an answer call by call: an old client names the request, or nothing."""
    if "tool_call_id" in answer:
        return [answer]
    wanted = answer["approval_request_id"]
    if wanted in (None, request.id):
        ids = waiting
    elif wanted in waiting:
        ids = [wanted]
    else:
        raise Invalid(f"Approval request {wanted!r} is not the one that waits: {request.id}.")
    verdict = {key: answer[key] for key in ("type", "approve", "reason")}
    return [{**verdict, "tool_call_id": one} for one in ids]


def _repeated(
    conversation: Conversation, answers: Answers, words: tuple[InputMessage, ...]
) -> tuple[InputMessage, ...]:
    """Return what to queue for answers that nothing waits for, if they are here a second time."""
    ids = {str(row.get("tool_call_id") or row.get("approval_request_id")) for row in answers}
    if run_id := _answering(conversation, ids):
        raise Conflict(f"These calls have been answered already, by run {run_id}.")
    if not ids <= _returned_lately(conversation):
        raise Invalid("No tool call waits for an approval, so there is nothing to answer.")
    if words:
        return words
    nudge = heartbeat_text(_NUDGE, now(), conversation.agent.timezone)
    return (InputMessage("user", (TextPart(nudge),)),)


def _returned_lately(conversation: Conversation) -> set[str]:
    """Return the ids of calls that have returned lately, and of requests that were answered."""
    rows = Message.objects.filter(conversation=conversation).order_by("-seq")
    found = rows.values_list("tool_returns", "approvals")[:LATELY_MESSAGES]
    returned = {one["tool_call_id"] for returns, _ in found for one in returns}
    return returned | {
        str(row.get("approval_request_id")) for _, approvals in found for row in approvals
    }


# --- when a run begins -----------------------------------------------------------------------


def take_over(run: Run) -> Pending | None:
    """Return the calls that a run begins with, and let its conversation wait for nothing more.

    Call it inside `aio.write()`, with the agent locked, before the input is stored. A request
    that nobody answered in time is denied. Raises PendingApproval when words of the run
    cannot be heard yet, Conflict when its answers come too late.
    """
    conversation, inputs = run.conversation, run.input
    answers = tuple(row for one in inputs for row in one.get("approvals", ()))
    request = conversation.pending
    if request is None:
        if answers:
            raise Conflict("The calls that this run answers do not wait any more.")
        return None
    if not answers:
        if not _expired(conversation):
            raise PendingApproval(request.id)
        close(conversation, run.agent, EXPIRED)
        return None
    words = any(not one.get("approvals") for one in inputs)
    pending = Pending(to_type(request), _held(request), _complete(request, answers), words)
    _release(conversation)
    return pending


def cut_short(run: Run) -> Pending | None:
    """Return the calls that a run had been answered and had not returned when it was interrupted.

    What was denied, and what the caller had run itself, is known; the rest is not made again.
    """
    answers = tuple(row for one in run.input for row in one.get("approvals", ()))
    if not answers or run.started_at is None:
        return None
    request = Message.objects.filter(pk=answers[0]["approval_request_id"], agent=run.agent_id)
    asked = request.first()
    if asked is None or Message.objects.filter(step_id=asked.step_id, role="tool").exists():
        return None
    words = any(not one.get("approvals") for one in run.input)
    return Pending(to_type(asked), _held(asked), answers, words, cut_short=True)


def _held(request: Message) -> tuple[ToolCall, ...]:
    said = Message.objects.filter(step_id=request.step_id, role="assistant").first()
    return tuple(ToolCall(**call) for call in said.tool_calls) if said else ()


def _release(conversation: Conversation) -> None:
    conversation.pending = None
    conversation.save(update_fields=["pending"])


# --- without an answer -----------------------------------------------------------------------


def close(conversation: Conversation, agent: Agent, reason: str) -> None:
    """Deny what waits in a conversation: store the answer, and an error for each call.

    Call it inside `aio.write()` with the agent locked.
    """
    request = conversation.pending
    if request is None:
        return
    values = number(_denial_messages(to_type(request), _held(request), reason), agent)
    actor = Actor(agent.org_id, "", "system")
    store_messages(values, agent=agent, conversation_id=conversation.id, actor=actor)
    Agent.objects.filter(pk=agent.pk).update(last_seq=agent.last_seq)
    _release(conversation)


def close_cut_short(run: Run) -> None:
    """Give each call that an ended run leaves open its return. Call it inside `aio.write()`."""
    pending = cut_short(run)
    if pending is None:
        return
    outcomes = {row["tool_call_id"]: given_outcome(row) for row in pending.answers}
    returns = []
    for call in (*pending.held, *pending.request.tool_calls):
        given = outcomes.get(call.id) or ToolOutcome(INTERRUPTED, "error")
        returns.append(ToolReturn(call.id, call.name, given.text, given.status))
    agent, step_id = reserve(run.agent_id, 1), pending.request.step_id
    told = MessageValue(new_id("message"), "tool", now(), tool_returns=tuple(returns))
    values = number([replace(told, step_id=step_id, run_id=run.id, is_err=True)], agent)
    actor = Actor(agent.org_id, "", "system")
    store_messages(values, agent=agent, conversation_id=run.conversation_id, actor=actor)


def _denial_messages(
    request: MessageValue, held: Sequence[ToolCall], reason: str
) -> tuple[MessageValue, MessageValue]:
    refused = [_returned(call, denial(reason)) for call in request.tool_calls]
    answer = MessageValue(
        id=new_id("message"),
        role="approval",
        created_at=now(),
        approvals=tuple(
            {
                "type": "approval",
                "tool_call_id": call.id,
                "approve": False,
                "reason": reason,
                "approval_request_id": request.id,
            }
            for call in request.tool_calls
        ),
        step_id=request.step_id,
        run_id=request.run_id,
    )
    returns = (*(_returned(call, _HELD_BACK) for call in held), *refused)
    told = replace(answer, id=new_id("message"), role="tool", approvals=(), tool_returns=returns)
    return answer, replace(told, is_err=True)


def _returned(call: ToolCall, text: str) -> ToolReturn:
    return ToolReturn(call.id, call.name, text, status="error")


def cancel_pending(actor: Actor, agent_id: str, run_ids: Sequence[str] | None) -> list[RunRef]:
    """Deny what waits in an agent's conversations, if one of `run_ids` asked (None: any run).

    Returns the runs that had asked; they count as cancelled from now on.
    """
    with write():
        agent = Agent.objects.of(actor).select_for_update().filter(pk=agent_id).first()
        if agent is None:
            return []
        rows = agent.conversations.filter(pending__isnull=False).select_related("pending")
        if run_ids is not None:
            rows = rows.filter(pending__run_id__in=run_ids)
        closed = [(one, one.pending.run_id) for one in rows if one.pending]
        for conversation, _ in closed:
            close(conversation, agent, CANCELLED)
        ended = Run.objects.filter(pk__in=[run_id for _, run_id in closed])
        ended.update(status="cancelled", stop_reason="cancelled")
        if closed:
            Agent.objects.filter(pk=agent.pk).update(last_stop_reason="cancelled")
    return [RunRef(run_id, agent.id, one.id, agent.org_id) for one, run_id in closed]
