"""Answers to calls that wait, what waits, and the tools and skills that a caller brings."""

import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Discriminator, Field, Tag

from agents.engine.repair import clean_text
from agents.models import Message as MessageRow
from agents.types import InputMessage, Json, Message, ToolCall
from agents.wire.messages import View, encode_message
from letta_site.core.errors import Invalid

EMPTY_OBJECT: Json = {"type": "object", "properties": {}}


def _clean(reason: str | None) -> str | None:
    return None if reason is None else clean_text(reason)


class ApprovalReturn(BaseModel):
    """A person's word on one call."""

    type: Literal["approval"] = "approval"
    tool_call_id: str = Field(max_length=200)
    approve: bool
    reason: str | None = Field(None, max_length=10_000)

    def row(self) -> Json:
        """Return the answer as it is kept."""
        return {**self.model_dump(), "reason": _clean(self.reason)}


class ToolReturn(BaseModel):
    """What a call gave that the client carried out itself."""

    type: Literal["tool"] = "tool"
    tool_call_id: str = Field(max_length=200)
    tool_return: str | list[dict[str, Any]]
    status: Literal["success", "error"]
    stdout: list[str] | None = None
    stderr: list[str] | None = None

    def row(self) -> Json:
        """Return the answer as it is kept: its parts as one text."""
        given = self.tool_return
        text = given if isinstance(given, str) else "\n".join(map(_words, given))
        return {
            **self.model_dump(),
            "tool_return": clean_text(text),
            "stdout": [clean_text(line) for line in self.stdout or ()],
            "stderr": [clean_text(line) for line in self.stderr or ()],
        }


def _words(part: Json) -> str:
    return str(part.get("text", "")) if part.get("type") == "text" else f"[{part.get('type')}]"


def _kind(value: Any) -> str:
    if isinstance(value, ToolReturn):
        return "tool"
    given = value if isinstance(value, Mapping) else {}
    return str(given.get("type") or ("tool" if "tool_return" in given else "approval"))


Answer = Annotated[
    Annotated[ApprovalReturn, Tag("approval")] | Annotated[ToolReturn, Tag("tool")],
    Discriminator(_kind),
]


class ApprovalCreate(BaseModel):
    """Answers to calls that wait: one by one, or, from an old client, one for all of a request."""

    type: Literal["approval"] = "approval"
    approvals: list[Answer] | None = None
    approve: bool | None = None
    approval_request_id: str | None = None
    reason: str | None = Field(None, max_length=10_000)
    otid: str | None = Field(None, max_length=200)
    group_id: str | None = Field(None, max_length=60)

    def rows(self) -> list[Json]:
        """Return the answers as they are kept."""
        if self.approvals:
            return [one.row() for one in self.approvals]
        if self.approve is None:
            return []
        verdict = {"type": "approval", "approve": self.approve, "reason": _clean(self.reason)}
        return [{**verdict, "approval_request_id": self.approval_request_id}]


class ToolReturnCreate(BaseModel):
    """Returns of tools that the client itself has run."""

    type: Literal["tool_return"] = "tool_return"
    tool_returns: list[ToolReturn]
    otid: str | None = Field(None, max_length=200)
    group_id: str | None = Field(None, max_length=60)

    def rows(self) -> list[Json]:
        """Return the answers as they are kept."""
        return [one.row() for one in self.tool_returns]


class ClientTool(BaseModel):
    """A tool that the client offers for this request and runs itself."""

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = None
    parameters: dict[str, Any] | None = None

    def row(self) -> Json:
        """Return what is kept of the tool with the run."""
        schema = {**EMPTY_OBJECT, **(self.parameters or {})}
        return {"name": self.name, "description": self.description or "", "parameters": schema}


Text = Annotated[str, AfterValidator(clean_text)]


class ClientSkill(BaseModel):
    """Something that the caller's surroundings have on offer, for the model to know of."""

    name: Text = Field(min_length=1, max_length=200)
    description: Text = Field(max_length=10_000)
    location: Text = Field(max_length=1000)


def answer_message(given: ApprovalCreate | ToolReturnCreate) -> InputMessage:
    """Return the message that carries answers. Raises Invalid when it answers nothing."""
    rows = given.rows()
    if not rows:
        raise Invalid(
            "The approval answers nothing.",
            todo="Give approvals with a tool_call_id each, or approve and approval_request_id.",
        )
    return InputMessage(
        role="approval",
        otid=given.otid or str(uuid.uuid4()),
        group_id=given.group_id,
        approvals=tuple(rows),
    )


def encode_pending(row: MessageRow | None) -> Json | None:
    """Return the request that waits, as the caller was shown it."""
    if row is None:
        return None
    request = Message(
        id=row.id,
        role="approval",
        created_at=row.created_at,
        tool_calls=tuple(ToolCall(**call) for call in row.tool_calls),
        name=row.name,
        step_id=row.step_id,
        run_id=row.run_id,
    )
    return encode_message(request, View())[-1]
