"""The admin of agents: what they are and have can be changed; what happened only looked at."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from agents.models import (
    Agent,
    AgentArchive,
    AgentBlock,
    AgentFolder,
    AgentSecret,
    AgentTag,
    AgentTool,
    Compaction,
    Conversation,
    Message,
    Run,
    Step,
    Tool,
    ToolCall,
)
from agents.runtime.removal import remove_agent
from letta_site.core.admin import History, LargeTable, actor_of

STATED_ONCE = ("id", "created_at", "updated_at", "created_by_id", "last_updated_by_id")


class _Links(admin.TabularInline):
    extra = 0


class BlockLinks(_Links):
    """The blocks of an agent."""

    model = AgentBlock
    autocomplete_fields = ("block",)


class ToolLinks(_Links):
    """The tools of an agent."""

    model = AgentTool
    autocomplete_fields = ("tool",)


class ArchiveLinks(_Links):
    """The archives of an agent."""

    model = AgentArchive
    autocomplete_fields = ("archive",)


class FolderLinks(_Links):
    """The folders of an agent. More than a row hangs on each: the API attaches and detaches."""

    model = AgentFolder
    fields = readonly_fields = ("folder",)
    can_delete = False

    def has_add_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False


class Tags(_Links):
    """The tags of an agent."""

    model = AgentTag


class Secrets(_Links):
    """The secrets of an agent: which there are, not what they are."""

    model = AgentSecret
    fields = readonly_fields = ("key", "description", "created_at")

    def has_add_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False


@admin.register(Agent)
class AgentAdmin(LargeTable):
    """Agents. They are made by the workspace or the API, which give them all they need."""

    list_display = ("name", "agent_type", "model", "last_stop_reason", "last_run_completion", "id")
    list_filter = ("agent_type", "model", "last_stop_reason", "hidden")
    search_fields = ("name", "id", "description", "tag_rows__tag")
    raw_id_fields = ("org",)
    readonly_fields = (
        *STATED_ONCE,
        "last_seq",
        "files_version",
        "last_run_completion",
        "last_run_duration_ms",
        "last_stop_reason",
    )
    inlines = (BlockLinks, ToolLinks, ArchiveLinks, FolderLinks, Tags, Secrets)

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def delete_model(self, request: HttpRequest, obj: Agent) -> None:
        remove_agent(actor_of(request), obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for agent in queryset:
            remove_agent(actor_of(request), agent.pk)


@admin.register(Tool)
class ToolAdmin(LargeTable):
    """Tools."""

    list_display = ("name", "tool_type", "start", "default_requires_approval", "updated_at")
    list_filter = ("tool_type", "source_type", "default_requires_approval")
    search_fields = ("name", "id", "description")
    raw_id_fields = ("org",)
    readonly_fields = STATED_ONCE

    @admin.display(description="description")
    def start(self, row: Tool) -> str:
        return (row.description or "")[:100]


@admin.register(Conversation)
class ConversationAdmin(History):
    """Histories of agents and where their windows begin."""

    list_display = ("id", "agent", "is_default", "window_after_seq", "created_at")
    list_filter = ("is_default",)
    search_fields = ("=id", "=agent__id", "agent__name")


@admin.register(Message)
class MessageAdmin(History):
    """The perpetual history."""

    list_display = ("seq", "agent", "role", "words", "step_id", "run_id", "created_at")
    list_filter = ("role", "is_err")
    search_fields = ("=id", "=agent__id", "=run_id", "=step_id", "content")

    @admin.display(description="words")
    def words(self, row: Message) -> str:
        texts = [str(part.get("text", "")) for part in row.content]
        calls = [f"{call.get('name')}(...)" for call in row.tool_calls]
        returns = [str(one.get("text", "")) for one in row.tool_returns]
        return " ".join([*texts, *calls, *returns])[:120]


@admin.register(Run)
class RunAdmin(History):
    """Accepted requests and how they ended."""

    list_display = ("id", "agent", "status", "stop_reason", "step_count", "tokens", "created_at")
    list_filter = ("status", "stop_reason", "background")
    search_fields = ("=id", "=agent__id", "agent__name")

    @admin.display(description="tokens")
    def tokens(self, row: Run) -> int:
        return row.prompt_tokens + row.completion_tokens


@admin.register(Step)
class StepAdmin(History):
    """Calls of a model."""

    list_display = ("id", "agent", "n", "status", "model_handle", "llm_ms", "tokens", "created_at")
    list_filter = ("status", "provider_name", "model_handle")
    search_fields = ("=id", "=agent__id", "=run__id")

    @admin.display(description="model, ms")
    def llm_ms(self, row: Step) -> str:
        return "" if row.llm_ns is None else f"{row.llm_ns / 1e6:.0f}"

    @admin.display(description="tokens")
    def tokens(self, row: Step) -> int:
        return row.prompt_tokens + row.completion_tokens


@admin.register(ToolCall)
class ToolCallAdmin(History):
    """Executions of tools."""

    list_display = ("name", "status", "agent", "step_id", "run_id", "created_at")
    list_filter = ("status", "name")
    search_fields = ("=tool_call_id", "=agent__id", "=run__id", "=step__id", "name")


@admin.register(Compaction)
class CompactionAdmin(History):
    """Messages that left a window, and the summaries in their place."""

    list_display = ("agent", "trigger", "mode", "tokens_before", "tokens_after", "created_at")
    list_filter = ("trigger", "mode")
    search_fields = ("=agent__id", "=run_id", "summary_after")
