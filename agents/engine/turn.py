"""From the model's reply and what its calls gave to messages. PURE."""

from collections.abc import Sequence
from dataclasses import replace

from agents.engine.arguments import write_arguments
from agents.engine.draft import PlannedCall, StepDraft
from agents.engine.ports import ExecutedCall, Ports, Reply
from agents.engine.state import RunState
from agents.types import Message, Part, ReasoningPart, TextPart, ToolCall, ToolReturn
from letta_site.core.ids import new_id


def to_return(done: ExecutedCall) -> ToolReturn:
    """Return what the history keeps of a call."""
    return ToolReturn(
        tool_call_id=done.call.id,
        name=done.call.name,
        text=done.outcome.text,
        status=done.outcome.status,
        stdout=done.outcome.stdout,
        stderr=done.outcome.stderr,
        duration_ns=done.duration_ns,
    )


def assistant_message(
    draft: StepDraft, state: RunState, plans: Sequence[PlannedCall], *, goes_on: bool | None
) -> Message | None:
    """Return the assistant's message of a step, or None when the reply said nothing at all.

    Calls are kept with what was made of their wish to go on; None: as the model asked.
    """
    reply = draft.reply
    if reply is None:
        return None
    parts = _parts(reply, state, plans)
    if not parts and not plans:
        return None
    return Message(
        id=draft.message_id,
        role="assistant",
        created_at=draft.started_at,
        parts=parts,
        tool_calls=tuple(_kept_call(plan, state, goes_on) for plan in plans),
        name=state.spec.name,
        step_id=draft.id,
        run_id=state.spec.run_id,
        model=state.spec.model.handle,
    )


def _parts(reply: Reply, state: RunState, plans: Sequence[PlannedCall]) -> tuple[Part, ...]:
    parts: list[Part] = []
    if reply.reasoning:
        parts.append(ReasoningPart(reply.reasoning, reply.signature))
    thoughts = [plan.arguments.thinking for plan in plans if plan.arguments.thinking]
    if state.strategy.reply == "send_message" and reply.text:
        # These agents speak through a tool; what they write beside it is thinking.
        thoughts.append(reply.text)
    parts += [ReasoningPart(text, native=False) for text in thoughts]
    if state.strategy.reply == "text" and reply.text:
        parts.append(TextPart(reply.text))
    return tuple(parts)


def _kept_call(plan: PlannedCall, state: RunState, goes_on: bool | None) -> ToolCall:
    if plan.arguments.error:
        return plan.call
    wish = plan.arguments.heartbeat if goes_on is None else goes_on
    heartbeat = wish if state.strategy.heartbeats else None
    return replace(plan.call, arguments=write_arguments(plan.arguments.values, heartbeat=heartbeat))


def tool_message(
    done: Sequence[ExecutedCall], draft: StepDraft, state: RunState, ports: Ports
) -> Message:
    """Return the message that holds the returns of a step's calls."""
    return Message(
        id=new_id("message"),
        role="tool",
        created_at=ports.clock.now(),
        tool_returns=tuple(to_return(one) for one in done),
        step_id=draft.id,
        run_id=state.spec.run_id,
        is_err=any(one.outcome.status == "error" for one in done),
    )
