"""Agents on the wire: the keys of both client eras, always all of them."""

from typing import Any

from agents.models import Agent, AgentSecret
from agents.types import Json
from agents.wire.approvals import encode_pending
from agents.wire.folders import encode_file_block
from agents.wire.groups import encode_group
from agents.wire.models import CONFIG_DEFAULTS
from agents.wire.moments import stamp
from agents.wire.tools import encode_tool
from memory.wire.blocks import encode_block
from memory.wire.embeddings import encode_embedding_config
from memory.wire.folders import encode_folder

RELATIONS = ("blocks", "tools", "tags", "secrets", "sources", "identities", "managed_group")

_COMPACTION_DEFAULTS: Json = {
    "model_settings": None,
    "prompt": None,
    "prompt_acknowledgement": False,
    "clip_chars": 50_000,
    "mode": "sliding_window",
    "sliding_window_percentage": 0.3,
}
_PLAIN = (
    "id",
    "name",
    "description",
    "agent_type",
    "system",
    "model",
    "embedding",
    "response_format",
    "metadata",
    "message_buffer_autoclear",
    "enable_sleeptime",
    "timezone",
    "hidden",
    "max_files_open",
    "per_file_view_window_char_limit",
    "project_id",
    "template_id",
    "base_template_id",
    "deployment_id",
    "entity_id",
    "last_run_duration_ms",
    "last_stop_reason",
    "created_by_id",
    "last_updated_by_id",
)


def encode_agent(agent: Agent) -> Json:
    """Return an AgentState. The row must come with what `agent_relations` loads."""
    shown: Any = agent.shown
    blocks = [encode_block(row) for row in shown.blocks]
    secrets = [_secret(row) for row in shown.secrets]
    group = encode_group(shown.groups[-1]) if shown.groups else None
    return {
        **{name: getattr(agent, name) for name in _PLAIN},
        "created_at": stamp(agent.created_at),
        "updated_at": stamp(agent.updated_at),
        "last_run_completion": stamp(agent.last_run_completion),
        "message_ids": shown.window_ids,
        "tool_rules": agent.tool_rules,
        "llm_config": encode_llm_config(agent),
        "model_settings": encode_model_settings(agent),
        "embedding_config": encode_embedding_config(
            agent.org_id, agent.embedding, agent.embedding_config
        ),
        "compaction_settings": _compaction(agent),
        "memory": _memory(agent, blocks),
        "blocks": blocks,
        "tools": [encode_tool(row) for row in shown.tools],
        "tags": shown.tags,
        "secrets": secrets,
        "tool_exec_environment_variables": secrets,
        "sources": [encode_folder(row) for row in shown.folders],
        "identity_ids": [],
        "identities": [],
        "pending_approval": encode_pending(shown.pending),
        "multi_agent_group": group,
        "managed_group": group,
    }


def encode_llm_config(agent: Agent) -> Json:
    """Return the config that clients of the old era read."""
    settings = agent.model_settings
    said = {
        "max_tokens": settings.get("max_output_tokens"),
        "temperature": settings.get("temperature"),
        "parallel_tool_calls": settings.get("parallel_tool_calls"),
    }
    known = {key: value for key, value in said.items() if value is not None}
    whole = {**CONFIG_DEFAULTS, **agent.llm_config, **known}
    return {**whole, "context_window": agent.context_window_limit}


def encode_model_settings(agent: Agent) -> Json:
    """Return the settings that clients of the new era read."""
    config = agent.llm_config
    effort = config.get("reasoning_effort") or "minimal"
    return {
        "provider_type": config.get("model_endpoint_type", "openai"),
        "max_output_tokens": config.get("max_tokens"),
        "parallel_tool_calls": bool(config.get("parallel_tool_calls")),
        "temperature": config.get("temperature", 1.0),
        "reasoning": {"reasoning_effort": effort},
        "response_format": agent.response_format,
        "strict": False,
        **agent.model_settings,
    }


def _compaction(agent: Agent) -> Json:
    return {"model": agent.model, **_COMPACTION_DEFAULTS, **(agent.compaction_settings or {})}


def _memory(agent: Agent, blocks: list[Json]) -> Json:
    limit = agent.per_file_view_window_char_limit
    return {
        "agent_type": agent.agent_type,
        "git_enabled": False,
        "blocks": blocks,
        "file_blocks": [encode_file_block(view, limit) for view in agent.shown.files],
        "prompt_template": "",
    }


def _secret(row: AgentSecret) -> Json:
    return {
        "id": row.id,
        "key": row.key,
        "value": row.value,
        "value_enc": None,
        "description": row.description,
        "agent_id": row.agent_id,
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
        "created_by_id": None,
        "last_updated_by_id": None,
    }
