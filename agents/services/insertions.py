"""Putting messages of the past into a history, without running the agent."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from agents.engine.past import Insertion, Written, write_past
from agents.engine.strategies import strategy_of
from agents.models import Agent, Conversation, Message, Run
from agents.services.messages import number, store_messages
from agents.services.runs import ACTIVE
from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.errors import Conflict, NotFound
from letta_site.core.types import Actor


@dataclass(frozen=True, slots=True)
class Inserted:
    """Where the messages went, and the id of each, in the order in which they were given."""

    conversation_id: str
    message_ids: tuple[str, ...]


def insert_messages(actor: Actor, agent_id: str, given: Insertion) -> Inserted:
    """Append past messages to a conversation, all of them or none, findable at once.

    Messages for the window must not come between the steps of a run, nor between calls that wait
    and their answers: then it raises Conflict (with `run_id` if a run is at work). The others are
    taken at any time. One whose `otid` the conversation has already is not stored again: its id is
    that of the first, so that an import can be repeated. Raises NotFound; Malformed that names a
    message by its index.
    """
    with write():
        conversation = _locked_conversation(actor, agent_id, given.conversation_id)
        agent = conversation.agent
        written = write_past(given.messages, strategy_of(agent.agent_type), now=now())
        there = _known_otids(conversation, written)
        fresh = [one for one in written if one.messages[0].otid not in there]
        if any(one.in_context for one in fresh):
            _check_idle(conversation)
        _store(actor, conversation, fresh)
    first = (one.messages[0] for one in written)
    return Inserted(conversation.id, tuple(there.get(one.otid or "", one.id) for one in first))


def _known_otids(conversation: Conversation, written: Sequence[Written]) -> dict[str, str]:
    """Return the ids of the messages that the conversation has already, by otid."""
    otids = [one.messages[0].otid for one in written if one.messages[0].otid]
    if not otids:
        return {}
    rows = Message.objects.filter(conversation=conversation, otid__in=otids).order_by("-seq")
    return dict(rows.values_list("otid", "id"))


def _locked_conversation(actor: Actor, agent_id: str, wanted: str | None) -> Conversation:
    rows = Conversation.objects.filter(agent_id=agent_id, deleted_at=None)
    rows = rows.filter(agent__org_id=actor.org_id)
    by_id = wanted not in (None, "default", agent_id)
    rows = rows.filter(pk=wanted) if by_id else rows.filter(is_default=True)
    locked = rows.select_related("agent").select_for_update(of=("agent",))
    found: Conversation | None = locked.first()
    if found is not None:
        return found
    what = f"Conversation {wanted}" if by_id else f"Agent with ID {agent_id}"
    raise NotFound(f"{what} not found")


def _check_idle(conversation: Conversation) -> None:
    # One that waits in the queue has not read the window yet, unless it was interrupted before.
    begun = Q(status="running") | Q(started_at__isnull=False)
    runs = Run.objects.filter(begun, conversation=conversation, status__in=ACTIVE)
    at_work = runs.order_by("seq").values_list("id", flat=True).first()
    if at_work:
        raise Conflict(
            "A run is at work in this conversation; its window cannot change between two steps.",
            todo="Wait for its end, or cancel it, or insert with in_context=false.",
            run_id=at_work,
        )
    if conversation.pending_id:
        raise Conflict(
            "Tool calls in this conversation wait for an answer; nothing may come between.",
            todo="Answer or cancel them first, or insert with in_context=false.",
            message_id=conversation.pending_id,
        )


def _store(actor: Actor, conversation: Conversation, written: Sequence[Written]) -> None:
    agent = conversation.agent
    values = number((one for entry in written for one in entry.messages), agent)
    aside = {one.id for entry in written if not entry.in_context for one in entry.messages}
    store_messages(values, agent=agent, conversation_id=conversation.id, actor=actor, aside=aside)
    Agent.objects.filter(pk=agent.pk).update(last_seq=agent.last_seq)
    if not conversation.is_default:
        Conversation.objects.filter(pk=conversation.pk).update(last_message_at=now())
