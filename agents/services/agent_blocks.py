"""Which blocks an agent has, and which agents have a block."""

from typing import Any

from agents.models import Agent, AgentBlock
from agents.services.agent_boot import default_conversation
from agents.services.agent_relations import load_shown
from agents.services.agents import get_agent
from agents.services.kit import block_views
from agents.services.prompts import refresh_prompt
from agents.services.sleeptime import mirror_blocks
from letta_site.core.aio import write
from letta_site.core.errors import Conflict, NotFound
from letta_site.core.paging import page
from letta_site.core.types import Actor, PageQuery
from memory.models import Block
from memory.services.blocks import get_block, update_block


def check_agent(actor: Actor, agent_id: str) -> None:
    """Raise NotFound unless the agent exists."""
    if not Agent.objects.of(actor).filter(pk=agent_id).exists():
        raise NotFound("Agent not found")


def attach_block(actor: Actor, agent_id: str, block_id: str) -> Agent:
    """Give an agent a block and return the agent whole; one that it has stays where it is.

    Raises NotFound, or Conflict when the agent has another block of this label.
    """
    with write():
        agent = locked_agent(actor, agent_id)
        block = get_block(actor, block_id)
        others = AgentBlock.objects.filter(agent=agent, block__label=block.label)
        if others.exclude(block=block).exists():
            raise Conflict(
                f"The agent has another block labelled {block.label!r}.",
                todo="Detach that one first, or rename one of the two.",
            )
        AgentBlock.objects.get_or_create(agent=agent, block=block)
        mirror_blocks(agent.id)
        follow(actor, agent)
    return get_agent(actor, agent_id)


def detach_block(actor: Actor, agent_id: str, block_id: str) -> Agent:
    """Take a block from an agent and return the agent; the block lives on. Raises NotFound."""
    with write():
        agent = locked_agent(actor, agent_id)
        gone, _ = AgentBlock.objects.filter(agent=agent, block_id=block_id).delete()
        if not gone:
            raise NotFound(f"No block with id '{block_id}' found for agent '{agent_id}'")
        mirror_blocks(agent.id, removed=(block_id,))
        follow(actor, agent)
    return get_agent(actor, agent_id)


def list_agent_blocks(
    actor: Actor, agent_id: str, *, query: PageQuery | None = None
) -> list[Block]:
    """Return a page of an agent's blocks; all, in the order of attachment, without a page."""
    check_agent(actor, agent_id)
    rows = Block.objects.of(actor).filter(agent_links__agent_id=agent_id)
    return page(rows, query) if query else list(rows.order_by("agent_links__id"))


def get_agent_block(actor: Actor, agent_id: str, label: str) -> Block:
    """Return the block that an agent has under `label`. Raises NotFound."""
    rows = Block.objects.of(actor).filter(agent_links__agent_id=agent_id, label=label)
    block: Block | None = rows.order_by("agent_links__id").first()
    if block is None:
        check_agent(actor, agent_id)
        raise NotFound(f"No block with label '{label}' found for agent '{agent_id}'")
    return block


def update_agent_block(
    actor: Actor,
    agent_id: str,
    label: str,
    *,
    changes: dict[str, Any],
    expected_version: int | None,
) -> Block:
    """Change the block that an agent has under `label`. Raises as `update_block` does."""
    with write():
        found = get_agent_block(actor, agent_id, label)
        row = update_block(actor, found.id, changes=changes, expected_version=expected_version)
        follow(actor, locked_agent(actor, agent_id))
    return row


def list_agents_of_block(actor: Actor, block_id: str, *, query: PageQuery) -> list[Agent]:
    """Return a page of the agents that have a block, with their relations. Raises NotFound."""
    block = get_block(actor, block_id)
    found = page(Agent.objects.of(actor).filter(block_links__block=block), query)
    load_shown(found)
    return found


def locked_agent(actor: Actor, agent_id: str) -> Agent:
    """Return an agent, locked until the commit. Raises NotFound."""
    rows = Agent.objects.of(actor).select_for_update(of=("self",))
    agent: Agent | None = rows.filter(pk=agent_id).first()
    if agent is None:
        raise NotFound(f"Agent with ID {agent_id} not found")
    return agent


def follow(actor: Actor, agent: Agent) -> None:
    """Let the system prompt say what is true now."""
    refresh_prompt(agent, default_conversation(actor, agent.id), block_views(agent.id))
