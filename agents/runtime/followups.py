"""What comes after a run: the work of those who tend the agent's memory, in the background.

It is stored before the end of the run is told, so that nothing of it can be lost, and the answer
can name it; it is carried out later, as runs like any other.
"""

import logging
from dataclasses import replace

from agents.engine.events import RunFinished
from agents.services import followups
from agents.services.runs import status_of
from agents.services.snapshot import Begun
from letta_site.core.aio import in_db

log = logging.getLogger(__name__)


async def follow_up(begun: Begun, end: RunFinished) -> tuple[RunFinished, followups.Opened]:
    """Return the end of a run, with the runs it leads to, and those runs for the queue."""
    if not _is_turn(begun, end):
        return end, []
    spec = begun.spec
    # The turn itself is done and stored: it must not fail now.
    try:
        opened = await in_db(followups.count_turn, begun.actor, spec.agent_id, spec.run_id)
    except Exception:
        log.exception("Nothing could follow run %s", spec.run_id)
        return end, []
    return replace(end, run_ids=tuple(ref.run_id for ref, _ in opened)), opened


def _is_turn(begun: Begun, end: RunFinished) -> bool:
    """Tell whether a turn ended well: not one that waits for approval, failed or was stopped."""
    if not begun.tended or begun.metadata.get("run_type") == followups.RUN_TYPE:
        return False
    done = end.failure is None and status_of(end.stop_reason) == "completed"
    return done and end.stop_reason != "requires_approval"
