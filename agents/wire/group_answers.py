"""What several agents say in one answer: messages of the wire, each with its speaker's name."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from agents.engine.events import Event
from agents.types import Json, Message, RunRef
from agents.wire.encode import FrameEncoder
from agents.wire.messages import View, encode_message
from agents.wire.sse import Ear


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks, and how what it says is to be read."""

    agent_id: str
    name: str
    view: View


@dataclass(slots=True)
class GroupEncoder:
    """A FrameEncoder for the runs of several agents. `current` is the run heard last."""

    group_id: str
    voices: dict[str, Voice]
    tokens: bool = False
    current: RunRef | None = None
    encoders: dict[str, FrameEncoder] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        """The run heard last; the group's id before there is one."""
        return self.current.run_id if self.current else self.group_id

    def frames(self, event: Event) -> list[Json]:
        """Return what this event of the current run adds to the answer."""
        ref = self.current
        voice = self.voices.get(ref.agent_id) if ref else None
        if ref is None or voice is None:
            return []
        if ref.run_id not in self.encoders:
            self.encoders[ref.run_id] = FrameEncoder(ref.run_id, voice.view, tokens=self.tokens)
        return [_signed(frame, voice) for frame in self.encoders[ref.run_id].frames(event)]


class GroupEar:
    """An ear that tells its encoder which run it hears."""

    def __init__(self, ear: Ear, encoder: GroupEncoder) -> None:
        self._ear = ear
        self._encoder = encoder

    def __aiter__(self) -> "GroupEar":
        return self

    async def __anext__(self) -> tuple[RunRef, Event]:
        ref, event = await anext(self._ear)
        self._encoder.current = ref
        return ref, event

    async def aclose(self) -> None:
        """Stop listening."""
        await self._ear.aclose()


def _signed(frame: Json, voice: Voice) -> Json:
    return {**frame, "name": frame["name"] or voice.name, "sender_id": voice.agent_id}


def encode_talk(said: Iterable[tuple[Voice, Message]]) -> list[Json]:
    """Return what a caller sees of messages of several agents, in the same order."""
    frames: list[Json] = []
    for voice, message in said:
        spoken = message.role in ("assistant", "tool")
        for frame in encode_message(message, voice.view):
            frames.append(_signed(frame, voice) if spoken else frame)
    return frames
