"""The window of an agent on the wire."""

from collections.abc import Sequence
from typing import Protocol

from agents.engine.window import Breakdown
from agents.models import Agent, Compaction, Message
from agents.types import Json, ToolSpec, Transcript
from agents.wire.raw_messages import encode_raw


class Section(Protocol):
    """A text with its size."""

    @property
    def text(self) -> str: ...
    @property
    def tokens(self) -> int: ...


class Context(Protocol):
    """What fills a window."""

    @property
    def agent(self) -> Agent: ...
    @property
    def transcript(self) -> Transcript: ...
    @property
    def tools(self) -> tuple[ToolSpec, ...]: ...
    @property
    def sizes(self) -> Breakdown: ...
    @property
    def memory(self) -> Section: ...
    @property
    def rules(self) -> Section: ...
    @property
    def notes(self) -> Section: ...
    @property
    def directories(self) -> Section: ...
    @property
    def rows(self) -> Sequence[Message]: ...
    @property
    def stored_messages(self) -> int: ...
    @property
    def passages(self) -> int: ...


def encode_context(context: Context) -> Json:
    """Return a ContextWindowOverview; its sections add up to the current size."""
    sizes, transcript = context.sizes, context.transcript
    apart = context.rules.tokens + context.notes.tokens + context.directories.tokens
    return {
        "context_window_size_max": context.agent.context_window_limit,
        "context_window_size_current": sizes.total,
        "num_messages": len(context.rows),
        "num_archival_memory": context.passages,
        "num_recall_memory": max(0, context.stored_messages - len(context.rows)),
        "num_tokens_external_memory_summary": context.notes.tokens,
        "external_memory_summary": context.notes.text,
        "num_tokens_system": max(0, sizes.system - apart),
        "system_prompt": context.agent.system,
        "num_tokens_core_memory": sizes.memory,
        "core_memory": context.memory.text,
        "num_tokens_memory_filesystem": 0,
        "memory_filesystem": None,
        "num_tokens_tool_usage_rules": context.rules.tokens,
        "tool_usage_rules": context.rules.text or None,
        "num_tokens_directories": context.directories.tokens,
        "directories": context.directories.text or None,
        "num_tokens_summary_memory": sizes.summary,
        "summary_memory": transcript.summary.text if transcript.summary else None,
        "num_tokens_functions_definitions": sizes.tools,
        "functions_definitions": [_function(tool) for tool in context.tools],
        "num_tokens_messages": sizes.messages,
        "messages": [encode_raw(row) for row in context.rows],
    }


def _function(tool: ToolSpec) -> Json:
    definition = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": None,
    }
    return {"type": "function", "function": definition}


def encode_compacted(summary: str, before: int, after: int) -> Json:
    """Return the answer to a request to shorten the window."""
    return {"summary": summary, "num_messages_before": before, "num_messages_after": after}


def encode_compaction(row: Compaction) -> Json:
    """Return a compaction that was made; `n` is what to undo it by."""
    return {
        "n": row.seq,
        "agent_id": row.agent_id,
        "conversation_id": row.conversation_id,
        "run_id": row.run_id,
        "trigger": row.trigger,
        "mode": row.mode,
        "message_ids": row.message_ids,
        "summary_before": row.summary_before,
        "summary_after": row.summary_after,
        "tokens_before": row.tokens_before,
        "tokens_after": row.tokens_after,
        "created_at": row.created_at,
        "undone_at": row.undone_at,
    }
