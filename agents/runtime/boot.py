"""What happens once when the server starts."""

import asyncio

from agents.runtime.runner import enqueue
from agents.services.runs import list_waiting, resume_interrupted
from letta_site.core.aio import in_db
from letta_site.core.openai_client import warm_up


async def start() -> None:
    """Take up what the last process left running, and what it had accepted.

    The first hop also opens the connection that stays open: on SQLite the last one to close
    would pay for a checkpoint of the write-ahead log each time.
    """
    asyncio.get_running_loop().run_in_executor(None, warm_up)
    await in_db(resume_interrupted)
    for ref, seq in await in_db(list_waiting):
        enqueue(ref, seq)
