"""Messages of a conversation: /v1/conversations/{conversation_id}/messages."""

from dataclasses import replace

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query

from agents.api.answering import Answer, answer, resume, stream
from agents.api.routers import conversations_router as router
from agents.engine.strategies import strategy_of
from agents.services import conversations, message_lists, previews, run_events
from agents.types import Json
from agents.wire.conversations import ConversationId, ConversationMessageRequest
from agents.wire.messages import encode_history
from agents.wire.queries import MessageConditions
from agents.wire.requests import run_input
from agents.wire.run_requests import RetrieveStreamRequest
from letta_site.core.aio import in_db
from letta_site.core.paging import Page


@router.get("/{conversation_id}/messages")
def list_messages(
    request: HttpRequest,
    conversation_id: ConversationId,
    conditions: Query[MessageConditions],
    page: Query[Page],
    agent_id: str | None = None,
) -> list[Json]:
    """List them in the order asked for; those of an agent itself as `/v1/agents` does."""
    here = conversations.find_conversation(request.auth, conversation_id, agent_id=agent_id)
    query, group_id = page.query(limit=100), conditions.group_id
    if here.is_default:
        wanted = message_lists.HistoryFilter(group_id=group_id)
        found = message_lists.list_messages(
            request.auth, agent_id=here.agent_id, query=query, wanted=wanted
        )
    else:
        found = message_lists.list_conversation_messages(here, query=query, group_id=group_id)
    text_is_reply = strategy_of(here.agent.agent_type).reply == "text"
    return encode_history(found, conditions.view(text_is_reply=text_is_reply))


@router.post("/{conversation_id}/messages")
async def send_message(
    request: HttpRequest, conversation_id: ConversationId, given: ConversationMessageRequest
) -> Answer:
    given.check_flags()
    here = await in_db(
        conversations.find_conversation, request.auth, conversation_id, agent_id=given.agent_id
    )
    kind = "send_conversation_message"
    wanted = run_input(here.agent_id, given, run_type=kind, when_busy="reject")
    wanted = replace(wanted, conversation_id=here.id)
    if given.streaming:
        return await stream(request, wanted, pings=given.include_pings)
    return await answer(request, wanted)


@router.post("/{conversation_id}/messages/preview-raw-payload")
def preview(
    request: HttpRequest, conversation_id: ConversationId, given: ConversationMessageRequest
) -> Json:
    here = conversations.find_conversation(request.auth, conversation_id, agent_id=given.agent_id)
    wanted = run_input(here.agent_id, given, run_type="preview")
    return previews.preview_request(request.auth, wanted, conversation=here)


@router.post("/{conversation_id}/stream")
async def retrieve_stream(
    request: HttpRequest,
    conversation_id: ConversationId,
    given: RetrieveStreamRequest | None = None,
) -> StreamingHttpResponse:
    wanted = given or RetrieveStreamRequest()

    def look() -> str:
        here = conversations.find_conversation(
            request.auth, conversation_id, agent_id=wanted.agent_id
        )
        return conversations.find_stream(request.auth, here, run_id=wanted.run_id, otid=wanted.otid)

    run = await in_db(run_events.readable_run, request.auth, await in_db(look))
    return await resume(request, run, given)
