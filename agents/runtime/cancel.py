"""Asking runs to stop."""

import asyncio
import time
from collections.abc import Iterable

STOP_S = 2.0  # the longest that a cancellation may take
_LOOK_S = 0.01

_loops: dict[str, asyncio.AbstractEventLoop] = {}
_flags: dict[str, asyncio.Event] = {}


def flag_for(run_id: str) -> asyncio.Event:
    """Return the flag of a run that starts now; it is the engine's CancelFlag."""
    _loops[run_id] = asyncio.get_running_loop()
    return _flags.setdefault(run_id, asyncio.Event())


def ask_to_stop(run_id: str) -> bool:
    """Raise the flag of a running run; tell whether it runs here."""
    flag = _flags.get(run_id)
    if flag is None:
        return False
    flag.set()
    return True


def stop(run_ids: Iterable[str]) -> None:
    """Ask runs to stop and wait until they have, `STOP_S` at most. Call it outside of the loop."""
    asked = set(run_ids) & working()
    for run_id in asked:
        if (loop := _loops.get(run_id)) is not None and not loop.is_closed():
            loop.call_soon_threadsafe(ask_to_stop, run_id)
    last = time.monotonic() + STOP_S
    while asked & working() and time.monotonic() < last:
        time.sleep(_LOOK_S)


def working() -> set[str]:
    """Return the ids of the runs that this process is carrying out."""
    return set(_flags)


def forget(run_id: str) -> None:
    """Drop the flag of a run that has ended."""
    _flags.pop(run_id, None)
    _loops.pop(run_id, None)
