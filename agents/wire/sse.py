"""Server-sent events as all published clients of both eras can read them.

One `data:` line a frame, in ASCII (the oldest npm client cuts characters in two), no `event:` but
for errors (the newest ones drop named frames), and `[DONE]` nowhere but at the end (the oldest
npm client stops at it even inside a text).
"""

import asyncio
import json
import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings

from agents.engine.events import Event, RunFinished
from agents.types import Json, RunRef
from agents.wire.encode import FrameEncoder, encode_end, encode_failure, encode_stop
from agents.wire.messages import header
from letta_site.core.clock import now

DONE = b"data: [DONE]\n\n"
COMMENT = b": still here\n\n"


class Ear(Protocol):
    """Where the events of a run come from."""

    def __aiter__(self) -> "Ear": ...

    async def __anext__(self) -> tuple[RunRef, Event]: ...

    async def aclose(self) -> None: ...


class Replayed:
    """An ear that first hears again what is stored of its run."""

    def __init__(self, stored: Iterable[Event], ref: RunRef, ear: Ear) -> None:
        self._stored = deque(stored)
        self._ref = ref
        self._ear = ear

    def __aiter__(self) -> "Replayed":
        return self

    async def __anext__(self) -> tuple[RunRef, Event]:
        if self._stored:
            return self._ref, self._stored.popleft()
        return await anext(self._ear)

    async def aclose(self) -> None:
        """Stop listening."""
        await self._ear.aclose()


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What a caller gets besides messages. `numbered`: frames carry `seq_id`, from 1."""

    pings: bool = True
    error_event: bool = True
    numbered: bool = False


def frame(body: Json, *, event: str | None = None) -> bytes:
    """Return one frame."""
    text = json.dumps(body, ensure_ascii=True, separators=(",", ":"))
    line = f"data: {text.replace('[DONE]', chr(92) + 'u005bDONE]')}\n\n"
    return (f"event: {event}\n{line}" if event else line).encode("ascii")


def ping(run_id: str) -> Json:
    """Return a message that only shows that the server is there, and which run this is."""
    return header(f"ping-{uuid.uuid4()}", "ping", now(), step_id=None, run_id=run_id)


async def write_stream(
    ear: Ear, encoder: FrameEncoder, options: StreamOptions
) -> AsyncIterator[bytes]:
    """Yield the frames of a run until it ends. Closes `ear` whatever happens."""
    count = 0
    async with aclosing(ear):
        if options.pings:
            yield frame(ping(encoder.run_id))
        while True:
            event = await _next(ear)
            if event is None:
                yield frame(ping(encoder.run_id)) if options.pings else COMMENT
                continue
            for body in encoder.frames(event):
                count += 1
                yield frame(body | {"seq_id": count} if options.numbered else body)
            if isinstance(event, RunFinished):
                for last in write_end(event, encoder.run_id, options):
                    yield last
                return


async def _next(ear: Ear) -> Event | None:
    """Return the next event, or None after a silence."""
    try:
        _, event = await asyncio.wait_for(anext(ear), settings.PING_INTERVAL_S)
    except TimeoutError:
        return None
    return event


def write_end(end: RunFinished, run_id: str, options: StreamOptions) -> list[bytes]:
    """Return the last frames of a stream."""
    stop = frame(encode_stop(end.stop_reason))
    if end.failure is None:
        return [stop, frame(encode_end(end)), DONE]
    if not options.error_event:
        return [stop, DONE]
    return [stop, frame(encode_failure(end.failure, run_id=run_id), event="error"), DONE]
