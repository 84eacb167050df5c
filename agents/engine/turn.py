"""From the model's reply to messages, and from calls to their returns. PURE."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents.engine.arguments import Arguments, read_arguments, write_arguments
from agents.engine.events import Event, ReasoningDelta, TextDelta, ToolCallDelta
from agents.engine.ports import ExecutedCall, Ports, Reply, ReplyDelta
from agents.engine.prefill import describe_misfit
from agents.engine.state import RunState, StepDraft
from agents.engine.stopping import CallMade
from agents.engine.tool_rules import RuleState
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


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call with its arguments read, laid-down ones filled in, and the reason not to run it.

    `waits`: it needs somebody's answer first. `given`: its outcome, if it came from outside.
    """

    call: ToolCall
    arguments: Arguments
    refusal: str = ""
    violation: bool = False
    bad_prefill: bool = False
    waits: bool = False
    approved: bool = False
    given: ToolOutcome | None = None

    def made(self, outcome: ToolOutcome) -> CallMade:
        """Return the call as `stopping` sees it."""
        return CallMade(
            self.call.name,
            outcome.status,
            self.arguments.heartbeat,
            violation=self.violation,
            bad_prefill=self.bad_prefill,
        )


def delta_event(message_id: str, piece: ReplyDelta) -> Event | None:
    """Return what a piece of a reply tells the world, if anything."""
    if piece.index is not None:
        return ToolCallDelta(
            message_id, piece.index, piece.tool_call_id, piece.name, piece.arguments
        )
    if piece.reasoning:
        return ReasoningDelta(message_id, piece.reasoning)
    return TextDelta(message_id, piece.text) if piece.text else None


def plan_calls(calls: Sequence[ToolCall], state: RunState) -> list[PlannedCall]:
    """Return calls, judged by the tool rules, in the order they were asked for."""
    plans = []
    rules = state.rules
    for call in calls:
        plan = _judge(call, state, rules)
        plans.append(plan)
        rules = rules if plan.refusal else rules.after(call.name)
    return plans


def _judge(call: ToolCall, state: RunState, rules: RuleState) -> PlannedCall:
    arguments = read_arguments(call.arguments)
    laid_down = rules.prefilled(call.name)
    violation = rules.violation(call.name, state.tool_names) or ""
    misfit = "" if violation else describe_misfit(state.tool(call.name), laid_down)
    why_not = violation or misfit or arguments.error
    return PlannedCall(
        call,
        replace(arguments, values={**arguments.values, **laid_down}),
        refusal=why_not if violation or not why_not else f"Error: {why_not}",
        violation=bool(violation),
        bad_prefill=bool(misfit),
        waits=not why_not and state.must_wait(call.name),
    )


def batches(plans: Sequence[PlannedCall], state: RunState) -> list[list[PlannedCall]]:
    """Return the calls in groups, neighbouring ones of tools that may run at the same time."""
    parallel = {tool.name for tool in state.spec.tools if tool.parallel}
    batches: list[list[PlannedCall]] = []
    for plan in plans:
        together = batches and plan.call.name in parallel
        if together and batches[-1][-1].call.name in parallel:
            batches[-1].append(plan)
        else:
            batches.append([plan])
    return batches


async def execute(plan: PlannedCall, state: RunState, ports: Ports) -> ExecutedCall:
    """Run one call, or give the reason why not; never raises for a failing tool."""
    started = ports.clock.ticks_ns()
    if plan.refusal:
        outcome = ToolOutcome(plan.refusal, "error")
    elif plan.given:
        outcome = plan.given
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
    return ExecutedCall(plan.call, outcome, ports.clock.ticks_ns() - started, plan.approved)


def interrupted(plan: PlannedCall) -> ExecutedCall:
    """Return what is kept of a call that a cancel stopped."""
    return ExecutedCall(plan.call, plan.given or ToolOutcome(INTERRUPTED, "error"), 0)


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
