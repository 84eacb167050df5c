"""Changing an agent: its columns, and what is attached to it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from agents.models import Agent, AgentTool, Tool
from agents.services import sleeptime
from agents.services.agent_blocks import follow
from agents.services.agent_embeddings import follow_embedding
from agents.services.agent_links import (
    blocks_by_id,
    link_blocks,
    link_tools,
    set_secrets,
    set_tags,
)
from agents.services.agent_models import ModelWish, embedding_columns, model_columns
from agents.services.agent_names import check_name
from agents.services.agent_rules import APPROVAL, approval_rule, distinct_rules
from agents.services.agents import get_agent
from agents.services.columns import check_columns
from agents.services.folder_links import replace_folders
from agents.services.open_files import refit
from agents.services.tool_lists import tools_by_id
from agents.services.tool_seed import ensure_base_tools
from agents.services.tools import get_tool
from agents.types import Json
from letta_site.core.aio import write
from letta_site.core.errors import NotFound
from letta_site.core.types import Actor
from memory.services.storable import storable_json

FILE_LIMITS = frozenset(("max_files_open", "per_file_view_window_char_limit"))


@dataclass(frozen=True, slots=True)
class AgentChanges:
    """What to change; None leaves as it is, a list replaces the whole old one."""

    model: ModelWish = ModelWish()
    embedding: str | None = None
    embedding_config: Json | None = None
    tool_rules: tuple[Json, ...] | None = None
    block_ids: tuple[str, ...] | None = None
    tool_ids: tuple[str, ...] | None = None
    folder_ids: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    secrets: dict[str, str] | None = None
    fields: Json = field(default_factory=dict)


def update_agent(actor: Actor, agent_id: str, changes: AgentChanges) -> Agent:
    """Change an agent and return it whole; the system prompt follows.

    Raises NotFound for the agent, a block or the model; Invalid for a bad value.
    """
    columns = _columns(actor, _bare(actor, agent_id), changes)
    if changes.folder_ids:
        ensure_base_tools(actor)
    with write():
        agent = _bare(actor, agent_id)
        for key, value in columns.items():
            setattr(agent, key, value)
        agent.touch(actor, *columns)
        if "embedding" in columns:
            follow_embedding(actor, agent)
        _replace_links(actor, agent, changes)
        if columns.get("enable_sleeptime"):
            sleeptime.ensure_pair(actor, agent)
        follow(actor, agent)
    return get_agent(actor, agent_id)


def _bare(actor: Actor, agent_id: str) -> Agent:
    agent: Agent | None = Agent.objects.of(actor).filter(pk=agent_id).first()
    if agent is None:
        raise NotFound(f"Agent with ID {agent_id} not found")
    return agent


def _columns(actor: Actor, agent: Agent, changes: AgentChanges) -> Json:
    fields = {key: value for key, value in changes.fields.items() if value is not None}
    columns: Json = storable_json(fields)
    if "name" in columns:
        check_name(columns["name"])
    if changes.model != ModelWish():
        before = {"model_settings": agent.model_settings, "llm_config": agent.llm_config}
        columns |= model_columns(actor, changes.model, before=before)
    columns |= embedding_columns(actor, changes.embedding, changes.embedding_config)
    if changes.tool_rules is not None:
        columns["tool_rules"] = distinct_rules(list(changes.tool_rules))
    return check_columns(Agent, columns)


def _replace_links(actor: Actor, agent: Agent, changes: AgentChanges) -> None:
    if changes.block_ids is not None:
        blocks = blocks_by_id(actor, changes.block_ids)
        before = set(agent.block_links.values_list("block_id", flat=True))
        agent.block_links.all().delete()
        link_blocks(agent, blocks)
        sleeptime.mirror_blocks(agent.id, removed=before - set(changes.block_ids))
    if changes.tool_ids is not None:
        tools = tools_by_id(actor, tuple(dict.fromkeys(changes.tool_ids)))
        had = set(agent.tool_links.values_list("tool_id", flat=True))
        agent.tool_links.all().delete()
        link_tools(agent, tools)
        _ask_first(actor, agent, [tool for tool in tools if tool.id not in had])
    if changes.folder_ids is not None:
        replace_folders(actor, agent, changes.folder_ids)
    if agent.files_version and FILE_LIMITS & set(changes.fields):
        refit(agent)
    if changes.tags is not None:
        set_tags(agent, changes.tags)
    if changes.secrets is not None:
        set_secrets(agent, changes.secrets)


def _ask_first(actor: Actor, agent: Agent, new: list[Tool]) -> None:
    asking = [approval_rule(tool.name) for tool in new if tool.default_requires_approval]
    if asking:
        agent.tool_rules = distinct_rules([*agent.tool_rules, *asking])
        agent.touch(actor, "tool_rules")


def attach_tool(actor: Actor, agent_id: str, tool_id: str) -> Agent:
    """Give an agent a tool; one that it has already stays where it is. Raises NotFound."""
    with write():
        agent, tool = _bare(actor, agent_id), get_tool(actor, tool_id)
        AgentTool.objects.get_or_create(agent=agent, tool=tool)
        if tool.default_requires_approval:
            _set_rules(actor, agent, [*agent.tool_rules, approval_rule(tool.name)])
    return get_agent(actor, agent_id)


def detach_tool(actor: Actor, agent_id: str, tool_id: str) -> Agent:
    """Take a tool from an agent; nothing happens when it has none such. Raises NotFound."""
    with write():
        agent = _bare(actor, agent_id)
        AgentTool.objects.filter(agent=agent, tool_id=tool_id).delete()
    return get_agent(actor, agent_id)


def set_approval(actor: Actor, agent_id: str, tool_name: str, *, required: bool) -> Agent:
    """Make calls of a tool wait for a person, or not. Raises NotFound without such a tool."""
    with write():
        agent = _bare(actor, agent_id)
        if not agent.tool_links.filter(tool__name=tool_name).exists():
            raise NotFound(f"Agent {agent_id} has no tool named {tool_name!r}.")
        kept = [rule for rule in agent.tool_rules if not _asks_for(rule, tool_name)]
        _set_rules(actor, agent, [*kept, approval_rule(tool_name)] if required else kept)
    return get_agent(actor, agent_id)


def edit_rules(actor: Actor, agent_id: str, edit: Callable[[list[Json]], list[Json]]) -> None:
    """Make an agent's tool rules what `edit` makes of the present ones. Raises NotFound, Invalid,
    and whatever `edit` raises."""
    with write():
        agent = _bare(actor, agent_id)
        _set_rules(actor, agent, edit(list(agent.tool_rules)))


def _asks_for(rule: Json, tool_name: str) -> bool:
    return rule.get("type") == APPROVAL and rule.get("tool_name") == tool_name


def _set_rules(actor: Actor, agent: Agent, rules: list[Json]) -> None:
    agent.tool_rules = distinct_rules(rules)
    agent.touch(actor, "tool_rules")
    follow(actor, agent)
