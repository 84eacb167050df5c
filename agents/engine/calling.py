"""The calls of a reply: judged by the tool rules, then made. PURE."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from agents.engine.arguments import read_arguments
from agents.engine.draft import PlannedCall, StepDraft
from agents.engine.events import Event, ToolReturned, ToolStarted
from agents.engine.ports import ExecutedCall, Ports
from agents.engine.prefill import describe_misfit
from agents.engine.state import RunState
from agents.engine.tool_rules import RuleState
from agents.engine.turn import to_return
from agents.engine.waiting import Cancelled, unless_cancelled
from agents.types import ToolCall, ToolContext, ToolOutcome
from memory.logic.edits import edited_views

_STOPPED = "Error: the call was stopped because the run was cancelled."


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


def _batches(plans: Sequence[PlannedCall], state: RunState) -> list[list[PlannedCall]]:
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


async def _execute(plan: PlannedCall, state: RunState, ports: Ports) -> ExecutedCall:
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
            run_id=state.spec.run_id,
        )
        outcome = await ports.tools.call(plan.call, plan.arguments.values, context)
    return ExecutedCall(plan.call, outcome, ports.clock.ticks_ns() - started, plan.approved)


def _interrupted(plan: PlannedCall) -> ExecutedCall:
    """Return what is kept of a call that a cancel stopped."""
    return ExecutedCall(plan.call, plan.given or ToolOutcome(_STOPPED, "error"), 0)


async def call_tools(
    draft: StepDraft, state: RunState, ports: Ports
) -> AsyncGenerator[Event, None]:
    """Make the planned calls of a step, unless one of them waits; yield what happens."""
    draft.cancelled = draft.cancelled or ports.cancel.is_set()
    if draft.waits:
        return
    for batch in _batches(draft.plans, state):
        if draft.cancelled or ports.cancel.is_set():
            draft.cancelled = True
            draft.done += [_interrupted(plan) for plan in batch]
            continue
        for plan in batch:
            yield ToolStarted(draft.id, plan.call)
        for done in await _run_batch(batch, draft, state, ports):
            _take(done, draft, state)
            yield ToolReturned(draft.id, to_return(done))


def _take(done: ExecutedCall, draft: StepDraft, state: RunState) -> None:
    """Keep a finished call; the calls after it see the blocks as it will leave them."""
    draft.done.append(done)
    for edit in done.outcome.edits:
        state.blocks = edited_views(state.blocks, edit)


async def _run_batch(
    batch: Sequence[PlannedCall], draft: StepDraft, state: RunState, ports: Ports
) -> list[ExecutedCall]:
    """Make calls at the same time. What has returned when a cancel comes is kept."""

    async def make(plan: PlannedCall) -> ExecutedCall:
        try:
            return await unless_cancelled(_execute(plan, state, ports), ports.cancel)
        except Cancelled:
            draft.cancelled = True
            return _interrupted(plan)

    return await asyncio.gather(*(make(plan) for plan in batch))
