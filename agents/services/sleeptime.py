"""An agent and the ones that tend its memory in the background: making such a pair, ending it."""

from collections.abc import Iterable
from dataclasses import replace

from django.db.models import QuerySet

from agents.engine.strategies import SLEEPTIME_PAIR_TOOLS, Strategy, strategy_of
from agents.models import Agent, AgentArchive, AgentBlock, Group, GroupMember, Tool
from agents.services.agent_boot import open_history
from agents.services.agent_links import link_blocks, link_tools
from agents.services.agent_names import MAX_NAME_CHARS
from agents.services.agent_rules import first_rules
from agents.services.archives import own_archive
from agents.services.tool_seed import ensure_base_tools
from letta_site.core.types import Actor
from memory.models import Block
from memory.services.blocks import create_block
from memory.services.embedding_scopes import set_embedding

SLEEPTIME, VOICE = "sleeptime", "voice_sleeptime"
KINDS = (SLEEPTIME, VOICE)
TENDING_TYPES = ("sleeptime_agent", "voice_sleeptime_agent")
DEFAULT_FREQUENCY = 5
VOICE_BUFFER = (30, 15)
PERSONA = "memory_persona"
PERSONA_TEXT = (
    "I look after the memory of another agent. I read what was said since I last looked, keep what "
    "will still matter later, and correct what has changed. I write short, complete sentences."
)
_COPIED = (
    "org_id",
    "model",
    "model_settings",
    "llm_config",
    "embedding",
    "embedding_config",
    "context_window_limit",
    "max_files_open",
    "per_file_view_window_char_limit",
    "timezone",
    "project_id",
)


def tended(strategy: Strategy) -> Strategy:
    """Return how a new agent of this type begins if another one is to tend its memory."""
    if strategy.agent_type in TENDING_TYPES or strategy.agent_type == "voice_convo_agent":
        return strategy
    return replace(strategy, base_tools=SLEEPTIME_PAIR_TOOLS, base_rules=True)


def ensure_pair(actor: Actor, agent: Agent) -> None:
    """See that somebody tends the memory of this agent. Call it inside `aio.write()`."""
    if agent.agent_type in TENDING_TYPES or groups_of(agent.id).exists():
        return
    tending = _make_tending(actor, agent)
    voice = agent.agent_type == "voice_convo_agent"
    most, least = VOICE_BUFFER if voice else (None, None)
    group = Group.objects.create(
        org_id=agent.org_id,
        manager_type=VOICE if voice else SLEEPTIME,
        description=f"{tending.name} tends the memory of {agent.name}.",
        manager_agent=agent,
        sleeptime_agent_frequency=None if voice else DEFAULT_FREQUENCY,
        max_message_buffer_length=most,
        min_message_buffer_length=least,
        last_seq=agent.last_seq,
        project_id=agent.project_id,
        created_by_id=actor.id,
        last_updated_by_id=actor.id,
    )
    GroupMember.objects.create(group=group, agent=tending)


def groups_of(agent_id: str) -> QuerySet[Group]:
    """Return the groups that tend the memory of an agent."""
    return Group.objects.filter(manager_agent_id=agent_id, manager_type__in=KINDS)


def _make_tending(actor: Actor, main: Agent) -> Agent:
    kind = TENDING_TYPES[main.agent_type == "voice_convo_agent"]
    strategy = strategy_of(kind)
    tools = _base_tools(actor, strategy)
    agent = Agent.objects.create(
        **{name: getattr(main, name) for name in _COPIED},
        name=f"{main.name[: MAX_NAME_CHARS - len('-sleeptime')]}-sleeptime",
        agent_type=kind,
        system=strategy.system,
        tool_rules=first_rules(tools, main.model, strategy, (None, None)),
        created_by_id=actor.id,
        last_updated_by_id=actor.id,
    )
    link_blocks(agent, _blocks(actor, main))
    link_tools(agent, tools)
    if kind == TENDING_TYPES[1]:
        # What it stores is for the one who talks to find.
        archive = own_archive(actor, main.id)
        AgentArchive.objects.create(agent=agent, archive=archive, is_owner=True)
    if agent.embedding:
        set_embedding(actor, [agent.id], agent.embedding)
    open_history(actor, agent)
    return agent


def _base_tools(actor: Actor, strategy: Strategy) -> list[Tool]:
    ensure_base_tools(actor)
    found = {row.name: row for row in Tool.objects.of(actor).filter(name__in=strategy.base_tools)}
    return [found[name] for name in strategy.base_tools if name in found]


def _blocks(actor: Actor, main: Agent) -> list[Block]:
    shared = [link.block for link in main.block_links.select_related("block").order_by("id")]
    if any(block.label == PERSONA for block in shared):
        return shared
    return [*shared, create_block(actor, label=PERSONA, value=PERSONA_TEXT)]


def tending_agents(agent_id: str) -> list[Agent]:
    """Return the agents that tend the memory of an agent."""
    links = GroupMember.objects.filter(group__in=groups_of(agent_id)).select_related("agent")
    return [link.agent for link in links]


def mirror_blocks(agent_id: str, *, removed: Iterable[str] = ()) -> None:
    """Give those who tend an agent's memory the blocks it has, and take `removed` from them.

    A block whose label such an agent uses for another block of its own is left out.
    """
    gone = list(removed)
    for tending in tending_agents(agent_id):
        AgentBlock.objects.filter(agent=tending, block_id__in=gone).delete()
        known = AgentBlock.objects.filter(agent=tending).values_list("block_id", "block__label")
        ids, labels = {row[0] for row in known}, {row[1] for row in known}
        links = AgentBlock.objects.filter(agent_id=agent_id).select_related("block").order_by("id")
        AgentBlock.objects.bulk_create(
            AgentBlock(agent=tending, block=link.block)
            for link in links
            if link.block_id not in ids and link.block.label not in labels
        )


def dissolve(agent: Agent) -> list[Agent]:
    """End the pairs an agent is part of, since it goes; return those who must go with it."""
    orphans = [one for one in tending_agents(agent.id) if one.agent_type in TENDING_TYPES]
    groups_of(agent.id).delete()
    for link in agent.group_links.filter(group__manager_type__in=KINDS).select_related("group"):
        if link.group.member_links.count() == 1:
            end_group(link.group)
    return orphans


def end_group(group: Group) -> None:
    """Delete a group whose manager's memory nobody tends any more."""
    Agent.objects.filter(pk=group.manager_agent_id).update(enable_sleeptime=None)
    group.delete()
