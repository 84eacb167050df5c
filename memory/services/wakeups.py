"""Telling the embedder of this process that texts have come, once they are stored.

Nothing is asked of the database for that. A text that is told nobody, because another process
stored it, is found when the embedder looks by itself.
"""

from collections.abc import Callable, Iterable

from django.db import transaction

Listener = Callable[[set[str], set[str] | None], None]

_listeners: list[Listener] = []  # one at most: a process has one embedder


def listen(listener: Listener) -> None:
    """Have `listener` called with the ids of scopes and of texts, in the thread that stored them.

    Texts None: the model of the scopes is another one.
    """
    _listeners[:] = [listener]


def unlisten(listener: Listener) -> None:
    """Call it no more."""
    if listener in _listeners:
        _listeners.remove(listener)


def wake(scope_ids: Iterable[str], ref_ids: Iterable[str] | None = None) -> None:
    """Tell of new texts in scopes, or of a new model for them, once they are committed."""
    if _listeners:
        scopes, texts = set(scope_ids), None if ref_ids is None else set(ref_ids)
        transaction.on_commit(lambda: _tell(scopes, texts))


def _tell(scope_ids: set[str], ref_ids: set[str] | None) -> None:
    for listener in tuple(_listeners):
        listener(scope_ids, ref_ids)
