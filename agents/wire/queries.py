"""What a caller asks of a list."""

from typing import Literal

from pydantic import BaseModel

from agents.wire.messages import MessageType, View
from letta_site.core.paging import Page
from memory.wire.queries import Moment

RunStatus = Literal["created", "running", "completed", "failed", "cancelled"]


class AgentConditions(BaseModel):
    """Which agents."""

    name: str | None = None
    tags: list[str] | None = None
    match_all_tags: bool = False
    query_text: str | None = None
    project_id: str | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    identity_id: str | None = None
    identifier_keys: list[str] | None = None
    last_stop_reason: str | None = None
    created_by_id: str | None = None


class AgentPage(Page):
    """A page of agents. `ascending` is what clients of the old era say instead of `order`."""

    order_by: Literal["created_at", "updated_at", "last_run_completion"] = "created_at"  # type: ignore[assignment]
    ascending: bool | None = None


class ToolConditions(BaseModel):
    """Which tools. Lists may be repeated keys or text with commas."""

    name: str | None = None
    names: list[str] | None = None
    tool_ids: list[str] | None = None
    search: str | None = None
    tool_types: list[str] | None = None
    exclude_tool_types: list[str] | None = None
    return_only_letta_tools: bool | None = False
    exclude_letta_tools: bool | None = False


class ModelConditions(BaseModel):
    """Which models."""

    provider_category: list[str] | None = None
    provider_name: str | None = None
    provider_type: str | None = None

    def admits(self, item: dict[str, object]) -> bool:
        """Tell whether an encoded model is asked for."""
        categories = self.provider_category
        return (
            (not categories or item["provider_category"] in categories)
            and self.provider_name in (None, item["provider_name"])
            and self.provider_type in (None, item["provider_type"])
        )


class RunConditions(BaseModel):
    """Which runs."""

    agent_id: str | None = None
    agent_ids: list[str] | None = None
    statuses: list[RunStatus] | None = None
    background: bool | None = None
    stop_reason: str | None = None
    conversation_id: str | None = None
    active: bool = False

    def lookups(self) -> dict[str, object]:
        """Return the conditions as field lookups of Run."""
        checks = {
            "agent_id": self.agent_id,
            "agent_id__in": self.agent_ids or None,
            "status__in": self.statuses or (["created", "running"] if self.active else None),
            "background": self.background,
            "stop_reason": self.stop_reason,
            "conversation_id": self.conversation_id,
        }
        return {key: value for key, value in checks.items() if value is not None}


class RunPage(Page):
    """A page of runs."""

    ascending: bool | None = None


class StepConditions(BaseModel):
    """Which steps."""

    agent_id: str | None = None
    model: str | None = None
    start_date: Moment | None = None
    end_date: Moment | None = None
    feedback: Literal["positive", "negative"] | None = None
    has_feedback: bool | None = None
    trace_ids: list[str] | None = None
    tags: list[str] | None = None
    project_id: str | None = None

    def lookups(self) -> dict[str, object]:
        """Return the conditions as field lookups of Step, all but `tags`."""
        checks = {
            "agent_id": self.agent_id,
            "model": self.model,
            "started_at__gte": self.start_date,
            "started_at__lte": self.end_date,
            "feedback": self.feedback,
            "feedback__isnull": None if self.has_feedback is None else not self.has_feedback,
            "id__in": [] if self.trace_ids else None,
            "agent__project_id": self.project_id,
        }
        return {key: value for key, value in checks.items() if value is not None}


class MessageConditions(BaseModel):
    """Which messages, and how to show them."""

    conversation_id: str | None = None
    group_id: str | None = None
    use_assistant_message: bool = True
    assistant_message_tool_name: str = "send_message"
    assistant_message_tool_kwarg: str = "message"
    include_return_message_types: list[MessageType] | None = None

    def view(self, *, text_is_reply: bool) -> View:
        """Return how the caller wants to see messages."""
        types = self.include_return_message_types
        return View(
            text_is_reply=text_is_reply,
            use_assistant_message=self.use_assistant_message,
            tool_name=self.assistant_message_tool_name,
            tool_kwarg=self.assistant_message_tool_kwarg,
            types=None if types is None else frozenset(types),
        )


def split(values: list[str] | None) -> tuple[str, ...] | None:
    """Return the values of a list that came as repeated keys, or as text with commas."""
    if values is None:
        return None
    parts = (part.strip() for value in values for part in value.split(","))
    return tuple(part for part in parts if part)


def strings(values: list[str] | None) -> tuple[str, ...] | None:
    """Return the values of a repeated key."""
    return None if values is None else tuple(values)
