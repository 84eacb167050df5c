"""Searching messages over REST: of an agent, of a conversation, or of all agents."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from agents.models import Agent, Conversation, Message
from agents.services.agent_boot import default_conversation
from letta_site.core.errors import NotFound
from letta_site.core.types import Actor
from memory.services.candidates import Mode, SearchQuery
from memory.services.search import Hit, search


@dataclass(frozen=True, slots=True)
class MessageSearch:
    """Which messages are wanted. None and () are no condition; a blank `query` means newest."""

    query: str = ""
    mode: Mode = "hybrid"
    agent_id: str | None = None
    conversation_id: str | None = None
    roles: tuple[str, ...] = ()
    project_id: str | None = None
    template_id: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A message with the row that it is stored in, its agent's type, and why it was found."""

    row: Message
    agent_type: str
    hit: Hit


def plan_search(actor: Actor, wanted: MessageSearch) -> SearchQuery:
    """Return what is to be searched. Raises NotFound for an agent or conversation not theirs."""
    return SearchQuery(
        org_id=actor.org_id,
        scope_ids=_agent_ids(actor, wanted),
        kind="message",
        query=wanted.query,
        roles=wanted.roles,
        start=wanted.start,
        end=wanted.end,
        threads=_threads(actor, wanted),
        limit=wanted.limit,
        mode=wanted.mode,
    )


def _agent_ids(actor: Actor, wanted: MessageSearch) -> tuple[str, ...] | None:
    conditions = {"pk": wanted.agent_id, "project_id": wanted.project_id}
    given = {key: value for key, value in conditions.items() if value is not None}
    template = Q()
    if wanted.template_id is not None:
        template = Q(template_id=wanted.template_id) | Q(base_template_id=wanted.template_id)
    elif not given:
        return None
    found = tuple(Agent.objects.of(actor).filter(template, **given).values_list("pk", flat=True))
    if wanted.agent_id is not None and not found:
        raise NotFound(f"Agent with ID {wanted.agent_id} not found")
    return found


def _threads(actor: Actor, wanted: MessageSearch) -> list[tuple[str, int | None]] | None:
    """Return the conversation and what it shares of its parents."""
    named = wanted.conversation_id
    if named is None:
        return None
    if wanted.agent_id is not None and named in ("default", wanted.agent_id):
        found: Conversation | None = default_conversation(actor, wanted.agent_id)
    else:
        found = Conversation.objects.of(actor).filter(pk=named, deleted_at=None).first()
    if found is None:
        raise NotFound(f"Conversation {named} not found")
    return [(found.pk, None), *((parent, upto) for parent, upto, _ in found.lineage)]


def find_messages(actor: Actor, query: SearchQuery) -> list[FoundMessage]:
    """Return the messages that match best, best first."""
    hits = search(query)
    rows = Message.objects.of(actor).select_related("agent").in_bulk([hit.ref_id for hit in hits])
    return [
        FoundMessage(rows[hit.ref_id], rows[hit.ref_id].agent.agent_type, hit)
        for hit in hits
        if hit.ref_id in rows
    ]
