"""The one bridge between `async def` code and the ORM, and the one door for writes.

Measured: one synchronous hop per unit of work costs less than half of an awaited ORM call
each, and SQLite does best with a single writer thread (see docs/decisions/0002).
"""

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import connection, connections, transaction

P = ParamSpec("P")
T = TypeVar("T")

_background: set["asyncio.Task[Any]"] = set()
_pool: ThreadPoolExecutor | None = None
_pool_lock = threading.Lock()


class FifoLock:
    """A lock that serves waiters in the order they came. SQLite's own busy handler does not."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._held = False

    def acquire(self) -> None:
        """Wait for the turn of the calling thread."""
        with self._guard:
            if not self._held:
                self._held = True
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()

    def release(self) -> None:
        """Hand the lock to the longest waiting thread."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False


_writer = FifoLock()


@contextmanager
def write() -> Iterator[None]:
    """Open the transaction of one service function. On SQLite writers queue here, in order."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        with transaction.atomic():
            yield
        return
    _writer.acquire()
    try:
        with transaction.atomic():
            yield
    finally:
        _writer.release()


def _executor() -> ThreadPoolExecutor:
    global _pool
    with _pool_lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(settings.DB_THREADS, thread_name_prefix="db")
        return _pool


def _in_thread(call: Callable[[], T]) -> T:
    try:
        return call()
    finally:
        # A pooled PostgreSQL connection must go back to its pool; a SQLite one is kept, because
        # opening it costs more than most of the work done on it.
        if settings.DB_RELEASE_AFTER_HOP:
            connections.close_all()


async def in_db(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a synchronous function that uses the ORM on our own executor: one hop."""
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(
        _executor(), lambda: context.run(_in_thread, lambda: function(*args, **kwargs))
    )


def spawn(work: Coroutine[Any, Any, T], *, name: str) -> "asyncio.Task[T]":
    """Start a task that outlives the request which started it.

    It gets a fresh context, since an inherited one would tie it to the request's own thread, and
    a reference is kept, since the event loop keeps only a weak one.
    """
    task = asyncio.get_running_loop().create_task(work, name=name, context=contextvars.Context())
    _background.add(task)
    task.add_done_callback(_background.discard)
    return task
