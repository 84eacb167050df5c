"""Compactions that were made: on request, in lists, and taken back."""

from dataclasses import replace

from agents.engine.ports import Evicted, Eviction
from agents.models import Agent, Compaction, Conversation, Message, Run
from agents.services.calling import compaction_plan
from agents.services.evictions import store_eviction
from agents.services.kit import block_views
from agents.services.prompts import refresh_prompt
from agents.services.snapshot import Begun, agent_spec, agent_within, load_transcript
from agents.types import Json
from letta_site.core.aio import in_db, write
from letta_site.core.clock import now
from letta_site.core.errors import Conflict, NotFound
from letta_site.core.types import Actor


def begin_compaction(actor: Actor, conversation: Conversation, changes: Json) -> Begun:
    """Load what shortening a conversation's window outside of a run needs. Raises Conflict."""
    check_idle(conversation)
    isolated = tuple(conversation.isolated_block_ids)
    agent = agent_within(conversation, conversation.agent)
    blocks = block_views(agent.id, isolated)
    spec = agent_spec(agent, conversation_id=conversation.id, run_id="", blocks=blocks, options={})
    spec = replace(spec, compaction=compaction_plan(agent, changes))
    return Begun(spec, load_transcript(conversation), (), actor, now(), 0, isolated)


def check_idle(conversation: Conversation) -> None:
    """Raise Conflict while a run of the conversation is under way: it knows the window by heart."""
    if Run.objects.filter(conversation=conversation, status="running").exists():
        raise Conflict(
            f"Agent {conversation.agent_id} is at work.", todo="Cancel its run, or wait for it."
        )


class IdleLedger:
    """The part of the Ledger port that shortening a window needs while no run is under way."""

    def __init__(self, begun: Begun) -> None:
        self._begun = begun

    async def evict(self, eviction: Eviction) -> Evicted:
        """See the port. Raises Conflict when a run has begun meanwhile."""
        return await in_db(self._evict, eviction)

    def _evict(self, eviction: Eviction) -> Evicted:
        with write():
            check_idle(Conversation.objects.get(pk=self._begun.spec.conversation_id))
            return store_eviction(self._begun, eviction)


def list_compactions(actor: Actor, agent_id: str) -> list[Compaction]:
    """Return an agent's compactions, newest first. Raises NotFound."""
    if not Agent.objects.of(actor).filter(pk=agent_id).exists():
        raise NotFound(f"Agent with ID {agent_id} not found")
    rows = Compaction.objects.filter(agent_id=agent_id, org_id=actor.org_id)
    return list(rows.order_by("-seq"))


def undo_compaction(actor: Actor, agent_id: str, number: int) -> Compaction:
    """Put back into the window what the latest compaction took out; the summary stays stored.

    Raises NotFound, and Conflict while a run is under way or when a later compaction, or a reset,
    has moved the window since.
    """
    with write():
        rows = Compaction.objects.select_related("conversation__agent").filter(
            agent_id=agent_id, org_id=actor.org_id, seq=number
        )
        row = rows.first()
        if row is None:
            raise NotFound(f"Agent {agent_id} has no compaction {number}")
        conversation = row.conversation
        check_idle(conversation)
        if row.undone_at or conversation.summary_message_id != row.summary_message_id:
            raise Conflict(
                f"Compaction {number} is not the latest change of the window.",
                todo="Undo later ones first.",
            )
        _put_back(row, conversation)
    return row


def _put_back(row: Compaction, conversation: Conversation) -> None:
    before = Message.objects.filter(pk=row.previous_summary_id).exists()
    conversation.summary = row.summary_before
    conversation.summary_message_id = row.previous_summary_id if before else None
    conversation.window_after_seq = row.previous_window_after
    conversation.save(update_fields=["summary", "summary_message_id", "window_after_seq"])
    blocks = block_views(row.agent_id, conversation.isolated_block_ids)
    refresh_prompt(conversation.agent, conversation, blocks, cold=True)
    row.undone_at = now()
    row.save(update_fields=["undone_at"])
