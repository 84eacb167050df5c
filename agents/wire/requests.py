"""What a caller sends to an agent, and what the runner gets of it."""

import hashlib
import re
import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag, model_validator

from agents.engine.repair import clean_text
from agents.types import (
    ImagePart,
    InputMessage,
    Part,
    ReasoningPart,
    RunInput,
    TextPart,
    WhenBusy,
)
from agents.wire.approvals import (
    ApprovalCreate,
    ClientSkill,
    ClientTool,
    ToolReturnCreate,
    answer_message,
)
from agents.wire.messages import MessageType
from letta_site.core.errors import Invalid, Malformed

_DATA_URL = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+);base64,(?P<data>.+)\Z", re.DOTALL)


class TextContent(BaseModel):
    """Words."""

    type: Literal["text"] = "text"
    text: str


class UrlImage(BaseModel):
    """A picture somewhere else."""

    type: Literal["url"] = "url"
    url: str


class Base64Image(BaseModel):
    """A picture in the request itself."""

    type: Literal["base64"] = "base64"
    media_type: str
    data: str


class ImageContent(BaseModel):
    """A picture."""

    type: Literal["image"] = "image"
    source: Annotated[UrlImage | Base64Image, Field(discriminator="type")]


class ReasoningContent(BaseModel):
    """A thought, given as part of a history."""

    type: Literal["reasoning"] = "reasoning"
    reasoning: str
    is_native: bool = True
    signature: str | None = None


Content = Annotated[TextContent | ImageContent | ReasoningContent, Field(discriminator="type")]


class MessageCreate(BaseModel):
    """A message to an agent."""

    type: Literal["message"] | None = "message"
    role: Literal["user", "system", "assistant"]
    content: str | list[Content]
    name: str | None = Field(None, max_length=200)
    otid: str | None = Field(None, max_length=200)
    sender_id: str | None = Field(None, max_length=60)
    group_id: str | None = Field(None, max_length=60)

    @property
    def text(self) -> str:
        """The words of the message."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content if isinstance(part, TextContent))


def _kind(value: Any) -> str:
    given = value if isinstance(value, Mapping) else getattr(value, "__dict__", {})
    if given.get("type"):
        return str(given["type"])
    old_style = given.get("approve") is not None or given.get("approval_request_id")
    return "approval" if old_style else "message"


Item = Annotated[
    Annotated[MessageCreate, Tag("message")]
    | Annotated[ApprovalCreate, Tag("approval")]
    | Annotated[ToolReturnCreate, Tag("tool_return")],
    Discriminator(_kind),
]


class LettaRequest(BaseModel):
    """Messages to an agent, and how the answer is to look."""

    messages: list[Item] | None = None
    input: str | list[Content] | None = None
    max_steps: int = Field(50, le=10_000)
    use_assistant_message: bool = True
    assistant_message_tool_name: str = "send_message"
    assistant_message_tool_kwarg: str = "message"
    include_return_message_types: list[MessageType] | None = None
    client_tools: list[ClientTool] | None = None
    client_skills: list[ClientSkill] | None = Field(None, max_length=200)
    override_model: str | None = None
    override_system: str | None = None
    include_compaction_messages: bool = False
    when_busy: Literal["queue", "reject", "interrupt"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, given: Any) -> Any:
        if isinstance(given, dict) and "system" in given and "override_system" not in given:
            return {**given, "override_system": given["system"]}
        return given

    @model_validator(mode="after")
    def _one_of_two(self) -> "LettaRequest":
        if self.input is None and self.messages is None:
            raise ValueError("Must specify either 'input' or 'messages'.")
        if self.input is not None and self.messages is not None:
            raise ValueError("Cannot specify both 'input' and 'messages'. Use one or the other.")
        return self


class LettaStreamingRequest(LettaRequest):
    """The same, with a choice of how the answer arrives."""

    streaming: bool = False
    stream_tokens: bool = False
    include_pings: bool = True
    background: bool = False

    def check_flags(self) -> None:
        """Raise Malformed when options of a stream are set without one."""
        if self.streaming:
            return
        for name, usual in (("stream_tokens", False), ("include_pings", True)):
            if getattr(self, name) is not usual:
                raise _without_streaming(name, not usual)
        if self.background:
            raise _without_streaming("background", True)


class CancelAgentRunRequest(BaseModel):
    """Which runs to stop; all active ones when none is named."""

    run_ids: list[str] | None = None


class ResetMessagesRequest(BaseModel):
    """Whether the first messages of the agent's type are to be there again."""

    add_default_initial_messages: bool = False


def _without_streaming(name: str, value: bool) -> Malformed:
    return Malformed(
        f"Streaming options set without streaming enabled. {name} can only be "
        f"{str(value).lower()} when streaming=true."
    )


# --- to the inside ---------------------------------------------------------------------------


def run_input(
    agent_id: str, given: LettaRequest, *, run_type: str, when_busy: WhenBusy = "queue"
) -> RunInput:
    """Return what the runner needs. Raises Malformed or Invalid on messages that say nothing.

    `when_busy` holds where the request does not say what to do about a run under way.
    """
    shown = given.model_dump(
        include={
            "use_assistant_message",
            "assistant_message_tool_name",
            "assistant_message_tool_kwarg",
            "include_return_message_types",
            "include_compaction_messages",
        }
    )
    otids = [item.otid for item in given.messages or () if item.otid]
    return RunInput(
        agent_id=agent_id,
        messages=input_messages(given),
        max_steps=given.max_steps,
        stream_tokens=bool(getattr(given, "stream_tokens", False)),
        background=bool(getattr(given, "background", False)) or run_type.endswith("async"),
        override_model=given.override_model,
        override_system=given.override_system,
        client_tools=tuple(tool.row() for tool in given.client_tools or ()),
        client_skills=tuple(skill.model_dump() for skill in given.client_skills or ()),
        request_config=shown,
        metadata={"run_type": run_type},
        callback_url=getattr(given, "callback_url", None),
        resend_key=resend_key(given),
        otid=otids[-1][:200] if otids else None,
        when_busy=given.when_busy or when_busy,
    )


def resend_key(given: LettaRequest) -> str:
    """Return what is the same when a client sends the same request again."""
    return hashlib.sha256(given.model_dump_json().encode("utf-8", "replace")).hexdigest()


def input_messages(given: LettaRequest) -> tuple[InputMessage, ...]:
    """Return the messages of a request. Raises Malformed or Invalid."""
    if given.input is not None:
        only = MessageCreate(role="user", content=given.input)
        return (_message(only),)
    if not given.messages:
        raise Malformed("Messages must not be empty")
    return tuple(_item(item) for item in given.messages)


def _item(item: Item) -> InputMessage:
    if isinstance(item, MessageCreate):
        return _message(item)
    return answer_message(item)


def _message(given: MessageCreate) -> InputMessage:
    parts = [TextContent(text=given.content)] if isinstance(given.content, str) else given.content
    if not parts or all(isinstance(part, TextContent) and not part.text for part in parts):
        raise Invalid("Message content is empty or invalid")
    return InputMessage(
        role=given.role,
        parts=tuple(to_part(part) for part in parts),
        name=given.name,
        otid=given.otid or str(uuid.uuid4()),
        sender_id=given.sender_id,
        group_id=given.group_id,
    )


def to_part(part: TextContent | ImageContent | ReasoningContent) -> Part:
    """Return the value of a part of a content list. Raises Invalid for a picture nobody can get."""
    if isinstance(part, TextContent):
        return TextPart(clean_text(part.text))
    if isinstance(part, ReasoningContent):
        return ReasoningPart(clean_text(part.reasoning), part.signature, part.is_native)
    return _image(part.source)


def _image(source: UrlImage | Base64Image) -> ImagePart:
    if isinstance(source, Base64Image):
        return ImagePart(media_type=source.media_type, data=source.data)
    inline = _DATA_URL.match(source.url)
    if inline:
        return ImagePart(media_type=inline["type"], data=inline["data"])
    if not source.url.startswith(("http://", "https://")):
        raise Invalid("An image's url must begin with http:, https: or data:.")
    return ImagePart(url=source.url)
