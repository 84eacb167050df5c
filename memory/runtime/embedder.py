"""Embeds what was stored, after it was stored: the texts without a vector are the queue.

One task a model, so that one that is down holds no other up. A text of this process is told by
`services.wakeups`; at the start, and now and then, everything is looked through, so that nothing
depends on having been told.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from letta_site.core.aio import in_db, spawn
from letta_site.core.errors import AppError
from memory.embeddings.base import EmbeddingError, EmbeddingModel
from memory.embeddings.batches import BATCH_TEXTS, embed_all
from memory.embeddings.catalog import taken_at_its_word
from memory.services import embedding_scopes as scopes
from memory.services.vectors import Unembedded, list_unembedded, store_vectors
from memory.services.wakeups import listen, unlisten

log = logging.getLogger(__name__)

SWEEP_S = 600.0
# So many texts of a scope are embedded before it is the next one's turn.
TURN_TEXTS = 256
# New texts wait that long for company: a step stores several, one after the other.
GATHER_S = 0.05

Key = tuple[str, str]


@dataclass
class Work:
    """What is to do for one model: scopes, each with the texts that were told, None: all."""

    waiting: dict[str, set[str] | None] = field(default_factory=dict)

    def add(self, scope_id: str, ref_ids: set[str] | None) -> None:
        """Add texts of a scope to what waits; None, once said, stays."""
        before = self.waiting.get(scope_id, set())
        whole = before is None or ref_ids is None
        self.waiting[scope_id] = None if whole else (before or set()) | (ref_ids or set())

    def take(self) -> tuple[str, set[str] | None]:
        """Take the scope that has waited longest."""
        scope_id = next(iter(self.waiting))
        return scope_id, self.waiting.pop(scope_id)


class Embedder:
    """The job of one process. `start` once, on its loop; `stop` ends it where it is."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}  # scope -> whose model embeds it
        self._works: dict[Key, Work] = {}  # present = a task does it
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Take up what is undone, and listen for what comes."""
        self._loop = asyncio.get_running_loop()
        await in_db(scopes.load_dims)
        listen(self._hear)
        self._keep(spawn(self._sweep(), name="embedder"))

    async def stop(self) -> None:
        """Stop at once; what is undone is found again at the next start."""
        unlisten(self._hear)
        for timer in self._timers.values():
            timer.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _keep(self, task: "asyncio.Task[None]") -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _hear(self, scope_ids: set[str], ref_ids: set[str] | None) -> None:
        """Take note of news; called from the threads of the database."""
        if self._loop is None or self._loop.is_closed():
            return
        if ref_ids is None or not self._keys.keys().isdisjoint(scope_ids):
            self._loop.call_soon_threadsafe(self._note, scope_ids, ref_ids)

    def _note(self, scope_ids: set[str], ref_ids: set[str] | None) -> None:
        if ref_ids is None:
            self._keep(spawn(self._look(scope_ids), name="embedder looks"))
            return
        for scope_id in scope_ids & self._keys.keys():
            self._add(scope_id, self._keys[scope_id], ref_ids)

    async def _sweep(self) -> None:
        while True:
            await self._look(None)
            await asyncio.sleep(SWEEP_S)

    async def _look(self, scope_ids: set[str] | None) -> None:
        """Look through scopes, all if None: for those whose model changed, or that are undone."""
        try:
            rows = await in_db(scopes.list_embedded, scope_ids)
        except Exception:
            log.exception("The scopes to embed could not be read")
            return
        for scope_id in scope_ids or ():
            self._keys.pop(scope_id, None)
        for row in rows:
            self._keys[row.scope_id] = (row.org_id, str(row.model))
            if (wait_s := scopes.wait_left_s(row)) > 0:
                self._add_later(row.scope_id, wait_s)
            else:
                self._add(row.scope_id, self._keys[row.scope_id], None)

    def _add(self, scope_id: str, key: Key, ref_ids: set[str] | None) -> None:
        if scope_id in self._timers:
            if ref_ids is not None:
                return  # its model failed: everything is looked through when its time comes
            self._timers.pop(scope_id).cancel()
        if key in self._works:
            self._works[key].add(scope_id, ref_ids)
            return
        self._works[key] = Work({scope_id: ref_ids})
        self._keep(spawn(self._drain(key), name=f"embedder {key[1]}"))

    def _add_later(self, scope_id: str, wait_s: float) -> None:
        if self._loop is None or scope_id in self._timers:
            return
        self._timers[scope_id] = self._loop.call_later(wait_s, self._due, scope_id)

    def _due(self, scope_id: str) -> None:
        self._timers.pop(scope_id, None)
        if scope_id in self._keys:
            self._add(scope_id, self._keys[scope_id], None)

    async def _drain(self, key: Key) -> None:
        work = self._works[key]
        try:
            await asyncio.sleep(GATHER_S)
            while work.waiting:
                scope_id, ref_ids = work.take()
                outcome = await _embed_scope(key, scope_id, ref_ids)
                if outcome.wait_s > 0:
                    self._add_later(scope_id, outcome.wait_s)
                elif not outcome.through:
                    work.add(scope_id, None)
        finally:
            del self._works[key]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a scope lacks nothing; if it failed, in how many seconds to try again."""

    through: bool
    wait_s: float = 0.0


async def _embed_scope(key: Key, scope_id: str, ref_ids: set[str] | None) -> Outcome:
    """Embed some of what a scope lacks: the texts that were told, else the next few of all."""
    try:
        model = await in_db(taken_at_its_word, *key)
        if ref_ids:
            return Outcome(await _embed_told(model, scope_id, ref_ids))
        return Outcome(await _embed_next(model, scope_id))
    except AppError as error:
        what = f"{error.what} {error.todo}".strip()
        wait_s = error.wait_s if isinstance(error, EmbeddingError) else 0.0
    except Exception:
        log.exception("Embedding %s failed", scope_id)
        what, wait_s = "Something went wrong inside the server; its log says more.", 0.0
    pause_s = await in_db(scopes.note_failure, scope_id, key[1], what, wait_s=wait_s)
    return Outcome(through=True, wait_s=pause_s)


async def _embed_told(model: EmbeddingModel, scope_id: str, ref_ids: set[str]) -> bool:
    texts = await in_db(
        list_unembedded, scope_id, model.handle, len(ref_ids), ref_ids=list(ref_ids)
    )
    done = await _embed_batches(model, scope_id, texts)
    return await in_db(scopes.note_added, scope_id, model.handle, done)


async def _embed_next(model: EmbeddingModel, scope_id: str) -> bool:
    texts = await in_db(list_unembedded, scope_id, model.handle, TURN_TEXTS)
    await _embed_batches(model, scope_id, texts)
    return await in_db(scopes.note_progress, scope_id, model.handle)


async def _embed_batches(model: EmbeddingModel, scope_id: str, texts: Sequence[Unembedded]) -> int:
    """Embed and store texts batch by batch, so that a stop loses one batch at most.

    Return how many were stored. It ends early when the scope wants another model by now.
    """
    stored = 0
    for start in range(0, len(texts), BATCH_TEXTS):
        batch = texts[start : start + BATCH_TEXTS]
        made = await embed_all(model, [one.text for one in batch])
        pairs = list(zip(batch, made, strict=True))
        vectors = {one: data for one, data in pairs if isinstance(data, bytes)}
        refusals = {one: why.what for one, why in pairs if isinstance(why, EmbeddingError)}
        count = await in_db(store_vectors, scope_id, model.handle, vectors, refusals)
        if count is None:
            break
        stored += count
    return stored
