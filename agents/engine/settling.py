"""What a step comes to: whether the turn goes on, and what is kept of the step. PURE."""

from agents.engine.approvals import WAITING, waiting_messages
from agents.engine.arguments import MAX_UNREADABLE_STEPS, unreadable_steps
from agents.engine.draft import StepDraft
from agents.engine.events import Failure
from agents.engine.ports import Ports, StepRecord
from agents.engine.prompt import heartbeat_text
from agents.engine.state import RunState
from agents.engine.stopping import Decision, StepFacts, decide
from agents.engine.turn import assistant_message, tool_message
from agents.types import Message, TextPart
from letta_site.core.ids import new_id

_STOP_OF_FAILURE = {
    "llm_insufficient_credits": "insufficient_credits",
    "llm_invalid_response": "invalid_llm_response",
    "context_window_overflow_in_system_prompt": "context_window_overflow_in_system_prompt",
}
_UNREADABLE = (
    f"The model wrote arguments that cannot be read {MAX_UNREADABLE_STEPS} times in a row."
)
_WHY_STOPPED = {
    "no_tool_call": "The model answered without calling a tool, which this type of agent needs.",
    "invalid_llm_response": "The model's answer had no text and no tool call in it.",
}


def settle(draft: StepDraft, state: RunState, ports: Ports) -> StepRecord:
    """Decide how the run goes on after a step; return what is to be stored of the step."""
    decision = _decide(draft, state)
    if draft.reply:
        state.sizes.learn(draft.estimated_tokens, draft.reply.usage.prompt_tokens)
    draft.stop_reason = decision.stop_reason
    draft.failure = draft.failure or _failure_of(decision)
    return StepRecord(
        step_id=draft.id,
        n=draft.n,
        started_at=draft.started_at,
        messages=_messages(draft, state, ports, decision),
        calls=tuple(draft.done),
        reply=draft.reply,
        stop_reason=draft.stop_reason,
        failure=draft.failure,
        window=state.window,
        summary_id=state.summary.id if state.summary else None,
        estimated_tokens=draft.estimated_tokens,
        block_versions=draft.block_versions,
        clip=state.clip,
        token_ratio=state.sizes.ratio,
        total=state.usage + draft.reply.usage if draft.reply else state.usage,
        llm_ns=draft.llm_ns,
        total_ns=ports.clock.ticks_ns() - draft.started_ns,
        resumed=draft.pending is not None,
    )


def _decide(draft: StepDraft, state: RunState) -> Decision:
    if draft.waits:
        return Decision(WAITING)
    for plan, done in zip(draft.plans, draft.done, strict=True):
        if not plan.refusal:
            state.rules = state.rules.after(plan.call.name, done.outcome.text)
    if draft.failure:
        return Decision(_STOP_OF_FAILURE.get(draft.failure.kind, "llm_api_error"))
    if _gives_up(draft, state):
        draft.failure = Failure("llm_error", _UNREADABLE, "Try another model.")
        return Decision("invalid_tool_call")
    decision = decide(_facts(draft, state))
    ended = decision.stop_reason in ("end_turn", "tool_rule")
    # Words that came with the answers are still to be heard.
    return Decision() if ended and draft.pending and draft.pending.followed else decision


def _facts(draft: StepDraft, state: RunState) -> StepFacts:
    reply = draft.reply
    made = (plan.made(done.outcome) for plan, done in zip(draft.plans, draft.done, strict=True))
    return StepFacts(
        strategy=state.strategy,
        rules=state.rules,
        tool_names=state.tool_names,
        calls=tuple(made),
        has_text=bool(reply and reply.text.strip()),
        finish_reason=reply.finish_reason if reply else "",
        n=state.n,
        max_steps=state.spec.max_steps,
        cancelled=draft.cancelled,
    )


def _gives_up(draft: StepDraft, state: RunState) -> bool:
    """Tell whether the model keeps writing calls that cannot be read."""
    calls = [plan.call for plan in draft.plans]
    return unreadable_steps(state.messages, state.spec.run_id, calls) >= MAX_UNREADABLE_STEPS


def _failure_of(decision: Decision) -> Failure | None:
    what = _WHY_STOPPED.get(decision.stop_reason or "")
    if what is None:
        return None
    return Failure("llm_error", what, "Send the message again, or try another model.")


def _messages(
    draft: StepDraft, state: RunState, ports: Ports, decision: Decision
) -> tuple[Message, ...]:
    if draft.waits:
        return waiting_messages(draft, state, draft.plans)
    goes_on = decision.stop_reason is None
    said = assistant_message(draft, state, draft.plans, goes_on=goes_on)
    messages = [said] if said else []
    if draft.done:
        messages.append(tool_message(draft.done, draft, state, ports))
    if goes_on and decision.heartbeat_reason:
        messages.append(_heartbeat(draft, state, ports, decision.heartbeat_reason))
    return tuple(messages)


def _heartbeat(draft: StepDraft, state: RunState, ports: Ports, reason: str) -> Message:
    now = ports.clock.now()
    return Message(
        id=new_id("message"),
        role="user",
        created_at=now,
        parts=(TextPart(heartbeat_text(reason, now, state.spec.timezone)),),
        step_id=draft.id,
        run_id=state.spec.run_id,
    )
