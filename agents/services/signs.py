"""Signs of trouble in what a page has read anyway. `health` examines an agent thoroughly."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q

from agents.engine.approvals import WAITING
from agents.models import Agent, Conversation, Run
from agents.services.runs import ACTIVE
from agents.types import Message, Transcript
from letta_site.core.clock import now

# Another process, such as `manage.py chat`, may be at work on a run that was heard of lately.
QUIET_S = 30


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page has read of an agent: its default conversation with the window, and its runs."""

    agent: Agent
    conversation: Conversation
    window: Transcript
    last_run: Run | None
    active: Sequence[Run]


def list_active(agent_ids: Sequence[str]) -> list[Run]:
    """Return the runs of these agents that have not ended: one query."""
    return list(Run.objects.filter(agent_id__in=agent_ids, status__in=ACTIVE).order_by("seq"))


def last_and_active(agent_id: str) -> tuple[Run | None, list[Run]]:
    """Return an agent's newest run, and those that have not ended: one query.

    Read them after the window: the agent that comes with them then counts all that is in it.
    """
    rows = Run.objects.filter(agent_id=agent_id).select_related("agent")
    newest = rows.order_by("-seq").values("pk")[:1]
    found = list(rows.filter(Q(status__in=ACTIVE) | Q(pk__in=newest)).order_by("seq"))
    return (found[-1] if found else None), [run for run in found if run.status in ACTIVE]


def is_quiet(run: Run) -> bool:
    """Tell whether nothing has been heard of a run for a while."""
    heard = run.heartbeat_at if run.status == "running" else None
    return now() - (heard or run.created_at) > timedelta(seconds=QUIET_S)


def find_signs(seen: Shown, lost: Sequence[Run]) -> list[str]:
    """Return what looks wrong, in words, without a query; `lost` are runs that nobody carries out.

    Each of these is found by `health.find_trouble` too, and mended by `health.unstick`.
    """
    found = [*_of_runs(lost), *_of_numbers(seen), *_of_window(seen)]
    return found if seen.active else [*found, *_of_calls(seen)]


def _of_runs(lost: Sequence[Run]) -> Iterator[str]:
    for run in lost:
        name = f"{run.id[:8]}…{run.id[-4:]}"
        if run.status == "running":
            yield f"Run {name} is said to be running, but nobody carries it out."
        else:
            yield f"Run {name} waits for its turn, but nobody takes it up."


def _of_numbers(seen: Shown) -> Iterator[str]:
    taken = [message.seq for message in seen.window.messages]
    if seen.last_run:
        taken.append(seen.last_run.seq)
    counted = _counted(seen)
    if max(taken, default=0) > counted:
        yield (
            f"Numbers up to {max(taken)} are taken, but the agent counts from {counted}: it cannot "
            "take a message."
        )


def _counted(seen: Shown) -> int:
    later = seen.last_run.agent.last_seq if seen.last_run else 0
    return max(seen.agent.last_seq, later)


def _of_window(seen: Shown) -> Iterator[str]:
    talk, window = seen.conversation, seen.window
    if not window.system:
        yield "Its system message is missing."
    if talk.summary_message_id and window.summary is None:
        yield "The summary of its earlier messages is missing."
    if talk.window_after_seq > _counted(seen):
        yield "Its window begins after everything there is, so it sees no message."


def _of_calls(seen: Shown) -> Iterator[str]:
    pending = seen.conversation.pending_id
    messages = seen.window.messages
    asked = {message.step_id for message in messages if message.id == pending}
    if seen.last_run and seen.last_run.stop_reason == WAITING:
        asked |= {message.step_id for message in messages if message.run_id == seen.last_run.id}
    made = {call.id: call.name for one in messages for call in one.tool_calls}
    waiting = {call.id for one in messages if one.step_id in asked for call in one.tool_calls}
    answered = _returned(messages)
    if lacking := [made[one] for one in made if one not in answered | waiting]:
        yield f"Calls without a return: {', '.join(lacking)}."
    if answered - set(made):
        yield "Some returns belong to calls that nobody made."


def _returned(messages: Iterable[Message]) -> set[str]:
    return {one.tool_call_id for message in messages for one in message.tool_returns}
