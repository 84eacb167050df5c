"""An agent's memory as it was, on the wire. Ours; no client of Letta's asks for it."""

from collections.abc import Sequence
from typing import Protocol

from pydantic import BaseModel, Field

from agents.models import Step
from agents.types import Json
from letta_site.core.ids import check_id
from memory.models import BlockVersion
from memory.wire.queries import Moment
from memory.wire.versions import encode_version


class PastMemoryQuery(BaseModel):
    """When: a step by its number (from 1; 0 is before the first) or id, a message, or a moment."""

    step: str | None = Field(None, pattern=r"^(\d{1,9}|step-.+)$")
    message_id: str | None = None
    at: Moment | None = None

    def step_wanted(self) -> int | str | None:
        """Return the step's number or its id. Raises Malformed."""
        if self.step is None or self.step.isdigit():
            return None if self.step is None else int(self.step)
        return check_id(self.step, "step")


class PastBlock(Protocol):
    """A block as it was."""

    @property
    def block_id(self) -> str: ...
    @property
    def n(self) -> int: ...
    @property
    def seen_n(self) -> int | None: ...
    @property
    def version(self) -> BlockVersion | None: ...


class PastMemory(Protocol):
    """All of them."""

    @property
    def step(self) -> Step | None: ...
    @property
    def number(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def blocks(self) -> Sequence[PastBlock]: ...


def encode_past_memory(agent_id: str, past: PastMemory) -> Json:
    """Return the blocks once the step was stored, each with the version that its prompt showed."""
    step = past.step
    return {
        "agent_id": agent_id,
        "step": past.number,
        "steps": past.steps,
        "step_id": step and step.id,
        "run_id": step and step.run_id,
        "created_at": step and step.created_at,
        "blocks": [_block(one) for one in past.blocks],
    }


def _block(one: PastBlock) -> Json:
    state = encode_version(one.version) if one.version else {"block_id": one.block_id}
    return {
        **state,
        "id": one.block_id,
        "version": one.n,
        "version_in_prompt": one.seen_n,
        "deleted": one.version is None,
    }
