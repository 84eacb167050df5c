"""Waiting for the world without going deaf to a cancel. PURE but for asyncio."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from typing import Any, TypeVar

from agents.engine.ports import CancelFlag

T = TypeVar("T")


class Cancelled(Exception):
    """Somebody asked the run to stop while it was waiting."""


async def unless_cancelled(work: Awaitable[T], cancel: CancelFlag) -> T:
    """Return what `work` returns. Raises Cancelled, with `work` stopped, when the flag goes up."""
    task = asyncio.ensure_future(work)
    flag = asyncio.ensure_future(cancel.wait())
    try:
        await asyncio.wait({task, flag}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Cancelled
        return task.result()
    finally:
        flag.cancel()
        await _stop(task)


async def pieces_unless_cancelled(
    source: AsyncIterator[T], cancel: CancelFlag
) -> AsyncGenerator[T, None]:
    """Yield from `source`. Raises Cancelled as soon as the flag goes up, also between pieces."""
    flag = asyncio.ensure_future(cancel.wait())
    try:
        while True:
            piece = asyncio.ensure_future(anext(source, None))
            try:
                await asyncio.wait({piece, flag}, return_when=asyncio.FIRST_COMPLETED)
                if not piece.done():
                    raise Cancelled
            finally:
                await _stop(piece)
            found = piece.result()
            if found is None:
                return
            yield found
    finally:
        flag.cancel()


async def _stop(work: "asyncio.Future[Any]") -> None:
    """Stop work that goes on, and see it end. How it ended is of interest to nobody."""
    if work.done():
        return
    work.cancel()
    await asyncio.wait({work})
    if not work.cancelled():
        work.exception()  # or asyncio would report that nobody asked for it
