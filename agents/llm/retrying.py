"""When a question is asked again. Pure.

Refused connections and refusals by status are the SDK's to retry, before anything has arrived.
Here is what it cannot see: answers that break off, are no answers, or say nothing.
"""

import random
from dataclasses import dataclass

from agents.llm.dialects import give_in, refused_key
from agents.llm.faults import Lost, Unusable
from agents.types import Json

BACKOFF_S = 0.5
_MAX_CONCESSIONS = 6
_STREAMING = ("stream", "stream_options")


@dataclass
class Attempts:
    """What is left to try for one question. `body` is what the next try sends."""

    body: Json
    lost_left: int
    fallback_left: int = 1
    empty_left: int = 1
    wait_s: float = 0.0

    def after(self, fault: Lost | Unusable) -> bool:
        """Tell whether to ask again after a fault; makes ready for that."""
        if isinstance(fault, Lost):
            self.lost_left -= 1
            self.wait_s = BACKOFF_S * (1 + random.random())
            return self.lost_left >= 0
        self.fallback_left -= 1
        self.body = {
            key: value
            for key, value in self.body.items()
            if key not in ("stream", "stream_options")
        }
        return self.fallback_left >= 0

    def after_nothing(self) -> bool:
        """Tell whether to ask again after an answer without words or calls."""
        self.empty_left -= 1
        return self.empty_left >= 0


@dataclass
class Concessions:
    """What a server would not take. It lasts for a run, so that only one call pays for it."""

    keys: tuple[str, ...] = ()

    def apply(self, body: Json) -> Json:
        """Return a body without what was refused before."""
        for at, key in enumerate(self.keys):
            if key in body:
                body = give_in(body, key, again=key in self.keys[:at])
        return body

    def learn(self, body: Json, complaint: str) -> bool:
        """Take note of a refusal; tell whether there is something to leave out next time."""
        key = refused_key(body, complaint)
        if key is None or len(self.keys) >= _MAX_CONCESSIONS:
            return False
        self.keys = (*self.keys, key)
        return True
