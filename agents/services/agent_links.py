"""What an agent has: blocks, tools, tags, secrets."""

from agents.models import Agent, AgentBlock, AgentSecret, AgentTag, AgentTool, Tool
from agents.services.columns import check_columns
from letta_site.core.errors import Invalid, NotFound
from letta_site.core.types import Actor
from memory.models import Block
from memory.services.storable import storable_json

MAX_TAG_CHARS = 200


def blocks_by_id(actor: Actor, ids: tuple[str, ...]) -> list[Block]:
    """Return the blocks with these ids, in this order. Raises NotFound naming the first missing."""
    found = {row.id: row for row in Block.objects.of(actor).filter(pk__in=ids)}
    for block_id in ids:
        if block_id not in found:
            raise NotFound(f"Block with id '{block_id}' not found")
    return [found[block_id] for block_id in dict.fromkeys(ids)]


def link_blocks(agent: Agent, blocks: list[Block]) -> None:
    """Attach blocks to an agent that has none. Raises Invalid when two have one label."""
    labels = [block.label for block in blocks]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise Invalid(f"An agent can have one block of each label; given twice: {twice}.")
    AgentBlock.objects.bulk_create(AgentBlock(agent=agent, block=block) for block in blocks)


def link_tools(agent: Agent, tools: list[Tool]) -> None:
    """Attach tools to an agent that has none."""
    AgentTool.objects.bulk_create(AgentTool(agent=agent, tool=tool) for tool in tools)


def set_tags(agent: Agent, tags: tuple[str, ...]) -> None:
    """Make these the agent's tags. Raises Invalid when one is too long."""
    wanted: list[str] = storable_json(list(dict.fromkeys(tags)))
    for tag in wanted:
        if len(tag) > MAX_TAG_CHARS:
            raise Invalid(f"A tag has {len(tag)} characters; it may have {MAX_TAG_CHARS}.")
    agent.tag_rows.all().delete()
    AgentTag.objects.bulk_create(
        (AgentTag(agent=agent, tag=tag) for tag in wanted), batch_size=1000
    )


def set_secrets(agent: Agent, secrets: dict[str, str]) -> None:
    """Make these the agent's secrets; they are stored encrypted."""
    agent.secret_rows.all().delete()
    rows = []
    for key, value in secrets.items():
        row = AgentSecret(agent=agent, **check_columns(AgentSecret, {"key": key}))
        row.value = value
        rows.append(row)
    AgentSecret.objects.bulk_create(rows)
