"""Past messages that a caller puts into a history, and what it is told of them."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from agents.engine.past import Insertion, PastMessage
from agents.engine.repair import clean_text
from agents.types import ImagePart, Json, Part, TextPart, ToolCall
from agents.wire.requests import Content, to_part
from letta_site.core.errors import AppError, Malformed
from memory.wire.queries import Moment

MOST_MESSAGES = 1_000


class PastToolCall(BaseModel):
    """A call that the agent made back then. `arguments` is JSON text."""

    id: Annotated[str, Field(min_length=1, max_length=200)]
    name: Annotated[str, Field(min_length=1, max_length=64)]
    arguments: str = "{}"


class PastMessageCreate(BaseModel):
    """A message of the past.

    `tool_calls` goes with role assistant; each call is answered by a message of role tool with its
    `tool_call_id` right behind it.
    """

    role: Literal["user", "assistant", "system", "tool"]
    content: str | list[Content] = ""
    name: str | None = Field(None, max_length=200)
    otid: str | None = Field(
        None, max_length=200, description="One that is there already is not stored again."
    )
    created_at: Moment | None = Field(None, description="When it was said; now if absent.")
    in_context: bool | None = Field(
        None, description="Whether the model sees it from now on; else it is found by searching."
    )
    tool_calls: list[PastToolCall] | None = None
    tool_call_id: str | None = Field(None, max_length=200)
    status: Literal["success", "error"] = "success"

    def value(self, *, in_context: bool) -> PastMessage:
        """Return it as the service takes it; `in_context` holds if it says nothing itself."""
        return PastMessage(
            role=self.role,
            parts=self._parts(),
            name=self.name,
            otid=self.otid,
            created_at=self.created_at,
            in_context=in_context if self.in_context is None else self.in_context,
            tool_calls=tuple(
                ToolCall(clean_text(one.id), clean_text(one.name), clean_text(one.arguments))
                for one in self.tool_calls or ()
            ),
            tool_call_id=self.tool_call_id,
            status=self.status,
        )

    def _parts(self) -> tuple[Part, ...]:
        if isinstance(self.content, str):
            return (TextPart(clean_text(self.content)),) if self.content else ()
        parts = tuple(map(to_part, self.content))
        if any(isinstance(part, ImagePart) and part.url for part in parts):
            raise Malformed("a picture must come as base64 or as a data: address")
        return parts


class InsertMessagesRequest(BaseModel):
    """Past messages, oldest first. They are stored all or not at all.

    `when_busy` tells what to do if messages are to go into the window of a conversation where a run
    is at work: `reject` answers 409, `queue` waits for its end. Messages that stay out of the
    window never wait.
    """

    messages: list[PastMessageCreate] = Field(min_length=1, max_length=MOST_MESSAGES)
    conversation_id: str | None = Field(None, description="The agent's default one if absent.")
    in_context: bool = Field(
        False, description="For the messages that do not say themselves whether they are."
    )
    when_busy: Literal["reject", "queue"] = "reject"

    def value(self) -> Insertion:
        """Return what is to be inserted. Raises Malformed that names a message by its index."""
        return Insertion(
            messages=tuple(self._message(n) for n in range(len(self.messages))),
            conversation_id=self.conversation_id,
        )

    def _message(self, index: int) -> PastMessage:
        try:
            return self.messages[index].value(in_context=self.in_context)
        except AppError as failure:
            raise Malformed(f"messages[{index}]: {failure.what}", index=index) from failure


def encode_insertion(conversation_id: str, message_ids: Sequence[str]) -> Json:
    """Return what was stored: an id for each message that was given, in the same order."""
    return {
        "conversation_id": conversation_id,
        "count": len(message_ids),
        "message_ids": list(message_ids),
    }
