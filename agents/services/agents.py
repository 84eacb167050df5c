"""Agents: creating, getting, deleting. See `agent_changes` and `agent_lists` for the rest."""

from dataclasses import dataclass, field

from agents.engine.strategies import DEFAULT_AGENT_TYPE, Strategy, strategy_of
from agents.models import Agent, AgentArchive, Tool
from agents.services import sleeptime
from agents.services.agent_boot import Seed, open_history
from agents.services.agent_embeddings import follow_embedding
from agents.services.agent_links import (
    blocks_by_id,
    link_blocks,
    link_tools,
    set_secrets,
    set_tags,
)
from agents.services.agent_models import (
    ModelWish,
    embedding_columns,
    file_columns,
    model_columns,
)
from agents.services.agent_names import check_name, random_name
from agents.services.agent_relations import load_shown
from agents.services.agent_rules import first_rules
from agents.services.columns import check_columns
from agents.services.folder_links import folders_by_id, link_folders
from agents.services.request_parts import drop_prompts
from agents.services.tool_lists import tools_by_id, tools_by_name
from agents.services.tool_seed import ensure_base_tools
from agents.types import Json
from letta_site.core.aio import write
from letta_site.core.errors import NotFound
from letta_site.core.types import Actor
from memory.models import Block
from memory.services.archives import delete_archives
from memory.services.blocks import create_block
from memory.services.search import drop_scopes
from memory.services.storable import storable_json

# Fields of a draft that bear the same name on the wire.
SAME_NAMES = frozenset(
    ("name", "agent_type", "system", "include_base_tool_rules", "embedding", "embedding_config")
)
MULTI_AGENT_TOOLS = (
    "send_message_to_agent_and_wait_for_reply",
    "send_message_to_agents_matching_tags",
    "send_message_to_agent_async",
)
HIDING_TAG = "role:subagent"


@dataclass(frozen=True, slots=True)
class AgentDraft:
    """An agent to be. `blocks` are keyword arguments of `create_block`; `fields` plain columns.

    `tool_rules` None: the stock rules of the type, if it has any.
    """

    model: ModelWish
    name: str | None = None
    agent_type: str = DEFAULT_AGENT_TYPE
    system: str | None = None
    blocks: tuple[Json, ...] = ()
    block_ids: tuple[str, ...] = ()
    tool_names: tuple[str, ...] = ()
    tool_ids: tuple[str, ...] = ()
    tool_rules: tuple[Json, ...] | None = None
    folder_ids: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    secrets: dict[str, str] = field(default_factory=dict)
    initial_messages: Seed | None = None
    include_base_tools: bool = True
    include_multi_agent_tools: bool = False
    include_base_tool_rules: bool | None = None
    embedding: str | None = None
    embedding_config: Json | None = None
    fields: Json = field(default_factory=dict)


def create_agent(actor: Actor, draft: AgentDraft) -> Agent:
    """Store a new agent with blocks, tools and the beginning of its history; return it whole.

    Raises Invalid for a bad name, unknown tools, two blocks of one label, or no model; NotFound
    for an unknown block, folder or model; Malformed for a block that is over its limit.
    """
    strategy = strategy_of(draft.agent_type)
    columns = _columns(actor, draft, strategy)
    if columns.get("enable_sleeptime"):
        strategy = sleeptime.tended(strategy)
    ensure_base_tools(actor)
    with write():
        tools = _tools(actor, draft, strategy)
        rules = first_rules(tools, columns["model"], strategy, _rule_wish(draft))
        agent = Agent.objects.create(tool_rules=rules, **columns)
        link_blocks(agent, _blocks(actor, draft))
        link_tools(agent, tools)
        link_folders(agent, folders_by_id(actor, draft.folder_ids))
        set_tags(agent, draft.tags)
        set_secrets(agent, draft.secrets)
        if agent.embedding:
            follow_embedding(actor, agent)
        open_history(actor, agent, seed=draft.initial_messages)
        if agent.enable_sleeptime:
            agent.refresh_from_db(fields=["last_seq"])
            sleeptime.ensure_pair(actor, agent)
    return get_agent(actor, agent.id)


def _rule_wish(draft: AgentDraft) -> tuple[tuple[Json, ...] | None, bool | None]:
    return draft.tool_rules, draft.include_base_tool_rules


def _columns(actor: Actor, draft: AgentDraft, strategy: Strategy) -> Json:
    fields = {key: value for key, value in draft.fields.items() if value is not None}
    columns: Json = storable_json(fields) | model_columns(actor, draft.model)
    columns |= embedding_columns(actor, draft.embedding, draft.embedding_config)
    columns = file_columns(columns["context_window_limit"]) | columns
    columns |= {
        "org_id": actor.org_id,
        "created_by_id": actor.id,
        "last_updated_by_id": actor.id,
        "name": check_name(random_name() if draft.name is None else draft.name),
        "agent_type": strategy.agent_type,
        "system": storable_json(draft.system if draft.system is not None else strategy.system),
    }
    if strategy.autoclear:
        columns["message_buffer_autoclear"] = True
    if HIDING_TAG in draft.tags:
        columns["hidden"] = True
    return check_columns(Agent, columns)


def _tools(actor: Actor, draft: AgentDraft, strategy: Strategy) -> list[Tool]:
    rows = tools_by_name(actor, tuple(dict.fromkeys(draft.tool_names)))
    rows += tools_by_id(actor, draft.tool_ids)
    wanted = strategy.base_tools if draft.include_base_tools else ()
    if draft.include_multi_agent_tools:
        wanted += MULTI_AGENT_TOOLS
    found = {row.name: row for row in Tool.objects.of(actor).filter(name__in=wanted)}
    rows += [found[name] for name in wanted if name in found]
    return list({row.id: row for row in rows}.values())


def _blocks(actor: Actor, draft: AgentDraft) -> list[Block]:
    made = [create_block(actor, **fields) for fields in draft.blocks]
    return made + blocks_by_id(actor, draft.block_ids)


def get_agent(actor: Actor, agent_id: str) -> Agent:
    """Return an agent with its relations loaded, as `wire.agents` shows it. Raises NotFound."""
    agent: Agent | None = Agent.objects.of(actor).filter(pk=agent_id).first()
    if agent is None:
        raise NotFound(f"Agent with ID {agent_id} not found")
    load_shown([agent])
    return agent


def delete_agent(actor: Actor, agent_id: str) -> None:
    """Delete an agent with its history, its own archives, and those who tend its memory.

    Raises NotFound.
    """
    with write():
        agent = Agent.objects.of(actor).filter(pk=agent_id).first()
        if agent is None:
            raise NotFound(f"Agent with ID {agent_id} not found")
        for one in (*sleeptime.dissolve(agent), agent):
            _delete(actor, one)


def _delete(actor: Actor, agent: Agent) -> None:
    own = agent.archive_links.filter(is_owner=True).values_list("archive_id", flat=True)
    others = AgentArchive.objects.filter(archive_id__in=list(own)).exclude(agent=agent)
    delete_archives(actor, set(own) - set(others.values_list("archive_id", flat=True)))
    drop_scopes([agent.id])
    drop_prompts(agent.id)
    agent.delete()
