"""What will happen to a window when it gets full. PURE."""

from dataclasses import dataclass

from agents.engine.compaction import OLD_RETURN_CHARS, leaving_turns, limit_tokens
from agents.engine.state import RunState
from agents.engine.window import turn_starts
from agents.types import Message


@dataclass(frozen=True, slots=True)
class Forecast:
    """Sizes are in tokens, as the provider will probably count them.

    `limit`: a request larger than this is shortened first. `clipped` are messages whose tool
    returns are then shown shortened; `leaving` those that a summary replaces if that is not enough,
    `freed` what they take now. `due`: the next request is over the limit already.
    """

    size: int
    limit: int
    window: int
    clipped: tuple[Message, ...]
    leaving: tuple[Message, ...]
    freed: int

    @property
    def due(self) -> bool:
        """Whether it happens before the next request."""
        return self.size > self.limit


def forecast(state: RunState) -> Forecast:
    """Return what leaves the window next, by the plan of its agent, as things stand."""
    limit = limit_tokens(state)
    leaving = tuple(one for one in leaving_turns(state, limit) if one.seq)
    starts = turn_starts(state.messages)
    return Forecast(
        size=state.size(),
        limit=limit,
        window=state.spec.window_tokens,
        clipped=tuple(filter(_is_clipped, state.messages[: starts[-1]])),
        leaving=leaving,
        freed=state.sizes.counted(sum(state.sizes.of_all(leaving, state.clip))),
    )


def _is_clipped(message: Message) -> bool:
    return any(len(one.text) > OLD_RETURN_CHARS for one in message.tool_returns)
