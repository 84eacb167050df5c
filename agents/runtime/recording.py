"""Recordings of background runs: read from any point, also after the run, the reader or the server.

Every reader hears the recording, never the bus: pieces of words are joined before anybody numbers
them, so that the same frames have the same numbers whenever they are read.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

from django.db import DatabaseError, IntegrityError

from agents.engine.events import (
    Event,
    ReasoningDelta,
    RunFinished,
    RunStarted,
    StepCommitted,
    TextDelta,
    ToolCallDelta,
)
from agents.models import Run
from agents.runtime import bus
from agents.runtime.ears import Ear, Replayed
from agents.services.run_events import (
    drop_old_events,
    load_events,
    store_events,
    stored_events,
)
from agents.services.runs import ref_of
from agents.types import RunRef
from letta_site.core.aio import in_db, spawn

log = logging.getLogger(__name__)

JOIN_S = 0.03  # pieces that come within this time become one
STORE_S = 0.5

_live: dict[str, "_Recording"] = {}


class _Recording:
    """What a run has told so far. `stored` of its events are in the database."""

    def __init__(self, ref: RunRef) -> None:
        self.ref = ref
        self.events: list[Event] = []
        self.stored = 0
        self._news = asyncio.Event()

    def add(self, events: Sequence[Event]) -> None:
        """Take in what the run tells; that it begins, once only, however often it is taken up."""
        if any(isinstance(event, RunStarted) for event in self.events[:1]):
            events = [event for event in events if not isinstance(event, RunStarted)]
        self.events += events
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def wait(self) -> None:
        await self._news.wait()

    async def store(self) -> None:
        """Keep what is new; when that fails, its readers still hear it from here."""
        fresh = self.events[self.stored :]
        try:
            await in_db(store_events, self.ref.run_id, self.stored + 1, fresh)
        except IntegrityError:
            log.info("Run %s is deleted; what it told is not kept", self.ref.run_id)
        except DatabaseError:
            log.exception("What run %s told could not be stored", self.ref.run_id)
        else:
            self.stored += len(fresh)

    async def take_up(self) -> None:
        """Begin with what the run told before the server was restarted, if that can be had."""
        try:
            before = await in_db(stored_events, self.ref.run_id)
        except DatabaseError:
            log.exception("What run %s told before could not be read", self.ref.run_id)
            return
        self.stored = len(before)
        if before:
            self.add(before)


class _Follower:
    """An ear on a recording, from its beginning."""

    def __init__(self, recording: _Recording) -> None:
        self._recording = recording
        self._at = 0

    def __aiter__(self) -> "_Follower":
        return self

    async def __anext__(self) -> tuple[RunRef, Event]:
        while self._at >= len(self._recording.events):
            await self._recording.wait()
        self._at += 1
        return self._recording.ref, self._recording.events[self._at - 1]

    async def aclose(self) -> None:
        """Nothing to give back."""


def start(ref: RunRef) -> None:
    """Record a run from now on; call it before the run tells anything."""
    if ref.run_id in _live:
        return
    _live[ref.run_id] = _Recording(ref)
    ear = bus.subscribe(ref.run_id)
    spawn(_record(_live[ref.run_id], ear), name=f"recording of {ref.run_id}")


async def follow(run: Run) -> Ear:
    """Return an ear that hears a background run from its beginning."""
    if run.id in _live:
        return _Follower(_live[run.id])
    ref, ear = ref_of(run), bus.subscribe(run.id)
    return Replayed(await in_db(load_events, run), ref, ear)


async def _record(recording: _Recording, ear: bus.Subscription) -> None:
    last = time.monotonic()
    try:
        async with aclosing(ear):
            await recording.take_up()
            while True:
                events = await _next(ear)
                recording.add(events)
                ended = isinstance(events[-1], RunFinished)
                if ended or _whole(events) or time.monotonic() - last > STORE_S:
                    await recording.store()
                    last = time.monotonic()
                if ended:
                    break
    finally:
        _live.pop(recording.ref.run_id, None)
    try:
        await in_db(drop_old_events)
    except DatabaseError:
        log.exception("Old events could not be dropped; the next recording tries again")


async def _next(ear: bus.Subscription) -> list[Event]:
    """Return what comes next, and what comes right after a piece of a message."""
    _, first = await ear.get()
    if isinstance(first, ReasoningDelta | TextDelta | ToolCallDelta):
        await asyncio.sleep(JOIN_S)
    return join([first, *ear.take_waiting()])


def _whole(events: Sequence[Event]) -> bool:
    return any(isinstance(event, StepCommitted) for event in events)


def join(events: Sequence[Event]) -> list[Event]:
    """Return the events with neighbouring pieces of one part of one message made one."""
    joined: list[Event] = []
    for event in events:
        whole = _joined(joined[-1], event) if joined else None
        if whole is None:
            joined.append(event)
        else:
            joined[-1] = whole
    return joined


def _joined(one: Event, two: Event) -> Event | None:
    if isinstance(one, TextDelta) and isinstance(two, TextDelta):
        same = one.message_id == two.message_id
        return replace(one, text=one.text + two.text) if same else None
    if isinstance(one, ReasoningDelta) and isinstance(two, ReasoningDelta):
        same = one.message_id == two.message_id
        return replace(one, text=one.text + two.text) if same else None
    if isinstance(one, ToolCallDelta) and isinstance(two, ToolCallDelta):
        same = (one.message_id, one.index) == (two.message_id, two.index)
        return replace(one, arguments=one.arguments + two.arguments) if same else None
    return None
