"""The one agent loop: for every agent type, streaming or not, in front or in the background.

PURE: the world enters through `ports`. It yields events and knows nothing of who listens.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from agents.engine.approvals import WAITING, resumed_plans, waiting_messages
from agents.engine.arguments import MAX_UNREADABLE_STEPS, unreadable_steps
from agents.engine.compaction import make_room
from agents.engine.events import (
    Event,
    Failure,
    RunFinished,
    StepCommitted,
    StepStarted,
    ToolReturned,
    ToolStarted,
    WindowShortened,
)
from agents.engine.ports import ExecutedCall, Ports, Reply, ReplyDelta, StepRecord
from agents.engine.prompt import heartbeat_text
from agents.engine.state import RunState, StepDraft
from agents.engine.stopping import Decision, StepFacts, decide
from agents.engine.turn import (
    PlannedCall,
    assistant_message,
    batches,
    delta_event,
    execute,
    interrupted,
    plan_calls,
    to_return,
    tool_message,
)
from agents.engine.waiting import Cancelled, pieces_unless_cancelled, unless_cancelled
from agents.types import AgentSpec, Message, Pending, TextPart, Transcript, Usage
from letta_site.core.errors import LLMError
from letta_site.core.ids import new_id
from memory.logic.edits import edited_views

MOST_OVERFLOWS = 2


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
    step: _Step | None = _Resumed(state, ports, pending) if pending else None
    while stop is None:
        if step is None and (ports.cancel.is_set() or state.n >= spec.max_steps):
            stop = "cancelled" if ports.cancel.is_set() else "max_steps"
            await ports.ledger.finish(stop, None)
            break
        step = step or _next_step(state, ports)
        async with aclosing(step.events()) as events:
            async for event in events:
                yield event
        stop, failure, step = step.stop_reason, step.failure, None
    yield RunFinished(stop, state.usage, state.n, state.context_tokens, failure)


def _next_step(state: RunState, ports: Ports) -> "_Step":
    state.n += 1
    return _Step(state, ports, StepDraft(state.n, ports.clock.now(), ports.clock.ticks_ns()))


class _Step:
    """One step: ask, call, decide, commit."""

    resumed = False

    def __init__(self, state: RunState, ports: Ports, draft: StepDraft) -> None:
        self.state = state
        self.ports = ports
        self.draft = draft
        self.done: list[ExecutedCall] = []
        self.plans: list[PlannedCall] = []
        self.stop_reason: str | None = None
        self.failure: Failure | None = None
        self.cancelled = False
        self.silent: set[int] = set()
        self.estimated_tokens = 0
        self.block_versions = {block.id: block.version for block in state.blocks}

    async def events(self) -> AsyncGenerator[Event, None]:
        """Make the step; yield what happens in it, the commit last."""
        await self._make_room()
        for summary in self._take_summaries():
            yield WindowShortened(summary)
        draft = self.draft
        yield self._started()
        if not (self.failure or self.cancelled):
            async with aclosing(self._ask_until_it_fits()) as asked:
                async for event in asked:
                    yield event
        if draft.reply and not self.cancelled:
            self.plans = plan_calls(draft.reply.tool_calls, self.state)
            async with aclosing(self._call_tools()) as called:
                async for event in called:
                    yield event
        yield await self._commit()

    def _started(self) -> StepStarted:
        draft = self.draft
        return StepStarted(draft.id, draft.message_id, draft.n, draft.started_at)

    @property
    def waits(self) -> bool:
        """Whether nothing is carried out before somebody has answered."""
        return not self.cancelled and any(plan.waits for plan in self.plans)

    async def _make_room(self, *, overflowed: bool = False) -> None:
        try:
            self.estimated_tokens = await make_room(self.state, self.ports, overflowed=overflowed)
        except Cancelled:
            self.cancelled = True
        except LLMError as error:
            self.failure = _failure_from(error)

    def _take_summaries(self) -> list[Message]:
        taken, self.state.shortened = self.state.shortened, []
        return taken

    async def _ask_until_it_fits(self) -> AsyncGenerator[Event, None]:
        """Ask; when the provider finds the request too long, shorten it and ask again, twice."""
        for tries_left in range(MOST_OVERFLOWS, -1, -1):
            async with aclosing(self._ask()) as asked:
                async for event in asked:
                    yield event
            if not (tries_left and self.failure and self.failure.kind == "llm_context_window"):
                return
            refused, self.failure = self.failure, None
            await self._make_room(overflowed=True)
            for summary in self._take_summaries():
                yield WindowShortened(summary)
            if self.failure or self.cancelled:
                self.failure = refused if self.failure else None
                return

    async def _ask(self) -> AsyncGenerator[Event, None]:
        began = self.ports.clock.ticks_ns()
        try:
            async with aclosing(self.ports.llm.ask(self.state.request())) as source:
                async with aclosing(pieces_unless_cancelled(source, self.ports.cancel)) as pieces:
                    async for piece in pieces:
                        if isinstance(piece, Reply):
                            self.draft.reply = piece
                        elif piece.restart:
                            self.draft.message_id = new_id("message")
                            yield self._started()
                        elif not self._is_silent(piece):
                            if event := delta_event(self.draft.message_id, piece):
                                yield event
        except Cancelled:
            self.cancelled = True
        except LLMError as error:
            self.failure = _failure_from(error)
        self.draft.llm_ns = self.ports.clock.ticks_ns() - began

    def _is_silent(self, piece: ReplyDelta) -> bool:
        """Tell whether a piece belongs to a call that will wait: such calls are told whole."""
        if piece.index is None:
            return False
        state = self.state
        if piece.name and state.must_wait(piece.name):
            if not state.rules.violation(piece.name, state.tool_names):
                self.silent.add(piece.index)
        return piece.index in self.silent

    async def _call_tools(self) -> AsyncGenerator[Event, None]:
        self.cancelled = self.cancelled or self.ports.cancel.is_set()
        if self.waits:
            return
        for batch in batches(self.plans, self.state):
            if self.cancelled or self.ports.cancel.is_set():
                self.cancelled = True
                self.done += [interrupted(plan) for plan in batch]
                continue
            for plan in batch:
                yield ToolStarted(self.draft.id, plan.call)
            for done in await self._run_batch(batch):
                self._take(done)
                yield ToolReturned(self.draft.id, to_return(done))

    def _take(self, done: ExecutedCall) -> None:
        """Keep a finished call; the calls after it see the blocks as it will leave them."""
        self.done.append(done)
        for edit in done.outcome.edits:
            self.state.blocks = edited_views(self.state.blocks, edit)

    async def _run_batch(self, batch: Sequence[PlannedCall]) -> list[ExecutedCall]:
        work = asyncio.gather(*(execute(plan, self.state, self.ports) for plan in batch))
        try:
            return await unless_cancelled(work, self.ports.cancel)
        except Cancelled:
            self.cancelled = True
            return [interrupted(plan) for plan in batch]

    def _decide(self) -> Decision:
        state = self.state
        if self.waits:
            return Decision(WAITING)
        for plan, done in zip(self.plans, self.done, strict=True):
            if not plan.refusal:
                state.rules = state.rules.after(plan.call.name, done.outcome.text)
        if self.failure:
            return Decision(_STOP_OF_FAILURE.get(self.failure.kind, "llm_api_error"))
        if self._gives_up():
            self.failure = Failure("llm_error", _UNREADABLE, "Try another model.")
            return Decision("invalid_tool_call")
        reply = self.draft.reply
        return decide(
            StepFacts(
                strategy=state.strategy,
                rules=state.rules,
                tool_names=state.tool_names,
                calls=tuple(
                    plan.made(done.outcome)
                    for plan, done in zip(self.plans, self.done, strict=True)
                ),
                has_text=bool(reply and reply.text.strip()),
                finish_reason=reply.finish_reason if reply else "",
                n=state.n,
                max_steps=state.spec.max_steps,
                cancelled=self.cancelled,
            )
        )

    def _gives_up(self) -> bool:
        """Tell whether the model keeps writing calls that cannot be read."""
        calls = [plan.call for plan in self.plans]
        run_id = self.state.spec.run_id
        return unreadable_steps(self.state.messages, run_id, calls) >= MAX_UNREADABLE_STEPS

    def _messages(self, decision: Decision) -> tuple[Message, ...]:
        if self.waits:
            return waiting_messages(self.draft, self.state, self.plans)
        state, goes_on = self.state, decision.stop_reason is None
        said = assistant_message(self.draft, state, self.plans, goes_on=goes_on)
        messages = [said] if said else []
        if self.done:
            messages.append(tool_message(self.done, self.draft, state, self.ports))
        if goes_on and decision.heartbeat_reason:
            messages.append(self._heartbeat(decision.heartbeat_reason))
        return tuple(messages)

    def _heartbeat(self, reason: str) -> Message:
        now = self.ports.clock.now()
        return Message(
            id=new_id("message"),
            role="user",
            created_at=now,
            parts=(TextPart(heartbeat_text(reason, now, self.state.spec.timezone)),),
            step_id=self.draft.id,
            run_id=self.state.spec.run_id,
        )

    async def _commit(self) -> StepCommitted:
        state, draft, decision = self.state, self.draft, self._decide()
        if draft.reply:
            state.sizes.learn(self.estimated_tokens, draft.reply.usage.prompt_tokens)
        self.stop_reason = decision.stop_reason
        self.failure = self.failure or _failure_of(decision)
        record = StepRecord(
            step_id=draft.id,
            n=draft.n,
            started_at=draft.started_at,
            messages=self._messages(decision),
            calls=tuple(self.done),
            reply=draft.reply,
            stop_reason=decision.stop_reason,
            failure=self.failure,
            window=state.window,
            summary_id=state.summary.id if state.summary else None,
            estimated_tokens=self.estimated_tokens,
            block_versions=self.block_versions,
            clip=state.clip,
            token_ratio=state.sizes.ratio,
            llm_ns=draft.llm_ns,
            total_ns=self.ports.clock.ticks_ns() - draft.started_ns,
            resumed=self.resumed,
        )
        committed = await asyncio.shield(self.ports.ledger.commit(record))
        state.absorb(committed, draft.reply)
        return StepCommitted(
            step_id=draft.id,
            n=draft.n,
            messages=committed.messages,
            usage=draft.reply.usage if draft.reply else Usage(),
            changed_blocks=committed.changed_blocks,
            passages_added=committed.passages_added,
            stop_reason=decision.stop_reason,
        )


class _Resumed(_Step):
    """The rest of a step whose calls waited for an answer: they are made, the model is not asked.

    It bears the id of the step that waited, and does not count as one.
    """

    resumed = True

    def __init__(self, state: RunState, ports: Ports, pending: Pending) -> None:
        draft = StepDraft(0, ports.clock.now(), ports.clock.ticks_ns())
        draft.id = pending.request.step_id or draft.id
        super().__init__(state, ports, draft)
        self.pending = pending
        self.plans = resumed_plans(pending, state)

    async def events(self) -> AsyncGenerator[Event, None]:
        """Make the calls; yield what happens, the commit last."""
        async with aclosing(self._call_tools()) as called:
            async for event in called:
                yield event
        yield await self._commit()

    def _decide(self) -> Decision:
        decision = super()._decide()
        ended = decision.stop_reason in ("end_turn", "tool_rule")
        return Decision() if ended and self.pending.followed else decision


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


def _failure_from(error: LLMError) -> Failure:
    return Failure(error.kind, error.what, error.todo, error.detail)


def _failure_of(decision: Decision) -> Failure | None:
    what = _WHY_STOPPED.get(decision.stop_reason or "")
    if what is None:
        return None
    return Failure("llm_error", what, "Send the message again, or try another model.")
