"""The window under X-rays, on the wire. Ours; no client of Letta's asks for it."""

from collections.abc import Sequence
from typing import Protocol

from pydantic import BaseModel, Field

from agents.engine.forecast import Forecast
from agents.engine.sections import Piece
from agents.models import Step
from agents.types import Json, Message, RunInput
from agents.wire.requests import Content, LettaRequest, MessageCreate, input_messages


class WhatIfFields(BaseModel):
    """Changes to try out; nothing of it is stored. `blocks` are new values by label."""

    system: str | None = None
    context_window_limit: int | None = Field(None, ge=1, lt=2**31)
    without_tools: list[str] = []
    blocks: dict[str, str] = {}


class NextRequestQuery(BaseModel):
    """A draft of the next message, if there is one, and what to try out with it."""

    messages: list[MessageCreate] | None = None
    input: str | list[Content] | None = None
    conversation_id: str | None = None
    model: str | None = Field(None, description="Another model for this once, as a handle.")
    override_system: str | None = None
    stream_tokens: bool = False
    what_if: WhatIfFields = WhatIfFields()

    def run_input(self, agent_id: str) -> RunInput:
        """Return the request as the runner would get it. Raises Invalid on an empty draft."""
        given: Json = {"messages": self.messages} if self.messages else {"input": self.input}
        empty = not self.messages and self.input is None
        return RunInput(
            agent_id=agent_id,
            messages=() if empty else input_messages(LettaRequest(**given)),
            conversation_id=self.conversation_id,
            override_model=self.model,
            override_system=self.override_system,
            stream_tokens=self.stream_tokens,
        )


class Section(Protocol):
    """A piece of the request with its size."""

    @property
    def piece(self) -> Piece: ...
    @property
    def tokens(self) -> int: ...


class Cache(Protocol):
    """What the provider may still know."""

    @property
    def step(self) -> Step: ...
    @property
    def kept_tokens(self) -> int: ...
    @property
    def at(self) -> Section | None: ...
    @property
    def chars(self) -> int: ...
    @property
    def model_changed(self) -> bool: ...
    @property
    def cold(self) -> bool: ...


class NextRequest(Protocol):
    """The next request of a conversation."""

    @property
    def conversation_id(self) -> str: ...
    @property
    def sections(self) -> Sequence[Section]: ...
    @property
    def forecast(self) -> Forecast: ...
    @property
    def cache(self) -> Cache | None: ...
    @property
    def recompiled(self) -> bool: ...
    @property
    def handle(self) -> str: ...


def encode_next_request(ahead: NextRequest) -> Json:
    """Return the request in pieces: their texts, joined, are its bytes in UTF-8.

    `exact` is false when sending it would change it first: because the window is to be shortened
    (`eviction.due`), or the system message to be compiled with the time of that (`recompiled`).
    """
    return {
        "conversation_id": ahead.conversation_id,
        "model": ahead.handle,
        "exact": not (ahead.recompiled or ahead.forecast.due),
        "recompiled": ahead.recompiled,
        "tokens": sum(one.tokens for one in ahead.sections),
        "sections": [_section(one) for one in ahead.sections],
        "eviction": _eviction(ahead.forecast),
        "cache": _cache(ahead.cache, ahead.sections) if ahead.cache else None,
    }


def _section(one: Section) -> Json:
    piece = one.piece
    return {
        "kind": piece.kind,
        "name": piece.name or None,
        "message_id": piece.message_id,
        "tokens": one.tokens,
        "text": piece.text,
    }


def _eviction(ahead: Forecast) -> Json:
    return {
        "due": ahead.due,
        "size_tokens": ahead.size,
        "at_tokens": ahead.limit,
        "window_tokens": ahead.window,
        "left_tokens": max(0, ahead.limit - ahead.size),
        "clipped_message_ids": _ids(ahead.clipped),
        "leaving_message_ids": _ids(ahead.leaving),
        "leaving_tokens": ahead.freed,
    }


def _ids(messages: Sequence[Message]) -> list[str]:
    return [one.id for one in messages]


def _cache(cache: Cache, sections: Sequence[Section]) -> Json:
    at = cache.at
    place = next((n for n, one in enumerate(sections) if one is at), None)
    return {
        "step_id": cache.step.id,
        "sent_at": cache.step.started_at,
        "cold": cache.cold,
        "model_changed": cache.model_changed,
        "kept_tokens": cache.kept_tokens,
        "breaks_at": at and {"section": place, "chars": cache.chars, **_named(at.piece)},
    }


def _named(piece: Piece) -> Json:
    return {"kind": piece.kind, "name": piece.name or None, "message_id": piece.message_id}
