"""The window of an agent: /v1/agents/{agent_id}/summarize and /compactions."""

from django.http import HttpRequest

from agents.api.routers import agents_router as router
from agents.runtime.compactions import compact_now
from agents.services import agent_boot, compactions
from agents.types import Json
from agents.wire.agent_requests import CompactionRequest
from agents.wire.contexts import encode_compacted, encode_compaction
from agents.wire.ids import AgentId
from letta_site.core.aio import in_db


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
