"""Server-sent events as all published clients of both eras can read them.

One `data:` line a frame, in ASCII (the oldest npm client cuts characters in two), no `event:` but
for errors (the newest ones drop named frames), and `[DONE]` nowhere but at the end (the oldest
npm client stops at it even inside a text).
"""

import asyncio
import json
import uuid
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


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What a caller gets besides messages.

    `stops`: a frame tells why a run ended well; that it failed is always told.
    `numbered`: frames carry `seq_id`, from 1; those up to `starting_after` are left out.
    """

    pings: bool = True
    error_event: bool = True
    stops: bool = True
    numbered: bool = False
    starting_after: int = 0


def frame(body: Json, *, event: str | None = None) -> bytes:
    """Return one frame."""
    text = json.dumps(body, ensure_ascii=True, separators=(",", ":"))
    line = f"data: {text.replace('[DONE]', chr(92) + 'u005bDONE]')}\n\n"
    return (f"event: {event}\n{line}" if event else line).encode("ascii")


def ping(run_id: str, seq_id: int | None = None) -> Json:
    """Return a message that only shows that the server is there, and which run this is."""
    head = header(f"ping-{uuid.uuid4()}", "ping", now(), step_id=None, run_id=run_id)
    return head | {"seq_id": seq_id}


@dataclass(slots=True)
class _Counter:
    """Numbers the frames of one stream, and leaves out those that the reader has."""

    options: StreamOptions
    run_id: str
    count: int = 0

    def frames(self, bodies: Iterable[Json], *, event: str | None = None) -> list[bytes]:
        if not self.options.numbered:
            return [frame(body, event=event) for body in bodies]
        found = []
        for body in bodies:
            self.count += 1
            if self.count > self.options.starting_after:
                whole = body | {"run_id": self.run_id, "seq_id": self.count}
                found.append(frame(whole, event=event))
        return found

    def ping(self) -> bytes:
        if not self.options.pings:
            return COMMENT
        known = max(self.count, self.options.starting_after)
        return frame(ping(self.run_id, known or None))


async def write_stream(
    ear: Ear, encoder: FrameEncoder, options: StreamOptions
) -> AsyncIterator[bytes]:
    """Yield the frames of a run until it ends. Closes `ear` whatever happens."""
    counter = _Counter(options, encoder.run_id)
    async with aclosing(ear):
        if options.pings:
            yield counter.ping()
        while True:
            event = await _next(ear)
            if event is None:
                yield counter.ping()
                continue
            for piece in counter.frames(encoder.frames(event)):
                yield piece
            if isinstance(event, RunFinished):
                for last in write_end(event, counter):
                    yield last
                return


async def _next(ear: Ear) -> Event | None:
    """Return the next event, or None after a silence."""
    try:
        _, event = await asyncio.wait_for(anext(ear), settings.PING_INTERVAL_S)
    except TimeoutError:
        return None
    return event


def write_end(end: RunFinished, counter: _Counter) -> list[bytes]:
    """Return the last frames of a stream."""
    options = counter.options
    if counter.count + 2 < options.starting_after:
        # The server died before it stored all that this reader has seen; the end is new to it.
        counter.count = options.starting_after
    told = options.stops or end.failure is not None
    last = counter.frames([encode_stop(end.stop_reason)] if told else [])
    if end.failure is None:
        last += counter.frames([encode_end(end)])
    elif options.error_event:
        failed = encode_failure(end.failure, run_id=counter.run_id)
        last += counter.frames([failed], event="error")
    return [*last, DONE]
