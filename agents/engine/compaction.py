"""Making room in the window before the model is asked. PURE.

Only the last rung of the ladder stands here so far: the oldest whole turns leave, and a digest
of them, made without a model, takes their place. It cannot fail.
"""

from dataclasses import replace

from agents.engine.ports import Eviction, Ports
from agents.engine.state import RunState, return_limit_chars
from agents.engine.window import Breakdown, digest, estimate_messages, estimate_request, evict
from agents.types import Message, TextPart
from letta_site.core.ids import new_id

RESERVE_SHARE = 0.1
TARGET_SHARE = 0.6
NOTICE = "Earlier messages have left this window; they can be searched. What happened in them:\n"


async def make_room(state: RunState, ports: Ports) -> int:
    """Return the estimated size of the next request in tokens, after evicting if it was too big."""
    before = _estimate(state)
    if before.total <= int(state.spec.window_tokens * (1 - RESERVE_SHARE)):
        return before.total
    fixed = before.total - before.messages
    budget = max(int(state.spec.window_tokens * TARGET_SHARE) - fixed, 0)
    leaving = [one for one in evict(state.messages, budget_tokens=budget).leaving if one.seq]
    if not leaving:
        return before.total
    state.summary = await _store(state, ports, leaving, before.total)
    gone = {message.id for message in leaving}
    state.messages = [message for message in state.messages if message.id not in gone]
    return _estimate(state).total


def _estimate(state: RunState) -> Breakdown:
    return estimate_request(
        state.system,
        state.messages,
        state.spec.tools,
        state.summary,
        return_limit_chars=return_limit_chars(state.spec.window_tokens),
    )


async def _store(state: RunState, ports: Ports, leaving: list[Message], before: int) -> Message:
    limit_chars = max(state.spec.window_tokens // 2, 500)
    earlier = [_without_notice(state.summary)] if state.summary else []
    text = NOTICE + digest([*earlier, *leaving], limit_chars=limit_chars)
    summary = Message(
        id=new_id("message"),
        role="summary",
        created_at=ports.clock.now(),
        parts=(TextPart(text),),
        run_id=state.spec.run_id,
    )
    return await ports.ledger.evict(
        Eviction(
            trigger="context_window",
            mode="digest",
            from_seq=leaving[0].seq,
            to_seq=leaving[-1].seq,
            message_ids=tuple(message.id for message in leaving),
            summary=summary,
            tokens_before=before,
            tokens_after=before - estimate_messages(leaving),
        )
    )


def _without_notice(summary: Message) -> Message:
    return replace(summary, parts=(TextPart(summary.text.removeprefix(NOTICE)),))
