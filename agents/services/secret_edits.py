"""Single secrets of an agent: setting and dropping one. Nothing here gives a value back."""

from agents.models import Agent, AgentSecret
from agents.services.columns import check_columns
from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.errors import NotFound
from letta_site.core.types import Actor


def set_secret(actor: Actor, agent_id: str, key: str, value: str) -> bool:
    """Give an agent a secret, in place of one of that name; True when it is new.

    Raises NotFound for the agent, Invalid for a name that cannot be stored.
    """
    check_columns(AgentSecret, {"key": key})
    with write():
        agent = _agent(actor, agent_id)
        row = AgentSecret.objects.filter(agent=agent, key=key).first()
        is_new = row is None
        row = row or AgentSecret(agent=agent, key=key)
        row.value, row.updated_at = value, now()
        row.save(force_insert=is_new)
    return is_new


def drop_secret(actor: Actor, agent_id: str, key: str) -> bool:
    """Take a secret from an agent; False when it was gone already. Raises NotFound."""
    with write():
        agent = _agent(actor, agent_id)
        dropped, _ = AgentSecret.objects.filter(agent=agent, key=key).delete()
    return bool(dropped)


def _agent(actor: Actor, agent_id: str) -> Agent:
    agent: Agent | None = Agent.objects.of(actor).filter(pk=agent_id).first()
    if agent is None:
        raise NotFound(f"Agent with ID {agent_id} not found")
    return agent
