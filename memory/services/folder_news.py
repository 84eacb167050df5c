"""Telling the app above what happens to folders; this one has never heard of agents.

Both listeners are called inside the transaction that makes the change.
"""

from collections.abc import Callable

from memory.models import File, Folder

_ready: list[Callable[[File], None]] = []
_leaving: list[Callable[[Folder], None]] = []


def listen(*, file_ready: Callable[[File], None], folder_leaving: Callable[[Folder], None]) -> None:
    """Say who wants to know that a file can be read, and that a folder is about to be deleted."""
    _ready[:] = [file_ready]
    _leaving[:] = [folder_leaving]


def tell_ready(file: File) -> None:
    """Tell that a file can be read."""
    for listener in _ready:
        listener(file)


def tell_leaving(folder: Folder) -> None:
    """Tell that a folder is about to be deleted."""
    for listener in _leaving:
        listener(folder)
