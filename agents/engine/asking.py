"""Asking the model: with room made first, again when it finds the request too long. PURE."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from agents.engine.compaction import make_room
from agents.engine.draft import StepDraft
from agents.engine.events import (
    Event,
    Failure,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    WindowShortened,
)
from agents.engine.ports import Ports, Reply, ReplyDelta
from agents.engine.state import RunState
from agents.engine.waiting import Cancelled, pieces_unless_cancelled
from letta_site.core.errors import LLMError
from letta_site.core.ids import new_id

MOST_OVERFLOWS = 2


async def ask(draft: StepDraft, state: RunState, ports: Ports) -> AsyncGenerator[Event, None]:
    """Ask for the next answer and keep it, or the failure, in the draft; yield what happens."""
    await _make_room(draft, state, ports)
    for shortened in _take_summaries(state):
        yield shortened
    yield draft.started()
    if draft.failure or draft.cancelled:
        return
    async with aclosing(_ask_until_it_fits(draft, state, ports)) as asked:
        async for event in asked:
            yield event


async def _make_room(
    draft: StepDraft, state: RunState, ports: Ports, *, overflowed: bool = False
) -> None:
    try:
        draft.estimated_tokens = await make_room(state, ports, overflowed=overflowed)
    except Cancelled:
        draft.cancelled = True
    except LLMError as error:
        draft.failure = _failure_from(error)


def _take_summaries(state: RunState) -> list[WindowShortened]:
    taken, state.shortened = state.shortened, []
    return [WindowShortened(summary) for summary in taken]


async def _ask_until_it_fits(
    draft: StepDraft, state: RunState, ports: Ports
) -> AsyncGenerator[Event, None]:
    """Ask; when the provider finds the request too long, shorten it and ask again, twice."""
    for tries_left in range(MOST_OVERFLOWS, -1, -1):
        async with aclosing(_ask_once(draft, state, ports)) as asked:
            async for event in asked:
                yield event
        if not (tries_left and draft.failure and draft.failure.kind == "llm_context_window"):
            return
        refused, draft.failure = draft.failure, None
        await _make_room(draft, state, ports, overflowed=True)
        for shortened in _take_summaries(state):
            yield shortened
        if draft.failure or draft.cancelled:
            draft.failure = refused if draft.failure else None
            return


async def _ask_once(draft: StepDraft, state: RunState, ports: Ports) -> AsyncGenerator[Event, None]:
    began, silent = ports.clock.ticks_ns(), set[int]()
    try:
        async with aclosing(ports.llm.ask(state.request())) as source:
            async with aclosing(pieces_unless_cancelled(source, ports.cancel)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Reply):
                        draft.reply = piece
                    elif piece.restart:
                        draft.message_id = new_id("message")
                        silent.clear()
                        yield draft.started()
                    elif not _is_silent(piece, state, silent):
                        if event := _delta_event(draft.message_id, piece):
                            yield event
    except Cancelled:
        draft.cancelled = True
    except LLMError as error:
        draft.failure = _failure_from(error)
    draft.llm_ns = ports.clock.ticks_ns() - began


def _is_silent(piece: ReplyDelta, state: RunState, silent: set[int]) -> bool:
    """Tell whether a piece belongs to a call that will wait: such calls are told whole."""
    if piece.index is None:
        return False
    if piece.name and state.must_wait(piece.name):
        if not state.rules.violation(piece.name, state.tool_names):
            silent.add(piece.index)
    return piece.index in silent


def _delta_event(message_id: str, piece: ReplyDelta) -> Event | None:
    """Return what a piece of a reply tells the world, if anything."""
    if piece.index is not None:
        return ToolCallDelta(
            message_id, piece.index, piece.tool_call_id, piece.name, piece.arguments
        )
    if piece.reasoning:
        return ReasoningDelta(message_id, piece.reasoning)
    return TextDelta(message_id, piece.text) if piece.text else None


def _failure_from(error: LLMError) -> Failure:
    return Failure(error.kind, error.what, error.todo, error.detail)
