"""Deleting an agent that may be at work."""

from agents.runtime import cancel
from agents.services.agents import delete_agent
from agents.services.runs import active_run_ids
from letta_site.core.types import Actor


def remove_agent(actor: Actor, agent_id: str) -> None:
    """Delete an agent as `delete_agent` does, after its runs have stopped. Raises NotFound.

    Blocks for a moment when it is at work, so call it from a thread that may wait.
    """
    cancel.stop(active_run_ids(actor, agent_id))
    delete_agent(actor, agent_id)
