"""Conversations on the wire."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from agents.models import Conversation
from agents.types import Json
from agents.wire.agent_requests import CompactionRequest
from agents.wire.moments import stamp
from agents.wire.requests import LettaStreamingRequest
from letta_site.core.ids import check_id
from letta_site.core.paging import Page


def _conversation_id(value: str) -> str:
    return value if value == "default" else check_id(value, "conv", "agent")


ConversationId = Annotated[str, AfterValidator(_conversation_id)]


class CreateConversation(BaseModel):
    """A conversation to be."""

    summary: str | None = None
    isolated_block_labels: list[str] | None = None
    model: str | None = Field(None, max_length=200)
    model_settings: dict[str, Any] | None = None


class UpdateConversation(BaseModel):
    """What is to change of a conversation; null leaves it as it is."""

    summary: str | None = None
    model: str | None = Field(None, max_length=200)
    model_settings: dict[str, Any] | None = None

    def changes(self) -> Json:
        """Return the new values by our own names."""
        given = self.model_dump(exclude_none=True)
        return {("title" if key == "summary" else key): value for key, value in given.items()}


class ConversationMessageRequest(LettaStreamingRequest):
    """Messages to a conversation; the answer is a stream unless told otherwise."""

    agent_id: str | None = None
    streaming: bool = True


class ConversationPage(Page):
    """A page of conversations."""

    order_by: Literal["created_at", "last_run_completion", "last_message_at"] = "created_at"  # type: ignore[assignment]
    agent_id: str | None = None
    summary_search: str | None = None


class ConversationCompaction(CompactionRequest):
    """How to compact; `agent_id` goes with the id `default`."""

    agent_id: str | None = None


def encode_conversation(row: Conversation, message_ids: list[str]) -> Json:
    """Return a Conversation; `message_ids` are those in its window."""
    return {
        "id": row.id,
        "agent_id": row.agent_id,
        "summary": row.title,
        "in_context_message_ids": message_ids,
        "isolated_block_ids": row.isolated_block_ids,
        "model": row.model,
        "model_settings": row.model_settings,
        "last_message_at": stamp(row.last_message_at),
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
        "created_by_id": row.created_by_id,
        "last_updated_by_id": row.last_updated_by_id,
    }
