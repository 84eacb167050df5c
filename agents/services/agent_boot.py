"""The beginning of a history, and going back to it."""

from collections.abc import Sequence

from agents.engine.prompt import boot_messages, seed_messages
from agents.engine.strategies import strategy_of
from agents.models import Agent, Conversation
from agents.services.kit import block_views
from agents.services.messages import number, store_messages
from agents.services.prompts import compiled_prompt, refresh_prompt
from agents.types import Message as MessageValue
from agents.types import Role
from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.errors import Conflict, NotFound
from letta_site.core.ids import new_id
from letta_site.core.types import Actor

Seed = Sequence[tuple[Role, str]]


def open_history(actor: Actor, agent: Agent, *, seed: Seed | None = None) -> Conversation:
    """Give a new agent its conversation with the system message and what follows at first.

    Call it inside `aio.write()`, when blocks and tools are attached.
    """
    conversation = Conversation.objects.create(
        org_id=agent.org_id,
        agent=agent,
        is_default=True,
        system_message_id=new_id("message"),
        created_by_id=actor.id,
        last_updated_by_id=actor.id,
    )
    system = MessageValue(conversation.system_message_id or "", "system", now())
    _store(actor, conversation, [system, *_first(agent, seed)])
    refresh_prompt(agent, conversation, block_views(agent.id), force=True)
    return conversation


def _first(agent: Agent, seed: Seed | None) -> tuple[MessageValue, ...]:
    strategy, moment = strategy_of(agent.agent_type), now()
    if seed is None:
        return boot_messages(strategy, now=moment, timezone=agent.timezone)
    return seed_messages(seed, strategy, now=moment, timezone=agent.timezone)


def _store(actor: Actor, conversation: Conversation, values: Sequence[MessageValue]) -> None:
    agent = Agent.objects.select_for_update().get(pk=conversation.agent_id)
    numbered = number(values, agent)
    store_messages(numbered, agent=agent, conversation_id=conversation.id, actor=actor)
    Agent.objects.filter(pk=agent.pk).update(last_seq=agent.last_seq)


def default_conversation(actor: Actor, agent_id: str) -> Conversation:
    """Return the default conversation of an agent, with the agent. Raises NotFound."""
    rows = Conversation.objects.filter(agent__org_id=actor.org_id).select_related("agent")
    found: Conversation | None = rows.filter(agent_id=agent_id, is_default=True).first()
    if found is None:
        raise NotFound(f"Agent with ID {agent_id} not found")
    return found


def reset_messages(actor: Actor, agent_id: str, *, with_boot: bool = False) -> None:
    """Empty the agent's window: nothing is deleted, but the model starts from the system message.

    Raises NotFound, or Conflict while a run is under way.
    """
    with write():
        conversation = default_conversation(actor, agent_id)
        agent = Agent.objects.select_for_update().get(pk=agent_id)
        if agent.runs.filter(status="running").exists():
            raise Conflict(f"Agent {agent_id} is at work.", todo="Cancel its run, or wait for it.")
        conversation.window_after_seq = agent.last_seq
        conversation.summary_message_id = None
        conversation.pending = None
        conversation.save(update_fields=["window_after_seq", "summary_message_id", "pending"])
        if with_boot:
            _store(actor, conversation, _first(agent, None))
        refresh_prompt(agent, conversation, block_views(agent_id), force=True)


def recompile(actor: Actor, agent_id: str, *, dry_run: bool = False) -> str:
    """Compile the system prompt anew and return it; store it unless `dry_run`. Raises NotFound."""
    conversation = default_conversation(actor, agent_id)
    blocks = block_views(agent_id)
    if dry_run:
        return compiled_prompt(conversation.agent, conversation, blocks)
    with write():
        return refresh_prompt(conversation.agent, conversation, blocks, force=True) or ""
