"""Conversations: /v1/conversations."""

from django.http import HttpRequest
from ninja import Query

from agents.api.routers import conversations_router as router
from agents.models import Conversation
from agents.runtime import runner
from agents.runtime.compactions import compact_now
from agents.services import conversations
from agents.services.histories import window_ids
from agents.types import Json
from agents.wire.contexts import encode_compacted
from agents.wire.conversations import (
    ConversationCompaction,
    ConversationId,
    ConversationPage,
    CreateConversation,
    UpdateConversation,
    encode_conversation,
)
from agents.wire.ids import AgentId
from letta_site.core.aio import in_db
from letta_site.core.errors import Conflict


def _shown(*rows: Conversation) -> list[Json]:
    held = window_ids(rows)
    return [encode_conversation(row, held[row.id]) for row in rows]


@router.post("/")
def create_conversation(
    request: HttpRequest, agent_id: AgentId, given: CreateConversation | None = None
) -> Json:
    given = given or CreateConversation()
    draft = conversations.ConversationDraft(
        title=given.summary,
        model=given.model,
        model_settings=given.model_settings,
        isolated_labels=tuple(given.isolated_block_labels or ()),
    )
    return _shown(conversations.create_conversation(request.auth, agent_id, draft))[0]


@router.get("/")
def list_conversations(request: HttpRequest, page: Query[ConversationPage]) -> list[Json]:
    found = conversations.list_conversations(
        request.auth, query=page.query(limit=50), agent_id=page.agent_id, text=page.summary_search
    )
    return _shown(*found)


@router.get("/{conversation_id}")
def get_conversation(
    request: HttpRequest, conversation_id: ConversationId, agent_id: str | None = None
) -> Json:
    found = conversations.find_conversation(request.auth, conversation_id, agent_id=agent_id)
    return _shown(found)[0]


@router.patch("/{conversation_id}")
def update_conversation(
    request: HttpRequest, conversation_id: ConversationId, given: UpdateConversation
) -> Json:
    changed = conversations.update_conversation(request.auth, conversation_id, given.changes())
    return _shown(changed)[0]


@router.delete("/{conversation_id}")
def delete_conversation(request: HttpRequest, conversation_id: ConversationId) -> None:
    conversations.delete_conversation(request.auth, conversation_id)


@router.post("/{conversation_id}/fork")
def fork_conversation(
    request: HttpRequest, conversation_id: ConversationId, agent_id: str | None = None
) -> Json:
    forked = conversations.fork_conversation(request.auth, conversation_id, agent_id=agent_id)
    return _shown(forked)[0]


@router.post("/{conversation_id}/cancel")
async def cancel_conversation(
    request: HttpRequest, conversation_id: ConversationId, agent_id: str | None = None
) -> Json:
    def look() -> tuple[str, list[str]]:
        found = conversations.find_conversation(request.auth, conversation_id, agent_id=agent_id)
        return found.agent_id, conversations.active_runs(found)

    owner_id, run_ids = await in_db(look)
    if not run_ids:
        raise Conflict("No active runs to cancel for this conversation.")
    return await runner.cancel_runs(request.auth, owner_id, run_ids)


@router.post("/{conversation_id}/recompile")
def recompile_conversation(
    request: HttpRequest,
    conversation_id: ConversationId,
    dry_run: bool = False,
    given: ConversationCompaction | None = None,
) -> str:
    agent_id = given.agent_id if given else None
    found = conversations.find_conversation(request.auth, conversation_id, agent_id=agent_id)
    return conversations.recompile_conversation(found, dry_run=dry_run)


@router.post("/{conversation_id}/compact")
async def compact_conversation(
    request: HttpRequest,
    conversation_id: ConversationId,
    given: ConversationCompaction | None = None,
) -> Json:
    wanted = given or ConversationCompaction()
    found = await in_db(
        conversations.find_conversation, request.auth, conversation_id, agent_id=wanted.agent_id
    )
    done = await compact_now(request.auth, found, wanted.changes())
    return encode_compacted(done.summary, done.messages_before, done.messages_after)
