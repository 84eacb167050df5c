"""An agent's memory as it was: its blocks at any step of its life."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, Q

from agents.models import Message, Step
from agents.services.agent_blocks import check_agent
from letta_site.core.errors import Invalid, NotFound
from letta_site.core.types import Actor
from memory.models import BlockVersion

Versions = dict[str, int]  # block id -> number of its version


@dataclass(frozen=True, slots=True)
class When:
    """A point of an agent's life; exactly one is given.

    `step` is the number of a step, counted from 1 over the agent's whole life, or its id; 0 is
    before the first. `message_id`: when the message was stored; `at`: a moment.
    """

    step: int | str | None = None
    message_id: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PastBlock:
    """A block as it was. `seen_n` is the version in the step's prompt, None if it was not there.

    `version` is None when the block has been deleted since, with all of its versions.
    """

    block_id: str
    n: int
    seen_n: int | None
    version: BlockVersion | None


@dataclass(frozen=True, slots=True)
class PastMemory:
    """The blocks of an agent once a step was stored. `step` None: before its first one.

    `number` is the step's, of `steps` that there are.
    """

    step: Step | None
    number: int
    steps: int
    blocks: tuple[PastBlock, ...]


def get_past_memory(actor: Actor, agent_id: str, when: When) -> PastMemory:
    """Return what an agent's memory was: what the step was shown, with the step's own edits.

    Raises Invalid unless exactly one point is named; NotFound for what there is not.
    """
    check_agent(actor, agent_id)
    step = _step_of(agent_id, when)
    steps = Step.objects.filter(agent_id=agent_id)
    before = steps.filter(seq__lte=step.seq).count() if step else 0
    seen = _seen(agent_id, step)
    held = {**seen, **_written(step)} if step else seen
    return PastMemory(step, before, steps.count(), _blocks(actor, held, seen))


def _step_of(agent_id: str, when: When) -> Step | None:
    if sum(one is not None for one in (when.step, when.message_id, when.at)) != 1:
        raise Invalid(
            "Exactly one of step, message_id and at says when.",
            todo="Give step=N, or the id of a step; or message_id; or a moment as at.",
        )
    if when.message_id is not None:
        return _step_of_message(agent_id, when.message_id)
    if when.step is not None:
        return _named_step(agent_id, when.step)
    found: Step | None = (
        Step.objects.filter(agent_id=agent_id, created_at__lte=when.at).order_by("-seq").first()
    )
    return found


def _named_step(agent_id: str, name: int | str) -> Step | None:
    if name == 0:
        return None
    steps = Step.objects.filter(agent_id=agent_id).order_by("seq")
    wanted = steps.filter(pk=name) if isinstance(name, str) else steps[name - 1 : name]
    found: Step | None = wanted.first()
    if found is None:
        raise NotFound(f"Agent {agent_id} has no step {name}; it has {steps.count()} steps.")
    return found


def _step_of_message(agent_id: str, message_id: str) -> Step | None:
    """Return the step that a message came with, else the latest one before it."""
    message = Message.objects.filter(agent_id=agent_id, pk=message_id).first()
    if message is None:
        raise NotFound(f"Message {message_id} not found")
    own = Q(pk=message.step_id) if message.step_id else Q(seq__lt=message.seq)
    steps = Step.objects.filter(own, agent_id=agent_id)
    found: Step | None = steps.order_by("-seq").first()
    return found


def _seen(agent_id: str, step: Step | None) -> Versions:
    """Return the versions that a step was shown; before the first step, those it was to see."""
    if step is None:
        step = Step.objects.filter(agent_id=agent_id).order_by("seq").first()
    seen: Versions = step.block_versions if step else _attached(agent_id)
    return seen


def _attached(agent_id: str) -> Versions:
    rows = BlockVersion.objects.filter(block__agent_links__agent_id=agent_id)
    return dict(rows.order_by().values_list("block_id").annotate(n=Max("n")))


def _written(step: Step) -> Versions:
    """Return the last version of each block that a step wrote."""
    rows = BlockVersion.objects.filter(step_id=step.id)
    return dict(rows.order_by().values_list("block_id").annotate(n=Max("n")))


def _blocks(actor: Actor, held: Versions, seen: Versions) -> tuple[PastBlock, ...]:
    wanted = Q()
    for block_id, n in held.items():
        wanted |= Q(block_id=block_id, n=n)
    rows: Iterable[BlockVersion] = ()
    if held:
        rows = BlockVersion.objects.filter(wanted, block__org_id=actor.org_id)
    known = {row.block_id: row for row in rows}
    return tuple(
        PastBlock(block_id, n, seen.get(block_id), known.get(block_id))
        for block_id, n in held.items()
    )
