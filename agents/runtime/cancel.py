"""Asking runs to stop."""

import asyncio

_flags: dict[str, asyncio.Event] = {}


def flag_for(run_id: str) -> asyncio.Event:
    """Return the flag of a run that starts now; it is the engine's CancelFlag."""
    return _flags.setdefault(run_id, asyncio.Event())


def ask_to_stop(run_id: str) -> bool:
    """Raise the flag of a running run; tell whether it runs here."""
    flag = _flags.get(run_id)
    if flag is None:
        return False
    flag.set()
    return True


def working() -> set[str]:
    """Return the ids of the runs that this process is carrying out."""
    return set(_flags)


def forget(run_id: str) -> None:
    """Drop the flag of a run that has ended."""
    _flags.pop(run_id, None)
