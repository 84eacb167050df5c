"""The one agent loop: for every agent type, streaming or not, in front or in the background.

PURE: the world enters through `ports`. It yields events and knows nothing of who listens.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from agents.engine.approvals import resumed_plans
from agents.engine.asking import ask
from agents.engine.calling import call_tools, plan_calls
from agents.engine.draft import StepDraft
from agents.engine.events import Event, Failure, RunFinished, StepCommitted
from agents.engine.ports import Ports
from agents.engine.settling import settle
from agents.engine.state import RunState
from agents.types import AgentSpec, Transcript, Usage


async def run_agent(
    spec: AgentSpec, transcript: Transcript, ports: Ports
) -> AsyncGenerator[Event, None]:
    """Work on what is in the transcript until the turn ends; yield what happens.

    Always ends with RunFinished. Raises only for faults of the ledger or of this code itself.
    """
    state = RunState.begin(spec, transcript)
    stop: str | None = None
    failure: Failure | None = None
    pending = transcript.pending
    while stop is None:
        if pending is None and (ports.cancel.is_set() or state.n >= spec.max_steps):
            stop = "cancelled" if ports.cancel.is_set() else "max_steps"
            await ports.ledger.finish(stop, None)
            break
        draft = StepDraft.begin(state, ports, pending)
        async with aclosing(_step(draft, state, ports)) as events:
            async for event in events:
                yield event
        stop, failure, pending = draft.stop_reason, draft.failure, None
    yield RunFinished(stop, state.usage, state.n, state.context_tokens, failure)


async def _step(draft: StepDraft, state: RunState, ports: Ports) -> AsyncGenerator[Event, None]:
    """Make one step: ask, call, decide, commit. The rest of one that waited only calls."""
    if draft.pending:
        draft.plans = resumed_plans(draft.pending, state)
    else:
        async with aclosing(ask(draft, state, ports)) as asked:
            async for event in asked:
                yield event
        if draft.reply and not draft.cancelled:
            draft.plans = plan_calls(draft.reply.tool_calls, state)
    async with aclosing(call_tools(draft, state, ports)) as called:
        async for event in called:
            yield event
    yield await _commit(draft, state, ports)


async def _commit(draft: StepDraft, state: RunState, ports: Ports) -> StepCommitted:
    record = settle(draft, state, ports)
    committed = await asyncio.shield(ports.ledger.commit(record))
    state.absorb(committed, draft.reply)
    return StepCommitted(
        step_id=draft.id,
        n=draft.n,
        messages=committed.messages,
        usage=draft.reply.usage if draft.reply else Usage(),
        changed_blocks=committed.changed_blocks,
        passages_added=committed.passages_added,
        stop_reason=draft.stop_reason,
    )
