"""The private folder of each call: made, measured, and removed when all that used it is dead."""

import asyncio
import atexit
import contextlib
import os
import shutil
import socket
import tempfile
from functools import cache
from pathlib import Path

_MOST_FILES = 10_000
_END_S = 2.0

_chores: set["asyncio.Future[None]"] = set()


@cache
def base() -> str:
    """Return this process's folder of folders. Others may go through it, not look into it."""
    path = tempfile.mkdtemp(prefix="letta-tools-")
    Path(path).chmod(0o711)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def make() -> str:
    """Return a new empty folder."""
    return tempfile.mkdtemp(dir=base())


def bytes_in(folder: str) -> int:
    """Return how much room the files in a folder take; without end when there are too many."""
    total = 0
    for count, (parent, name) in enumerate(
        (parent, name) for parent, _, names in os.walk(folder) for name in names
    ):
        if count == _MOST_FILES:
            return 1 << 62
        with contextlib.suppress(OSError):
            total += Path(parent, name).lstat().st_blocks * 512
    return total


def remove_soon(folder: str, leash: socket.socket | None) -> None:
    """Remove a call's folder: at once when it is empty, else in a thread when all is dead.

    Closes the leash, at whose other end is whoever kills.
    """
    try:
        Path(folder).rmdir()
    except OSError:
        chore = asyncio.get_running_loop().run_in_executor(None, _remove, folder, leash)
        _chores.add(chore)
        chore.add_done_callback(_chores.discard)
    else:
        if leash:
            leash.close()


def _remove(folder: str, leash: socket.socket | None) -> None:
    if leash is not None:
        leash.settimeout(_END_S)
        with leash, contextlib.suppress(OSError):
            while leash.recv(1024):
                pass
    shutil.rmtree(folder, ignore_errors=True)
