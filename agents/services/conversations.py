"""Conversations: several histories of one agent, each with its own window and prompt."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Max

from agents.models import Agent, Conversation, Fork, Message, Run
from agents.services.agent_blocks import locked_agent
from agents.services.agent_boot import default_conversation
from agents.services.agent_models import check_handle
from agents.services.histories import lineage_of_fork
from agents.services.kit import block_views
from agents.services.messages import number, store_messages
from agents.services.prompts import compiled_prompt, refresh_prompt
from agents.services.runs import ACTIVE
from agents.types import Json
from agents.types import Message as MessageValue
from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.errors import Conflict, Invalid, NotFound
from letta_site.core.ids import is_id, new_id
from letta_site.core.paging import page
from letta_site.core.types import Actor, PageQuery
from memory.logic.edits import BlockView
from memory.models import Block
from memory.services.blocks import create_block
from memory.services.search import drop

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class ConversationDraft:
    """A conversation to be. The labelled blocks are copied, and the copies are its own."""

    title: str | None = None
    model: str | None = None
    model_settings: Json | None = None
    isolated_labels: tuple[str, ...] = ()


def find_conversation(actor: Actor, given: str, *, agent_id: str | None = None) -> Conversation:
    """Return a conversation with its agent, by its id, by its agent's, or as `default` of one.

    Raises NotFound; Invalid when `default` comes without an agent.
    """
    if given == DEFAULT:
        if not agent_id:
            raise Invalid("agent_id is required when conversation_id is 'default'.")
        return default_conversation(actor, agent_id)
    if is_id(given, "agent"):
        return default_conversation(actor, given)
    rows = Conversation.objects.of(actor).select_related("agent").filter(deleted_at=None)
    found: Conversation | None = rows.filter(pk=given).first()
    if found is None:
        raise NotFound(f"Conversation {given} not found")
    return found


def list_conversations(
    actor: Actor, *, query: PageQuery, agent_id: str | None = None, text: str | None = None
) -> list[Conversation]:
    """Return a page of the conversations that were made, without the default ones."""
    rows = Conversation.objects.of(actor).filter(deleted_at=None, is_default=False)
    if agent_id:
        rows = rows.filter(agent_id=agent_id)
    if text:
        rows = rows.filter(title__icontains=text)
    if query.order_by == "last_run_completion":
        rows = rows.annotate(last_run_completion=Max("runs__completed_at"))
    return page(rows, query)


def create_conversation(actor: Actor, agent_id: str, draft: ConversationDraft) -> Conversation:
    """Begin a history with nothing in it but its system message. Raises NotFound, Invalid."""
    _check_model(actor, draft.model)
    with write():
        agent = locked_agent(actor, agent_id)
        conversation = Conversation(
            org_id=agent.org_id,
            agent=agent,
            title=draft.title,
            model=draft.model,
            model_settings=draft.model_settings,
            isolated_block_ids=_isolate(actor, block_views(agent.id), draft.isolated_labels),
        )
        _begin(actor, agent, conversation)
    return conversation


def fork_conversation(actor: Actor, given: str, *, agent_id: str | None = None) -> Conversation:
    """Split off a conversation that shares the history so far and goes its own way from here.

    Its system message is its own, compiled from the blocks as they are now. Raises NotFound.
    """
    parent = find_conversation(actor, given, agent_id=agent_id)
    with write():
        agent = locked_agent(actor, parent.agent_id)
        parent.refresh_from_db()
        last_seq = agent.last_seq
        blocks = block_views(agent.id, parent.isolated_block_ids)
        own = set(parent.isolated_block_ids)
        labels = tuple(block.label for block in blocks if block.id in own)
        conversation = Conversation(
            org_id=agent.org_id,
            agent=agent,
            title=parent.title,
            model=parent.model,
            model_settings=parent.model_settings,
            isolated_block_ids=_isolate(actor, blocks, labels),
            lineage=lineage_of_fork(parent, last_seq=last_seq),
            summary=parent.summary,
            summary_message_id=parent.summary_message_id,
            window_after_seq=parent.window_after_seq,
        )
        _begin(actor, agent, conversation)
        Fork.objects.create(
            org_id=agent.org_id,
            child_agent=agent,
            child_conversation=conversation,
            parent_agent_id=agent.id,
            parent_conversation_id=parent.id,
            parent_seq=last_seq,
        )
    return conversation


def update_conversation(actor: Actor, conversation_id: str, changes: Json) -> Conversation:
    """Change title, model or settings. Raises NotFound, Invalid."""
    _check_model(actor, changes.get("model"))
    with write():
        conversation = find_conversation(actor, conversation_id)
        for name, value in changes.items():
            setattr(conversation, name, value)
        conversation.touch(actor, *changes)
    return conversation


def delete_conversation(actor: Actor, conversation_id: str) -> None:
    """Delete a conversation; what a fork of it still shares goes when the last fork goes.

    Raises NotFound; Conflict for an agent's default one, and while a run is under way.
    """
    with write():
        conversation = find_conversation(actor, conversation_id)
        if conversation.is_default:
            raise Conflict("The default conversation of an agent goes only with its agent.")
        if active_runs(conversation):
            raise Conflict(
                f"Conversation {conversation.id} is at work.",
                todo="Cancel its run, or wait for it.",
            )
        Conversation.objects.filter(pk=conversation.pk).update(deleted_at=now())
        _sweep(conversation.agent_id)


def recompile_conversation(conversation: Conversation, *, dry_run: bool = False) -> str:
    """Compile the system prompt anew and return it; store it unless `dry_run`."""
    agent = conversation.agent
    blocks = block_views(agent.id, conversation.isolated_block_ids)
    if dry_run:
        return compiled_prompt(agent, conversation, blocks)
    with write():
        return refresh_prompt(agent, conversation, blocks, force=True) or ""


def active_runs(conversation: Conversation) -> list[str]:
    """Return the ids of the runs of a conversation that have not ended, oldest first."""
    rows = Run.objects.filter(conversation_id=conversation.pk, status__in=ACTIVE)
    return list(rows.order_by("seq").values_list("id", flat=True))


def find_stream(
    actor: Actor, conversation: Conversation, *, run_id: str | None, otid: str | None
) -> str:
    """Return the id of the run whose stream is wanted: named, by otid, or the newest active one.

    Raises Invalid when there is none.
    """
    rows = Run.objects.of(actor).filter(conversation_id=conversation.pk)
    if run_id:
        rows = rows.filter(pk=run_id)
    elif otid:
        rows = rows.filter(otid=otid)
    else:
        rows = rows.filter(status__in=ACTIVE)
    found = rows.order_by("-seq").values_list("id", flat=True).first()
    if found is None:
        raise Invalid("No active runs found for this conversation.")
    return str(found)


def _begin(actor: Actor, agent: Agent, conversation: Conversation) -> None:
    conversation.system_message_id = new_id("message")
    conversation.created_by_id = conversation.last_updated_by_id = actor.id
    conversation.save(force_insert=True)
    first = MessageValue(conversation.system_message_id, "system", now())
    store_messages(
        number([first], agent), agent=agent, conversation_id=conversation.id, actor=actor
    )
    Agent.objects.filter(pk=agent.pk).update(last_seq=agent.last_seq)
    blocks = block_views(agent.id, conversation.isolated_block_ids)
    refresh_prompt(agent, conversation, blocks, force=True)


def _isolate(actor: Actor, blocks: Iterable[BlockView], labels: tuple[str, ...]) -> list[str]:
    """Copy the blocks with these labels and return the ids of the copies."""
    known = {block.label: block.id for block in blocks}
    unknown = [label for label in labels if label not in known]
    if unknown:
        raise Invalid(f"The agent has no block labelled {', '.join(unknown)}.")
    return [_copy(actor, known[label]) for label in dict.fromkeys(labels)]


def _copy(actor: Actor, block_id: str) -> str:
    block = Block.objects.get(pk=block_id)
    copied = create_block(
        actor,
        label=block.label,
        value=block.value,
        limit=block.limit,
        description=block.description,
        read_only=block.read_only,
    )
    return str(copied.id)


def _check_model(actor: Actor, handle: str | None) -> None:
    if handle is not None:
        check_handle(actor, handle)  # may ask a provider: not within a transaction


def _sweep(agent_id: str) -> None:
    """Delete hidden conversations that no other one reads from."""
    while True:
        rows = list(Conversation.objects.filter(agent_id=agent_id))
        wanted = {parent[0] for row in rows for parent in row.lineage}
        free = [row for row in rows if row.deleted_at and row.id not in wanted]
        if not free:
            return
        for row in free:
            drop(list(Message.objects.filter(conversation=row).values_list("id", flat=True)))
            Block.objects.filter(pk__in=row.isolated_block_ids).delete()
            row.delete()
