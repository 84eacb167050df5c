"""How large the next request is: our own estimate, corrected by what the provider counted. PURE."""

from collections.abc import Iterable, Sequence

from agents.engine.clipping import NO_CLIP, Clip, clip_message
from agents.engine.window import estimate_request, message_tokens
from agents.types import Message, ToolSpec

LEAST_RATIO, MOST_RATIO = 0.5, 2.0
_PLAUSIBLE = (1 / 3, 3.0)


class Sizes:
    """Sizes of one run's window in tokens. Every message is measured once."""

    def __init__(
        self, system: str, tools: Iterable[ToolSpec], *, return_limit_chars: int, ratio: float
    ) -> None:
        self._tools = tuple(tools)
        self._limit = return_limit_chars
        self._whole: dict[str, int] = {}
        self._clipped: dict[tuple[str, Clip], int] = {}
        self.ratio = min(max(ratio, LEAST_RATIO), MOST_RATIO)
        self.fixed = 0
        self.measure_head(system)

    def measure_head(self, system: str) -> None:
        """Take in a new system message; tools and it are in every request."""
        self.fixed = estimate_request(system, (), self._tools).total

    def of(self, message: Message, clip: Clip = NO_CLIP) -> int:
        """Return the estimate of one message as a request shows it."""
        if clip is not NO_CLIP and _touches(clip, message):
            return self._of_clipped(message, clip)
        found = self._whole.get(message.id)
        if found is None:
            found = self._whole[message.id] = message_tokens(message, self._limit)
        return found

    def _of_clipped(self, message: Message, clip: Clip) -> int:
        key = (message.id, clip)
        if key not in self._clipped:
            self._clipped[key] = message_tokens(clip_message(message, clip), self._limit)
        return self._clipped[key]

    def of_all(self, messages: Sequence[Message], clip: Clip = NO_CLIP) -> list[int]:
        """Return the estimates of messages."""
        return [self.of(message, clip) for message in messages]

    def counted(self, estimate: int) -> int:
        """Return what the provider would probably count where we estimate this much."""
        return -int(-estimate * self.ratio // 1)

    def learn(self, estimate: int, reported: int) -> None:
        """Correct the ratio by one reported size: upwards at once, downwards by halves.

        A report that cannot be true (none at all, or several times off) teaches nothing.
        """
        if not estimate or not _PLAUSIBLE[0] <= reported / estimate <= _PLAUSIBLE[1]:
            return
        seen = min(max(reported / estimate, LEAST_RATIO), MOST_RATIO)
        self.ratio = max(seen, (self.ratio + seen) / 2)

    def learn_overflow(self, estimate: int, window_tokens: int) -> None:
        """Take in that the provider found a request too long for the window we know of."""
        seen = max(self.ratio, window_tokens / max(estimate, 1))
        self.ratio = min(seen, MOST_RATIO)


def _touches(clip: Clip, message: Message) -> bool:
    return clip.text_chars is not None or (
        bool(message.tool_returns) and 0 < message.seq < clip.before_seq
    )
