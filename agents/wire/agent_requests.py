"""What a caller sends to make or change an agent. Keys that are not listed are ignored."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.types import Json
from agents.wire.requests import MessageCreate

AgentType = Literal[
    "memgpt_agent",
    "memgpt_v2_agent",
    "letta_v1_agent",
    "react_agent",
    "workflow_agent",
    "split_thread_agent",
    "sleeptime_agent",
    "voice_convo_agent",
    "voice_sleeptime_agent",
]
RuleType = Literal[
    "constrain_child_tools",
    "run_first",
    "exit_loop",
    "conditional",
    "continue_loop",
    "required_before_exit",
    "max_count_per_step",
    "parent_last_tool",
    "requires_approval",
]


class ToolRule(BaseModel):
    """A rule about a tool; which keys matter depends on `type`."""

    tool_name: str
    type: RuleType
    prompt_template: str | None = None
    children: list[str] | None = None
    child_arg_nodes: list[dict[str, Any]] | None = None
    args: dict[str, Any] | None = None
    default_child: str | None = None
    child_output_mapping: dict[str, str] | None = None
    require_output_mapping: bool | None = None
    max_count_limit: int | None = None


class CreateBlock(BaseModel):
    """A block to make with the agent."""

    label: str
    value: str = ""
    limit: int | None = None
    description: str | None = None
    read_only: bool | None = None
    hidden: bool | None = None
    metadata: dict[str, Any] | None = None
    tags: list[str] | None = None
    template_name: str | None = None
    is_template: bool | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    deployment_id: str | None = None
    entity_id: str | None = None
    project_id: str | None = None
    preserve_on_migration: bool | None = None


class AgentFields(BaseModel):
    """What creating and changing have in common. Null means: nothing said."""

    name: str | None = None
    system: str | None = None
    description: str | None = None
    metadata: dict[str, Any] | None = None
    model: str | None = None
    model_settings: dict[str, Any] | None = None
    llm_config: dict[str, Any] | None = None
    embedding: str | None = None
    embedding_config: dict[str, Any] | None = None
    compaction_settings: dict[str, Any] | None = None
    context_window_limit: int | None = None
    max_tokens: int | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    tool_ids: list[str] | None = None
    block_ids: list[str] | None = None
    tool_rules: list[ToolRule] | None = None
    tags: list[str] | None = None
    secrets: dict[str, str] | None = None
    tool_exec_environment_variables: dict[str, str] | None = None
    project_id: str | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    identity_ids: list[str] | None = None
    source_ids: list[str] | None = None
    folder_ids: list[str] | None = None
    message_buffer_autoclear: bool | None = None
    enable_sleeptime: bool | None = None
    timezone: str | None = None
    max_files_open: int | None = None
    per_file_view_window_char_limit: int | None = None
    hidden: bool | None = None


class CreateAgentRequest(AgentFields):
    """An agent to be."""

    agent_type: AgentType = "letta_v1_agent"
    memory_blocks: list[CreateBlock] | None = None
    tools: list[str] | None = None
    initial_message_sequence: list[MessageCreate] | None = None
    include_base_tools: bool | None = True
    include_multi_agent_tools: bool | None = False
    include_base_tool_rules: bool | None = None
    include_default_source: bool | None = False


class UpdateAgent(AgentFields):
    """What to change of an agent. A list replaces the whole old one."""


class GenerateRequest(BaseModel):
    """One question to the agent's model."""

    prompt: str = Field(min_length=1)
    system_prompt: str | None = None
    override_model: str | None = None
    response_schema: dict[str, Any] | None = None


class CompactionChoices(BaseModel):
    """Settings of a summary. What else they hold is kept, but means nothing here."""

    model_config = ConfigDict(extra="allow")

    model: str | None = None
    mode: Literal["all", "sliding_window", "self_compact_all", "self_compact_sliding_window"] = (
        "sliding_window"
    )
    prompt: str | None = None
    clip_chars: int | None = Field(50_000, ge=1)
    sliding_window_percentage: float = Field(0.3, ge=0, le=1)


class CompactionRequest(BaseModel):
    """How to shorten the window."""

    compaction_settings: CompactionChoices | None = None

    def changes(self) -> Json:
        """Return the settings that hold for this once."""
        chosen = self.compaction_settings
        return chosen.model_dump(exclude_unset=True) if chosen else {}


# Keys of the wire that are columns of an agent, by the same name.
COLUMNS = (
    "description",
    "metadata",
    "compaction_settings",
    "response_format",
    "project_id",
    "template_id",
    "base_template_id",
    "message_buffer_autoclear",
    "enable_sleeptime",
    "timezone",
    "max_files_open",
    "per_file_view_window_char_limit",
    "hidden",
)


def columns_of(given: AgentFields, *more: str) -> Json:
    """Return the columns that a body sets."""
    values = given.model_dump(include={*COLUMNS, *more})
    return {key: value for key, value in values.items() if value is not None}


def secrets_of(given: AgentFields) -> dict[str, str] | None:
    """Return the agent's variables by either era's name; the newer one wins."""
    if given.secrets is not None:
        return given.secrets
    return given.tool_exec_environment_variables


def folder_ids_of(given: AgentFields) -> tuple[str, ...] | None:
    """Return the agent's folders by either era's name; the newer one wins."""
    wanted = given.source_ids if given.folder_ids is None else given.folder_ids
    return None if wanted is None else tuple(wanted)


def rules_of(given: AgentFields) -> tuple[Json, ...] | None:
    """Return tool rules as they are stored: keys that nobody set are left out."""
    if given.tool_rules is None:
        return None
    return tuple(rule.model_dump(exclude_none=True) for rule in given.tool_rules)


def blocks_of(given: CreateAgentRequest) -> tuple[Json, ...]:
    """Return blocks to make, as `create_block` takes them."""
    return tuple(block.model_dump(exclude_none=True) for block in given.memory_blocks or ())
