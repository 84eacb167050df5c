"""What a caller sends to change a stored message, and to ask a model without an agent's history."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, RootModel, Tag

from agents.engine.ports import Reply
from agents.types import Json, Part, TextPart
from agents.wire.encode import encode_usage
from agents.wire.requests import Content, to_part
from letta_site.core.errors import Invalid

Kind = Literal["system_message", "user_message", "assistant_message", "reasoning_message"]


class UpdateSystemMessage(BaseModel):
    """New words of a system message."""

    message_type: Literal["system_message"] = "system_message"
    content: str


class UpdateUserMessage(BaseModel):
    """New words or parts of a user's message."""

    message_type: Literal["user_message"] = "user_message"
    content: str | list[Content]


class UpdateReasoningMessage(BaseModel):
    """New words of a thought."""

    message_type: Literal["reasoning_message"] = "reasoning_message"
    reasoning: str


class UpdateAssistantMessage(BaseModel):
    """New words of an answer."""

    message_type: Literal["assistant_message"] = "assistant_message"
    content: str | list[Content]


def _kind(value: Any) -> str:
    given = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    usual = "reasoning_message" if "reasoning" in given else "user_message"
    return str(given.get("message_type") or usual)


Update = Annotated[
    Annotated[UpdateSystemMessage, Tag("system_message")]
    | Annotated[UpdateUserMessage, Tag("user_message")]
    | Annotated[UpdateReasoningMessage, Tag("reasoning_message")]
    | Annotated[UpdateAssistantMessage, Tag("assistant_message")],
    Discriminator(_kind),
]


class MessageEdit(RootModel[Update]):
    """One of the four forms."""

    @property
    def message_type(self) -> Kind:
        """What the edited message is to a client."""
        return self.root.message_type

    def parts(self) -> tuple[Part, ...]:
        """Return the new parts. Raises Invalid when they say nothing."""
        if isinstance(self.root, UpdateReasoningMessage):
            given: str | list[Any] = self.root.reasoning
        else:
            given = self.root.content
        if not given:
            raise Invalid("Message content is empty or invalid")
        if isinstance(given, str):
            return (TextPart(given),)
        return tuple(to_part(part) for part in given)


def encode_generation(reply: Reply) -> Json:
    """Return a model's answer to one question."""
    return {
        "content": reply.text,
        "model": reply.model,
        "usage": encode_usage(reply.usage, step_count=1),
    }
