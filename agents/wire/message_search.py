"""Searches of messages as clients ask them, and what they are told."""

from typing import Literal

from pydantic import BaseModel, Field

from agents.models import Message as Row
from agents.types import Json, Message
from agents.wire.messages import View, encode_message
from agents.wire.moments import stamp
from agents.wire.raw_messages import encode_raw
from memory.logic.relevance import Verdict
from memory.wire.queries import MODES, Moment, SearchMode

MessageRole = Literal["assistant", "user", "tool", "function", "system", "approval", "summary"]
# What an agent said aloud is shown rather than what it thought, if one message has both.
_SHOWN = ("user_message", "assistant_message", "system_message", "reasoning_message")


class SearchAllMessagesRequest(BaseModel):
    """A search, as the new clients ask it."""

    query: str
    search_mode: SearchMode = "hybrid"
    agent_id: str | None = None
    conversation_id: str | None = None
    limit: int = Field(50, ge=1, le=100)
    start_date: Moment | None = None
    end_date: Moment | None = None

    def fields(self) -> Json:
        """Return it as the fields of the service's MessageSearch."""
        given = self.model_dump(exclude={"search_mode", "start_date", "end_date"})
        return {
            **{name: value for name, value in given.items() if value is not None},
            "mode": MODES[self.search_mode],
            "start": self.start_date,
            "end": self.end_date,
        }


class MessageSearchRequest(SearchAllMessagesRequest):
    """A search, as the old clients ask it."""

    query: str | None = None  # type: ignore[assignment]
    roles: list[MessageRole] | None = None
    project_id: str | None = None
    template_id: str | None = None


def encode_found(message: Message, row: Row, *, text_is_reply: bool) -> Json | None:
    """Return a found message as the new clients read it; None if it has nothing to show."""
    bodies = {one["message_type"]: one for one in encode_message(message, View(text_is_reply))}
    shown = next((bodies[kind] for kind in _SHOWN if kind in bodies), None)
    if shown is None:
        return None
    words = "reasoning" if shown["message_type"] == "reasoning_message" else "content"
    return {
        "message_type": shown["message_type"],
        words: shown[words],
        "message_id": row.id,
        "agent_id": row.agent_id,
        "conversation_id": row.conversation_id,
        "created_at": stamp(row.created_at),
    }


def encode_scored(row: Row, text: str, why: Verdict | None) -> Json:
    """Return a found message as the old clients read it.

    `rrf_score` is their name for the score; ours is a sum, and `why` has its parts.
    """
    return {
        "embedded_text": text,
        "message": encode_raw(row),
        "fts_rank": why.lexical_rank if why else None,
        "vector_rank": why.vector_rank if why else None,
        "rrf_score": why.score if why else 0.0,
        "why": why.explained() if why else None,
    }
