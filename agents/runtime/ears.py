"""Where a reader of one run hears its events: what is stored first, then what comes."""

from collections import deque
from collections.abc import Iterable
from typing import Protocol

from agents.engine.events import Event
from agents.types import RunRef


class Ear(Protocol):
    """Iterate it for (RunRef, Event), close it when done."""

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
