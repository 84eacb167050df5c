"""Putting past messages into a window, when no run is at work in it."""

from agents.engine.events import RunFinished
from agents.engine.past import Insertion
from agents.runtime import bus
from agents.services.insertions import Inserted, insert_messages
from letta_site.core.aio import in_db
from letta_site.core.errors import Conflict
from letta_site.core.types import Actor


async def insert_when_idle(actor: Actor, agent_id: str, given: Insertion) -> Inserted:
    """Insert as `insert_messages` does, but wait for the end of a run that is in the way.

    Raises NotFound, Malformed; Conflict while tool calls wait for somebody's answer.
    """
    async with bus.subscribe(agent_id) as ear:  # before the first try, so that no end is missed
        while True:
            try:
                return await in_db(insert_messages, actor, agent_id, given)
            except Conflict as conflict:
                if "run_id" not in conflict.extra:
                    raise
            async for _, event in ear:
                if isinstance(event, RunFinished):
                    break
