"""From the model's reply to messages, and from calls to their returns. PURE."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents.engine.arguments import Arguments, read_arguments, write_arguments
from agents.engine.ports import ExecutedCall, Ports, Reply
from agents.engine.state import RunState, StepDraft
from agents.engine.stopping import CallMade
from agents.types import (
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCall,
    ToolContext,
    ToolOutcome,
    ToolReturn,
)
from letta_site.core.ids import new_id

INTERRUPTED = "Error: the call was stopped because the run was cancelled."
_NEEDS_APPROVAL = (
    "Error: this tool may only run after a person has agreed, and approvals cannot be given here "
    "yet. Go on without it."
)


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call with its arguments read, laid-down ones filled in, and the reason not to run it."""

    call: ToolCall
    arguments: Arguments
    refusal: str = ""
    violation: bool = False

    def made(self, outcome: ToolOutcome) -> CallMade:
        """Return the call as `stopping` sees it."""
        return CallMade(
            self.call.name, outcome.status, self.arguments.heartbeat, violation=self.violation
        )


def plan_calls(reply: Reply, state: RunState) -> list[PlannedCall]:
    """Return the calls of a reply, judged by the tool rules, in the order they were asked for."""
    plans = []
    rules = state.rules
    for call in reply.tool_calls:
        arguments = read_arguments(call.arguments)
        violation = rules.violation(call.name, state.tool_names) or ""
        refusal = violation or (f"Error: {arguments.error}" if arguments.error else "")
        if not refusal and rules.needs_approval(call.name):
            refusal = _NEEDS_APPROVAL
        values = {**arguments.values, **rules.prefilled(call.name)}
        plans.append(PlannedCall(call, replace(arguments, values=values), refusal, bool(violation)))
        rules = rules if refusal else rules.after(call.name)
    return plans


async def execute(plan: PlannedCall, state: RunState, ports: Ports) -> ExecutedCall:
    """Run one call, or give the reason why not; never raises for a failing tool."""
    started = ports.clock.ticks_ns()
    if plan.refusal:
        outcome = ToolOutcome(plan.refusal, "error")
    else:
        context = ToolContext(
            agent_id=state.spec.agent_id,
            org_id=ports.org_id,
            conversation_id=state.spec.conversation_id,
            timezone=state.spec.timezone,
            blocks=state.blocks,
            now=ports.clock.now(),
        )
        outcome = await ports.tools.call(plan.call, plan.arguments.values, context)
    return ExecutedCall(plan.call, outcome, ports.clock.ticks_ns() - started)


def interrupted(plan: PlannedCall) -> ExecutedCall:
    """Return what is kept of a call that a cancel stopped."""
    return ExecutedCall(plan.call, ToolOutcome(INTERRUPTED, "error"), 0)


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
    draft: StepDraft, state: RunState, plans: Sequence[PlannedCall], *, goes_on: bool
) -> Message | None:
    """Return the assistant's message of a step, or None when the reply said nothing at all."""
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


def _kept_call(plan: PlannedCall, state: RunState, goes_on: bool) -> ToolCall:
    if plan.arguments.error:
        return plan.call
    heartbeat = goes_on if state.strategy.heartbeats else None
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
