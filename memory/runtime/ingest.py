"""The readers: a few tasks that take one unfinished file after the other from the database."""

import asyncio
import logging
import threading

from letta_site.core.aio import in_db, spawn
from memory.logic.chunking import Chunk
from memory.parsing.base import Unreadable
from memory.parsing.process import read_file
from memory.parsing.reading import Parsed
from memory.services import ingest, originals

log = logging.getLogger(__name__)

READERS = 2
IDLE_S = 60  # how long a reader sleeps when nobody wakes it: what another process took in
SURPRISE = "Something went wrong inside the server. Its log says what, under the id of the file."

_busy: set[str] = set()
_taking = threading.Lock()
_bells: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []


async def start() -> None:
    """Take up what the last process left unread, and begin to wait for more."""
    await in_db(originals.sweep)
    bell = asyncio.Event()
    _bells[:] = [(asyncio.get_running_loop(), bell)]
    for n in range(READERS):
        spawn(_read_for_ever(bell), name=f"file reader {n}")


def wake() -> None:
    """Say that there is a file to read; may be called from any thread."""
    for loop, bell in _bells:
        if not loop.is_closed():
            loop.call_soon_threadsafe(bell.set)


async def _read_for_ever(bell: asyncio.Event) -> None:
    while True:
        bell.clear()
        try:
            await drain()
        except Exception:
            log.exception("Reading uploaded files paused")
        try:
            await asyncio.wait_for(bell.wait(), IDLE_S)
        except TimeoutError:
            continue


async def drain() -> int:
    """Read files until none is left; return how many."""
    count = 0
    while job := await in_db(_take):
        try:
            await _read(job)
        except Exception:
            log.exception("Reading file %s failed", job.file_id)
            await in_db(ingest.fail, job.file_id, SURPRISE)
        finally:
            _busy.discard(job.file_id)
        count += 1
    return count


def _take() -> ingest.Job | None:
    """Take a file that no other reader of this process has."""
    with _taking:
        job = ingest.take_next(_busy)
        if job:
            _busy.add(job.file_id)
        return job


async def _read(job: ingest.Job) -> None:
    try:
        parsed = await read_file(originals.path_of(job.file_id), job.kind)
    except Unreadable as refusal:
        await in_db(ingest.fail, job.file_id, str(refusal))
        return
    except FileNotFoundError:
        await in_db(ingest.fail, job.file_id, "Its bytes are gone from the disk. Upload it again.")
        return
    if await in_db(ingest.store_text, job.file_id, parsed) and await _store(job.file_id, parsed):
        await in_db(ingest.complete, job.file_id)


async def _store(file_id: str, parsed: Parsed) -> bool:
    """Store the pieces some at a time, so that nobody waits long for the database."""
    for at in range(0, len(parsed.chunks), ingest.CHUNKS_AT_ONCE):
        some: tuple[Chunk, ...] = parsed.chunks[at : at + ingest.CHUNKS_AT_ONCE]
        if not await in_db(ingest.store_chunks, file_id, parsed.text, some, before=at):
            return False
    return True
