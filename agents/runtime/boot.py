"""What happens once when the server starts."""

import asyncio
from collections.abc import Collection, Iterable

from agents.models import Run
from agents.runtime import callbacks, cancel, groups
from agents.runtime.runner import enqueue, is_queued
from agents.services import health
from agents.services.agent_embeddings import adopt_scopes
from agents.services.callbacks import release_uncalled
from agents.services.runs import list_waiting, resume_interrupted
from agents.services.signs import is_quiet
from letta_site.core.aio import in_db
from letta_site.core.openai_client import warm_up
from letta_site.core.types import Actor
from memory.runtime.embedder import Embedder


async def start() -> None:
    """Take up what the last process left running, and what it had accepted.

    The first hop also opens the connection that stays open: on SQLite the last one to close
    would pay for a checkpoint of the write-ahead log each time.
    """
    asyncio.get_running_loop().run_in_executor(None, warm_up)
    await in_db(resume_interrupted)
    await in_db(adopt_scopes)
    await Embedder().start()
    for run_id in await in_db(release_uncalled):
        callbacks.start(run_id)
    for ref, seq in await in_db(list_waiting):
        enqueue(ref, seq)
    await groups.take_up()


def find_lost(active: Iterable[Run], in_hand: Collection[str]) -> list[Run]:
    """Return those of unfinished runs that nobody in this process carries out or will.

    `in_hand` is what `runner.in_hand` said before they were read.
    """
    return [run for run in active if run.id not in in_hand and is_quiet(run)]


async def unstick(actor: Actor, agent_id: str) -> list[health.Trouble]:
    """Get an agent going again: end what nobody carries out, take up what waits, mend the rest.

    Returns what was wrong. Raises NotFound.
    """
    found = await in_db(health.unstick, actor, agent_id, working=cancel.working())
    for ref, seq in await in_db(list_waiting):
        if ref.agent_id == agent_id and not is_queued(ref) and ref.run_id not in cancel.working():
            enqueue(ref, seq)
    return found
