"""A step while it is being made. PURE; lives until its commit."""

from dataclasses import dataclass, field
from datetime import datetime

from agents.engine.arguments import Arguments
from agents.engine.events import Failure, StepStarted
from agents.engine.ports import ExecutedCall, Ports, Reply
from agents.engine.state import RunState
from agents.engine.stopping import CallMade
from agents.types import Pending, ToolCall, ToolOutcome
from letta_site.core.ids import new_id


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call with its arguments read, laid-down ones filled in, and the reason not to run it.

    `waits`: it needs somebody's answer first. `given`: its outcome, if it came from outside.
    """

    call: ToolCall
    arguments: Arguments
    refusal: str = ""
    violation: bool = False
    bad_prefill: bool = False
    waits: bool = False
    approved: bool = False
    given: ToolOutcome | None = None

    def made(self, outcome: ToolOutcome) -> CallMade:
        """Return the call as `stopping` sees it."""
        return CallMade(
            self.call.name,
            outcome.status,
            self.arguments.heartbeat,
            violation=self.violation,
            bad_prefill=self.bad_prefill,
        )


@dataclass(slots=True)
class StepDraft:
    """What a step has come to so far.

    `pending`: it is the rest of a step that waited for answers, so no model is asked.
    `block_versions` are the blocks as the model saw them, id -> version.
    """

    n: int
    started_at: datetime
    started_ns: int
    block_versions: dict[str, int] = field(default_factory=dict)
    pending: Pending | None = None
    id: str = field(default_factory=lambda: new_id("step"))
    message_id: str = field(default_factory=lambda: new_id("message"))
    reply: Reply | None = None
    plans: list[PlannedCall] = field(default_factory=list)
    done: list[ExecutedCall] = field(default_factory=list)
    failure: Failure | None = None
    cancelled: bool = False
    stop_reason: str | None = None
    estimated_tokens: int = 0
    llm_ns: int = 0

    @classmethod
    def begin(cls, state: RunState, ports: Ports, pending: Pending | None = None) -> "StepDraft":
        """Return the next step of a run; the rest of one that waited bears its id, uncounted."""
        state.n += 0 if pending else 1
        versions = {block.id: block.version for block in state.blocks}
        n = 0 if pending else state.n
        draft = cls(n, ports.clock.now(), ports.clock.ticks_ns(), versions, pending)
        if pending and pending.request.step_id:
            draft.id = pending.request.step_id
        return draft

    @property
    def waits(self) -> bool:
        """Whether nothing is carried out before somebody has answered."""
        return not self.cancelled and any(plan.waits for plan in self.plans)

    def started(self) -> StepStarted:
        """Return what tells the world of the step, or that its answer is asked for anew."""
        return StepStarted(self.id, self.message_id, self.n, self.started_at)
