"""The system message: compiled from instructions, blocks and rules, and kept until one changes."""

from agents.engine.prompt import compile_system
from agents.engine.strategies import strategy_of
from agents.models import Agent, AgentArchive, Conversation, Message
from agents.types import Json
from letta_site.core.clock import now
from memory.logic.edits import BlockView
from memory.models import Passage


def refresh_prompt(
    agent: Agent, conversation: Conversation, blocks: tuple[BlockView, ...], *, force: bool = False
) -> str | None:
    """Compile the system message anew if a block, the instructions or a rule changed since.

    Returns the new text, or None when the old one still holds. Call it inside `aio.write()`.
    The head of the prompt stays byte for byte the same otherwise, which keeps provider caches warm.
    """
    versions: Json = {block.id: block.version for block in blocks}
    versions["agent"] = [agent.system, agent.tool_rules, agent.agent_type]
    if not force and conversation.compiled_versions == versions:
        return None
    text = compiled_prompt(agent, conversation, blocks)
    Message.objects.filter(pk=conversation.system_message_id).update(
        content=[{"type": "text", "text": text}], updated_at=now()
    )
    conversation.compiled_versions = versions
    conversation.save(update_fields=["compiled_versions"])
    return text


def compiled_prompt(agent: Agent, conversation: Conversation, blocks: tuple[BlockView, ...]) -> str:
    """Return the system prompt as it would be compiled now."""
    archives = AgentArchive.objects.filter(agent=agent).values("archive")
    return compile_system(
        system=agent.system,
        blocks=blocks,
        strategy=strategy_of(agent.agent_type),
        tool_rules=tuple(agent.tool_rules),
        agent_id=agent.id,
        conversation_id="default" if conversation.is_default else conversation.id,
        recompiled_at=now(),
        previous_messages=Message.objects.filter(conversation=conversation).count(),
        archival_count=Passage.objects.filter(archive__in=archives).count(),
        timezone=agent.timezone,
    )
