"""Messages of all agents: /v1/messages, and /v1/agents/messages/search for older clients."""

from django.http import HttpRequest
from ninja import Query

from agents.api.routers import agents_router
from agents.api.routers import messages_router as router
from agents.engine.strategies import strategy_of
from agents.services import message_lists
from agents.services.message_search import FoundMessage, MessageSearch, find_messages, plan_search
from agents.services.messages import to_type
from agents.types import Json
from agents.wire.ids import MessageId
from agents.wire.message_search import (
    MessageSearchRequest,
    SearchAllMessagesRequest,
    encode_found,
    encode_scored,
)
from agents.wire.messages import View, encode_history
from agents.wire.queries import MessageConditions
from letta_site.core.aio import in_db
from letta_site.core.paging import Page
from letta_site.core.types import Actor
from memory.runtime.queries import with_vector


@router.get("/")
def list_messages(
    request: HttpRequest, conditions: Query[MessageConditions], page: Query[Page]
) -> list[Json]:
    found = message_lists.list_all_messages(
        request.auth, query=page.query(limit=100), conversation_id=conditions.conversation_id
    )
    return [
        shown
        for message, agent_type in found
        for shown in encode_history([message], _view(conditions, agent_type))
    ]


def _view(conditions: MessageConditions, agent_type: str) -> View:
    return conditions.view(text_is_reply=_speaks_by_text(agent_type))


def _speaks_by_text(agent_type: str) -> bool:
    return strategy_of(agent_type).reply == "text"


@router.post("/search")
async def search_all_messages(request: HttpRequest, given: SearchAllMessagesRequest) -> list[Json]:
    shown = [
        encode_found(to_type(one.row), one.row, text_is_reply=_speaks_by_text(one.agent_type))
        for one in await _found(request.auth, MessageSearch(**given.fields()))
    ]
    return [one for one in shown if one is not None]


@agents_router.post("/messages/search")
async def search_messages(request: HttpRequest, given: MessageSearchRequest) -> list[Json]:
    found = await _found(request.auth, MessageSearch(**given.fields()))
    return [encode_scored(one.row, one.hit.text, one.hit.why) for one in found]


async def _found(actor: Actor, wanted: MessageSearch) -> list[FoundMessage]:
    query, _ = await with_vector(await in_db(plan_search, actor, wanted))
    return await in_db(find_messages, actor, query)


@router.get("/{message_id}")
def get_message(request: HttpRequest, message_id: MessageId) -> list[Json]:
    message, agent_type = message_lists.get_message(request.auth, message_id)
    return encode_history([message], View(text_is_reply=_speaks_by_text(agent_type)))
