"""Making room in the window before the model is asked. PURE.

A ladder: each rung is tried only when those before it were not enough. Tool returns of old turns
are shortened in the request; the oldest turns leave and a summary takes their place; the last turn
is shortened, then its older steps leave, then every long text is shortened. The last turn's words
are never lost, and nothing leaves the window before its summary is stored.
"""

from collections.abc import Awaitable, Callable, Sequence

from agents.engine.clipping import NO_CLIP, Clip, squeeze
from agents.engine.ports import Eviction, Ports
from agents.engine.state import RunState
from agents.engine.summaries import summarise, summary_message, summary_text
from agents.engine.window import evict, turn_starts, whole_places
from agents.types import Json, Message
from letta_site.core.errors import LLMError

RESERVE_SHARE = 0.1
MOST_RESERVE_SHARE = 0.25
SUMMARY_SHARE = 0.1
CEILING_SHARE = 0.7
KEPT_TURNS = 6
HARDER = 0.7
OLD_RETURN_CHARS = 600
STILL_OPEN = "\nStill being worked on, word for word: "
LEAST_TEXT_CHARS = 40
_CHARS_A_TOKEN = 4
_LEAST_FOR_MESSAGES = 100
_REQUEST_CHARS = 2_000


def limit_tokens(state: RunState) -> int:
    """Return how large a request may be: the window without what the answer needs."""
    window = state.spec.window_tokens
    wanted = max(state.spec.model.max_tokens or 0, int(window * RESERVE_SHARE))
    return window - min(wanted, int(window * MOST_RESERVE_SHARE))


async def make_room(state: RunState, ports: Ports, *, overflowed: bool = False) -> int:
    """Return the estimated size of the next request in tokens, after shortening it if need be.

    `overflowed`: the provider has just refused the request as too long, so that less must be sent
    than it was. Raises LLMError when nothing helps, and Cancelled.
    """
    limit = limit_tokens(state)
    if overflowed:
        state.sizes.learn_overflow(state.estimate(), state.spec.window_tokens)
        limit = min(limit, int(state.size() * HARDER))
    if state.size() <= limit:
        return state.estimate()
    _check_head(state, limit)
    for rung in _LADDER:
        await rung(state, ports, limit)
        if state.size() <= limit:
            return state.estimate()
    raise LLMError(
        "llm_context_window",
        f"The last message does not fit the window of {state.spec.window_tokens} tokens.",
        todo="Send a shorter one, or give the agent a larger context window.",
    )


async def compact(state: RunState, ports: Ports) -> bool:
    """Shorten the window because somebody asked; tell whether anything left it."""
    split = leaving_turns(state, limit_tokens(state))
    return await _leave(state, ports, split, trigger="manual")


def _check_head(state: RunState, limit: int) -> None:
    if state.sizes.counted(state.sizes.fixed) + _LEAST_FOR_MESSAGES <= limit:
        return
    raise LLMError(
        "context_window_overflow_in_system_prompt",
        f"Instructions, memory and tools alone take {state.sizes.counted(state.sizes.fixed)} of "
        f"the {state.spec.window_tokens} tokens of the window.",
        todo="Shorten blocks or instructions, detach tools, or give the agent a larger window.",
    )


# --- rungs -----------------------------------------------------------------------------------


async def _clip_old_turns(state: RunState, _ports: Ports, _limit: int) -> None:
    starts = turn_starts(state.messages)
    state.clip = Clip(state.messages[starts[-1]].seq, OLD_RETURN_CHARS) if starts else NO_CLIP


async def _summarise_old_turns(state: RunState, ports: Ports, limit: int) -> None:
    if await _leave(state, ports, leaving_turns(state, limit), trigger="context_window_exceeded"):
        state.clip = NO_CLIP


async def _clip_last_turn(state: RunState, _ports: Ports, _limit: int) -> None:
    state.clip = Clip(state.messages[-1].seq if state.messages else 0, OLD_RETURN_CHARS)


async def _summarise_old_steps(state: RunState, ports: Ports, limit: int) -> None:
    """Let older steps of a long turn go; what was asked in it is told word for word."""
    starts = [
        at
        for at, free in enumerate(whole_places(state.messages))
        if free and at and state.messages[at].role == "assistant"
    ]
    sizes = state.sizes.of_all(state.messages, state.clip)
    budget = _for_messages(state, limit)
    cut = next((at for at in starts if state.sizes.counted(sum(sizes[at:])) <= budget), None)
    cut = starts[-1] if cut is None and starts else cut
    if cut:
        await _leave(state, ports, state.messages[:cut], trigger="context_window_exceeded")


async def _clip_texts(state: RunState, _ports: Ports, limit: int) -> None:
    chars = limit * _CHARS_A_TOKEN
    while state.size() > limit and chars > LEAST_TEXT_CHARS:
        chars = max(chars // 2, LEAST_TEXT_CHARS)
        state.clip = Clip(state.clip.before_seq, state.clip.return_chars, chars)


_LADDER: tuple[Callable[[RunState, Ports, int], Awaitable[None]], ...] = (
    _clip_old_turns,
    _summarise_old_turns,
    _clip_last_turn,
    _summarise_old_steps,
    _clip_texts,
)


# --- what leaves -----------------------------------------------------------------------------


def _for_messages(state: RunState, limit: int) -> int:
    """Return the provider's tokens that are left for messages beside head and summary."""
    summary = int(state.spec.window_tokens * SUMMARY_SHARE)
    left = limit - state.sizes.counted(state.sizes.fixed) - summary
    return max(int(left * CEILING_SHARE), 0)


def leaving_turns(state: RunState, limit: int) -> Sequence[Message]:
    """Return the oldest turns that are to leave by the agent's own plan."""
    plan, ceiling = state.spec.compaction, _for_messages(state, limit)
    sliding = "all" not in plan.mode
    kept = min(int(state.spec.window_tokens * plan.keep_share), ceiling) if sliding else 0
    return evict(
        state.messages,
        budget_tokens=int(kept / state.sizes.ratio),
        ceiling_tokens=int(ceiling / state.sizes.ratio) if sliding else 0,
        keep_turns=KEPT_TURNS if sliding else 1,
        sizes=state.sizes.of_all(state.messages, state.clip),
    ).leaving


async def _leave(
    state: RunState, ports: Ports, leaving: Sequence[Message], *, trigger: str
) -> bool:
    stored = [message for message in leaving if message.seq]
    if not stored:
        return False
    eviction = await _eviction(state, ports, stored, trigger)
    evicted = await ports.ledger.evict(eviction)
    gone = set(eviction.message_ids)
    state.summary = evicted.summary
    state.messages = [message for message in state.messages if message.id not in gone]
    state.shortened.append(evicted.summary)
    if evicted.system is not None:
        state.system = evicted.system
        state.sizes.measure_head(evicted.system)
    return True


async def _eviction(
    state: RunState, ports: Ports, leaving: Sequence[Message], trigger: str
) -> Eviction:
    before = state.size()
    limit_chars = _summary_chars(state)
    words, mode = await summarise(state, ports, leaving, limit_chars=limit_chars)
    if asked := _unfinished_request(state, leaving):
        words = f"{words}{STILL_OPEN}{asked}"
    after = before - state.sizes.counted(sum(state.sizes.of_all(leaving, state.clip)))
    stats: Json = {
        "trigger": trigger,
        "context_tokens_before": before,
        "context_tokens_after": after,
        "context_window": state.spec.window_tokens,
        "messages_count_before": len(state.messages) + 1,
        "messages_count_after": len(state.messages) - len(leaving) + 2,
    }
    now = ports.clock.now()
    run_id = state.spec.run_id or None
    return Eviction(
        trigger=trigger,
        mode=mode,
        from_seq=leaving[0].seq,
        to_seq=leaving[-1].seq,
        message_ids=tuple(message.id for message in leaving),
        summary=summary_message(words, stats, now=now, timezone=state.spec.timezone, run_id=run_id),
        tokens_before=before,
        tokens_after=after,
        total=state.usage,
    )


def _summary_chars(state: RunState) -> int:
    most = int(state.spec.window_tokens * SUMMARY_SHARE * _CHARS_A_TOKEN / state.sizes.ratio) - 600
    return max(min(most, state.spec.compaction.clip_chars or most), 200)


def _unfinished_request(state: RunState, leaving: Sequence[Message]) -> str:
    """Return what was asked in a turn of which only the beginning leaves, or has left before."""
    start = turn_starts(state.messages)[-1]
    if len(leaving) <= start:
        return ""
    words = "\n".join(one.text for one in leaving[start:] if one.role == "user")
    if state.messages[start].role == "assistant" and state.summary:
        before = summary_text(state.summary).partition(STILL_OPEN)[2]
        words = "\n".join(part for part in (before, words) if part)
    return squeeze(words, min(_REQUEST_CHARS, _summary_chars(state)))
