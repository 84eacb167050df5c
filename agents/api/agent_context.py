"""The window of an agent: /v1/agents/{agent_id}/context/request, /summarize, /compactions."""

from django.http import HttpRequest

from agents.api.routers import agents_router as router
from agents.runtime.compactions import compact_now
from agents.services import agent_boot, compactions
from agents.services.next_requests import get_next_request
from agents.services.previews import WhatIf
from agents.types import Json
from agents.wire.agent_requests import CompactionRequest
from agents.wire.contexts import encode_compacted, encode_compaction
from agents.wire.ids import AgentId
from agents.wire.next_requests import NextRequestQuery, encode_next_request
from letta_site.core.aio import in_db


@router.post("/{agent_id}/context/request")
def show_next_request(
    request: HttpRequest, agent_id: AgentId, given: NextRequestQuery | None = None
) -> Json:
    """Show the exact next request, in labelled sections with their tokens; nothing is sent.

    With it: what would leave the window next and at which size, and where the provider's cache of
    the latest request would break. A draft and what-if changes may be given.
    """
    query = given or NextRequestQuery()
    tried = query.what_if
    what_if = WhatIf(
        tried.system, tried.context_window_limit, tuple(tried.without_tools), tried.blocks
    )
    ahead = get_next_request(request.auth, query.run_input(agent_id), what_if=what_if)
    return encode_next_request(ahead)


@router.get("/{agent_id}/context/request")
def get_request_ahead(
    request: HttpRequest, agent_id: AgentId, conversation_id: str | None = None
) -> Json:
    """Show what the agent's next request holds before anything is said."""
    query = NextRequestQuery(conversation_id=conversation_id)
    return encode_next_request(get_next_request(request.auth, query.run_input(agent_id)))


@router.post("/{agent_id}/summarize")
async def summarize(
    request: HttpRequest,
    agent_id: AgentId,
    given: CompactionRequest | None = None,
    max_message_length: int | None = None,
) -> Json:
    # Old clients send `max_message_length`, which names no setting that is left.
    changes = given.changes() if given else {}
    conversation = await in_db(agent_boot.default_conversation, request.auth, agent_id)
    done = await compact_now(request.auth, conversation, changes)
    return encode_compacted(done.summary, done.messages_before, done.messages_after)


@router.get("/{agent_id}/compactions")
def list_compactions(request: HttpRequest, agent_id: AgentId) -> list[Json]:
    return [encode_compaction(one) for one in compactions.list_compactions(request.auth, agent_id)]


@router.post("/{agent_id}/compactions/{number}/undo")
def undo_compaction(request: HttpRequest, agent_id: AgentId, number: int) -> Json:
    return encode_compaction(compactions.undo_compaction(request.auth, agent_id, number))
