"""The window under X-rays: the next request in pieces, what leaves next, what the cache keeps."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.engine.forecast import Forecast, forecast
from agents.engine.sections import Break, Piece, find_break, mark_summary, read_order, split_body
from agents.engine.state import RunState
from agents.engine.window import estimate_tokens
from agents.llm.catalog import dialect_of_handle
from agents.llm.to_openai import row_origins
from agents.models import Conversation, Step
from agents.services.contexts import find_conversation
from agents.services.past_requests import rebuild_request
from agents.services.previews import AS_IT_IS, WhatIf, body_of, next_state
from agents.services.prompts import is_cold
from agents.types import Json, RunInput
from letta_site.core.types import Actor

_FREE = ("frame", "parameters")  # what no model reads as text


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of the request with its tokens, as the provider will probably count them."""

    piece: Piece
    tokens: int


@dataclass(frozen=True, slots=True)
class CacheOutlook:
    """What the provider may still know of the latest request that was sent.

    `at` is the section at which the two part, None if the old one is the beginning of the new one,
    `chars` how far into it. `model_changed`: another model shares nothing. `cold`: it was long ago.
    """

    step: Step
    kept_tokens: int
    at: Section | None
    chars: int
    model_changed: bool
    cold: bool


@dataclass(frozen=True, slots=True)
class NextRequest:
    """The next request of a conversation. `recompiled`: its system message is not yet stored."""

    conversation_id: str
    body: Json
    sections: tuple[Section, ...]
    forecast: Forecast
    cache: CacheOutlook | None
    recompiled: bool
    handle: str


def get_next_request(actor: Actor, given: RunInput, *, what_if: WhatIf = AS_IT_IS) -> NextRequest:
    """Return the request that comes next, with `given.messages` as a draft. Raises NotFound."""
    conversation = find_conversation(actor, given.agent_id, given.conversation_id)
    ahead = next_state(given, conversation, what_if)
    state = ahead.state
    sections = _sections(actor, state)
    return NextRequest(
        conversation_id=conversation.id,
        body=body_of(actor, state),
        sections=sections,
        forecast=forecast(state),
        cache=_outlook(conversation, state, sections, cold=is_cold(ahead.agent)),
        recompiled=ahead.recompiled,
        handle=state.spec.model.handle,
    )


def _sections(actor: Actor, state: RunState) -> tuple[Section, ...]:
    request = state.request()
    origins = row_origins(request, dialect_of_handle(actor.org_id, state.spec.model.handle))
    pieces = split_body(body_of(actor, state), origins=origins, labels=_labels(state))
    marked = mark_summary(pieces, state.summary.id if state.summary else None)
    measured = _measured(state, Counter(one.message_id for one in marked))
    return tuple(Section(one, _tokens(state, one, measured)) for one in marked)


def _labels(state: RunState) -> list[str]:
    return [view.label for view in state.blocks]


def _measured(state: RunState, rows: Mapping[str | None, int]) -> dict[str, int]:
    """Return how large each row of a message is, as the window is measured before a step."""
    shown = [*([state.summary] if state.summary else ()), *state.messages]
    return {one.id: state.sizes.of(one, state.clip) // max(rows[one.id], 1) for one in shown}


def _tokens(state: RunState, piece: Piece, measured: Mapping[str, int]) -> int:
    if piece.kind in _FREE or not piece.content:
        return 0
    known = measured.get(piece.message_id or "")
    return state.sizes.counted(estimate_tokens(piece.content) if known is None else known)


def _outlook(
    conversation: Conversation, state: RunState, sections: Sequence[Section], *, cold: bool
) -> CacheOutlook | None:
    step = _latest_step(conversation)
    body = rebuild_request(step).get("body") if step else None
    if step is None or body is None:
        return None
    if step.model_handle != state.spec.model.handle:
        return CacheOutlook(step, 0, None, 0, model_changed=True, cold=cold)
    by_piece = {id(one.piece): one for one in sections}
    ahead = read_order([one.piece for one in sections])
    before = read_order(split_body(body, labels=_labels(state)))
    broken = find_break(before, ahead)
    known = len(before) if broken is None else broken.at
    kept = sum(by_piece[id(one)].tokens for one in ahead[:known])
    at = by_piece[id(ahead[broken.at])] if broken and broken.at < len(ahead) else None
    return CacheOutlook(
        step,
        kept + _partly(at, broken),
        at,
        broken.chars if broken else 0,
        model_changed=False,
        cold=cold,
    )


def _partly(at: Section | None, broken: Break | None) -> int:
    """Return the tokens of a section before the place where it differs."""
    if at is None or broken is None:
        return 0
    return at.tokens * broken.chars // max(len(at.piece.text), 1)


def _latest_step(conversation: Conversation) -> Step | None:
    rows = Step.objects.filter(run__conversation=conversation).exclude(request={})
    found: Step | None = rows.select_related("run__conversation").order_by("-seq").first()
    return found
