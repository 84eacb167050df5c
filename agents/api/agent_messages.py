"""Messages of an agent: /v1/agents/{agent_id}/messages."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query
from ninja.errors import HttpError

from agents.api.routers import agents_router as router
from agents.engine.events import RunFinished
from agents.engine.strategies import strategy_of
from agents.runtime import runner
from agents.runtime.bus import subscribe
from agents.services import agent_boot, agents, message_lists, previews, resends, runs
from agents.types import Json, RunInput, RunRef, Usage
from agents.wire.agents import encode_agent
from agents.wire.callers import caller_of
from agents.wire.encode import FrameEncoder, encode_response
from agents.wire.ids import AgentId, MessageId
from agents.wire.messages import View, encode_history
from agents.wire.queries import MessageConditions, Page
from agents.wire.requests import (
    CancelAgentRunRequest,
    LettaAsyncRequest,
    LettaRequest,
    LettaStreamingRequest,
    ResetMessagesRequest,
    run_input,
    view_of,
)
from agents.wire.runs import encode_run
from agents.wire.sse import Ear, Replayed, StreamOptions, write_stream
from letta_site.core.aio import in_db
from letta_site.core.errors import LLMError
from letta_site.core.types import Actor

NOT_ALLOWED = 405
Answer = Json | StreamingHttpResponse


@router.get("/{agent_id}/messages")
def list_messages(
    request: HttpRequest,
    agent_id: AgentId,
    conditions: Query[MessageConditions],
    page: Query[Page],
) -> list[Json]:
    agent_type = message_lists.agent_type_of(request.auth, agent_id)
    found = message_lists.list_messages(
        request.auth,
        agent_id=agent_id,
        query=page.query(limit=100),
        wanted=message_lists.HistoryFilter(conditions.conversation_id, conditions.group_id),
    )
    view = conditions.view(text_is_reply=strategy_of(agent_type).reply == "text")
    return encode_history(found, view)


@router.post("/{agent_id}/messages")
async def send_message(
    request: HttpRequest, agent_id: AgentId, given: LettaStreamingRequest
) -> Answer:
    given.check_flags()
    if given.streaming:
        return await _stream(request, agent_id, given)
    return await _answer(request, agent_id, given)


@router.post("/{agent_id}/messages/stream")
async def send_message_streaming(
    request: HttpRequest, agent_id: AgentId, given: LettaStreamingRequest
) -> StreamingHttpResponse:
    return await _stream(request, agent_id, given)


@router.post("/{agent_id}/messages/async")
async def send_message_async(
    request: HttpRequest, agent_id: AgentId, given: LettaAsyncRequest
) -> Json:
    wanted = run_input(agent_id, given, run_type="send_message_async")
    ref = await _joined(request, wanted) or await runner.accept(request.auth, wanted)
    return encode_run(await in_db(runs.get_run, request.auth, ref.run_id))


@router.post("/{agent_id}/messages/cancel")
async def cancel(
    request: HttpRequest, agent_id: AgentId, given: CancelAgentRunRequest | None = None
) -> Json:
    await in_db(message_lists.agent_type_of, request.auth, agent_id)
    return await runner.cancel_runs(request.auth, agent_id, given.run_ids if given else None)


@router.post("/{agent_id}/messages/preview-raw-payload")
def preview(request: HttpRequest, agent_id: AgentId, given: LettaStreamingRequest) -> Json:
    wanted = run_input(agent_id, given, run_type="preview")
    return previews.preview_request(request.auth, wanted)


@router.patch("/{agent_id}/messages/{message_id}")
def modify_message(request: HttpRequest, agent_id: AgentId, message_id: MessageId) -> Json:
    raise HttpError(NOT_ALLOWED, "Messages cannot be changed: the history is append-only.")


@router.patch("/{agent_id}/reset-messages")
def reset_messages(
    request: HttpRequest,
    agent_id: AgentId,
    add_default_initial_messages: bool = False,
    given: ResetMessagesRequest | None = None,
) -> Json:
    with_boot = add_default_initial_messages or bool(given and given.add_default_initial_messages)
    agent_boot.reset_messages(request.auth, agent_id, with_boot=with_boot)
    return encode_agent(agents.get_agent(request.auth, agent_id))


# --- two ways of answering -------------------------------------------------------------------


async def _view(actor: Actor, agent_id: str, given: LettaRequest) -> View:
    agent_type = await in_db(message_lists.agent_type_of, actor, agent_id)
    return view_of(given, text_is_reply=strategy_of(agent_type).reply == "text")


async def _joined(request: HttpRequest, wanted: RunInput) -> RunRef | None:
    """Return the run of the same request, if the client says that it sends it again."""
    if not caller_of(request.headers).resends or not wanted.resend_key:
        return None
    run = await in_db(resends.find_resent, request.auth, wanted.agent_id, wanted.resend_key)
    return RunRef(run.id, run.agent_id, run.conversation_id, run.org_id) if run else None


async def _open(request: HttpRequest, wanted: RunInput) -> tuple[RunRef, Ear]:
    ref = await _joined(request, wanted)
    if ref is None:
        return await runner.send(request.auth, wanted)
    ear = subscribe(ref.run_id)
    return ref, Replayed(await in_db(resends.replay, request.auth, ref.run_id), ref, ear)


async def _answer(request: HttpRequest, agent_id: str, given: LettaRequest) -> Json:
    wanted = run_input(agent_id, given, run_type="send_message")
    view = await _view(request.auth, agent_id, given)
    if given.max_steps < 1:
        return encode_response([], RunFinished("end_turn", Usage(), 0))
    ref, ear = await _open(request, wanted)
    encoder, frames = FrameEncoder(ref.run_id, view), []
    async with aclosing(ear):
        async for _, event in ear:
            frames += encoder.frames(event)
            if isinstance(event, RunFinished):
                break
    if event.failure:
        failed = event.failure
        raise LLMError(failed.kind, failed.message, todo=failed.todo, detail=failed.detail)
    return encode_response(frames, event)


async def _stream(
    request: HttpRequest, agent_id: str, given: LettaStreamingRequest
) -> StreamingHttpResponse:
    wanted = run_input(agent_id, given, run_type="send_message_streaming")
    view = await _view(request.auth, agent_id, given)
    ref, ear = await _open(request, wanted)
    encoder = FrameEncoder(ref.run_id, view, tokens=given.stream_tokens)
    options = StreamOptions(
        pings=given.include_pings,
        error_event=not caller_of(request.headers).old,
        numbered=given.background,
    )
    return _streaming(write_stream(ear, encoder, options))


def _streaming(frames: AsyncIterator[bytes]) -> StreamingHttpResponse:
    response = StreamingHttpResponse(frames, content_type="text/event-stream")
    response["Cache-Control"] = "no-cache"
    response["X-Accel-Buffering"] = "no"
    return response
