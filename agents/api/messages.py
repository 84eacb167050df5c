"""Messages of all agents: /v1/messages."""

from django.http import HttpRequest
from ninja import Query

from agents.api.routers import messages_router as router
from agents.engine.strategies import strategy_of
from agents.services import message_lists
from agents.types import Json
from agents.wire.ids import MessageId
from agents.wire.messages import View, encode_history
from agents.wire.queries import MessageConditions
from letta_site.core.paging import Page


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
    return conditions.view(text_is_reply=strategy_of(agent_type).reply == "text")


@router.get("/{message_id}")
def get_message(request: HttpRequest, message_id: MessageId) -> list[Json]:
    message, agent_type = message_lists.get_message(request.auth, message_id)
    return encode_history([message], View(text_is_reply=strategy_of(agent_type).reply == "text"))
