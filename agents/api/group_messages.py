"""Messages of a group: /v1/groups/{group_id}/messages."""

from contextlib import aclosing

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query

from agents.api.answering import checked, streaming
from agents.api.editing import edit
from agents.api.routers import groups_router as router
from agents.engine.events import RunFinished
from agents.engine.strategies import strategy_of
from agents.runtime import groups
from agents.services import group_talks
from agents.services.group_talks import Company, Speaker
from agents.types import Json
from agents.wire.callers import caller_of
from agents.wire.encode import encode_response
from agents.wire.group_answers import GroupEar, GroupEncoder, Voice, encode_talk
from agents.wire.ids import GroupId, MessageId
from agents.wire.message_edits import MessageEdit
from agents.wire.queries import MessageConditions
from agents.wire.requests import LettaRequest, LettaStreamingRequest, run_input
from agents.wire.results import view_of_config
from agents.wire.sse import StreamOptions, write_stream
from letta_site.core.aio import in_db
from letta_site.core.errors import LLMError
from letta_site.core.paging import Page

RUN_TYPE = "send_message_to_group"


def _reads_text(speaker: Speaker) -> bool:
    return strategy_of(speaker.agent_type).reply == "text"


@router.get("/{group_id}/messages")
def list_group_messages(
    request: HttpRequest,
    group_id: GroupId,
    conditions: Query[MessageConditions],
    page: Query[Page],
) -> list[Json]:
    found = group_talks.list_group_messages(request.auth, group_id, query=page.query(limit=10))
    views = {text: conditions.view(text_is_reply=text) for text in (True, False)}
    return encode_talk(
        (Voice(one.agent_id, one.name, views[_reads_text(one)]), message) for one, message in found
    )


async def _begin(
    request: HttpRequest, group_id: str, given: LettaRequest
) -> tuple[GroupEar, GroupEncoder]:
    company = await in_db(group_talks.load_company, request.auth, group_id)
    wish = await checked(request.auth, run_input("", given, run_type=RUN_TYPE))
    tokens = bool(getattr(given, "stream_tokens", False))
    encoder = GroupEncoder(group_id, _voices(company, wish.request_config), tokens)
    return GroupEar(await groups.send(request.auth, company, wish), encoder), encoder


def _voices(company: Company, config: Json) -> dict[str, Voice]:
    return {
        one.agent_id: Voice(
            one.agent_id, one.name, view_of_config(config, agent_type=one.agent_type)
        )
        for one in company.speakers
    }


@router.post("/{group_id}/messages")
async def send_group_message(request: HttpRequest, group_id: GroupId, given: LettaRequest) -> Json:
    ear, encoder = await _begin(request, group_id, given)
    frames: list[Json] = []
    async with aclosing(ear):
        async for _, event in ear:
            frames += encoder.frames(event)
            if isinstance(event, RunFinished):
                break
    if failed := event.failure:
        raise LLMError(failed.kind, failed.message, todo=failed.todo, detail=failed.detail)
    return encode_response(frames, event)


@router.post("/{group_id}/messages/stream")
async def send_group_message_streaming(
    request: HttpRequest, group_id: GroupId, given: LettaStreamingRequest
) -> StreamingHttpResponse:
    ear, encoder = await _begin(request, group_id, given)
    # The old clients' type of this stream knows neither pings nor stop reasons: npm 0.1 throws.
    new = not caller_of(request.headers).old
    options = StreamOptions(pings=given.include_pings and new, error_event=new, stops=new)
    return streaming(write_stream(ear, encoder, options))


# Last: any word in its place would match.
@router.patch("/{group_id}/messages/{message_id}")
def modify_group_message(
    request: HttpRequest, group_id: GroupId, message_id: MessageId, given: MessageEdit
) -> Json:
    agent_id = group_talks.keeper_of_message(request.auth, group_id, message_id)
    return edit(request.auth, agent_id, message_id, given)
