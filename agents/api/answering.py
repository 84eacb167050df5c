"""The ways in which every route that sends messages answers. No operations here."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace

from django.http import HttpRequest, StreamingHttpResponse

from agents.engine.approvals import PENDING, PendingApproval
from agents.engine.events import Event, RunFinished
from agents.models import Run
from agents.runtime import recording, runner
from agents.runtime.ears import Ear
from agents.runtime.pictures import with_pictures
from agents.services import agent_models, message_lists, runs
from agents.types import Json, RunInput, RunRef, Usage
from agents.wire.callers import caller_of
from agents.wire.encode import FrameEncoder, encode_response
from agents.wire.messages import View
from agents.wire.results import view_of_config
from agents.wire.run_requests import RetrieveStreamRequest
from agents.wire.runs import encode_run
from agents.wire.sse import StreamOptions, write_stream
from letta_site.core.aio import in_db
from letta_site.core.errors import LLMError
from letta_site.core.types import Actor

Answer = Json | StreamingHttpResponse


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that was accepted, or that joined the run it led to before."""

    ref: RunRef
    ear: Ear
    view: View


async def answer(request: HttpRequest, wanted: RunInput) -> Json:
    """Carry out a request and return the whole answer. Raises LLMError when the run failed."""
    if wanted.max_steps < 1:
        await in_db(message_lists.agent_type_of, request.auth, wanted.agent_id)
        return encode_response([], RunFinished("end_turn", Usage(), 0))
    sent = await _send(request, wanted)
    frames, end = await _collect(sent)
    if end.failure:
        failed = end.failure
        if failed.kind == PENDING:
            raise PendingApproval(failed.detail)
        raise LLMError(failed.kind, failed.message, todo=failed.todo, detail=failed.detail)
    return encode_response(frames, end)


async def stream(
    request: HttpRequest, wanted: RunInput, *, pings: bool = True
) -> StreamingHttpResponse:
    """Carry out a request and return the stream of what happens."""
    sent = await _send(request, wanted)
    tokens = wanted.stream_tokens
    if sent.ref.background:
        # Every reader of a numbered stream gets the frames that its first sender asked for.
        run = await in_db(runs.get_run, request.auth, sent.ref.run_id)
        return await _numbered(request, run, sent.ear, RetrieveStreamRequest(include_pings=pings))
    encoder = FrameEncoder(sent.ref.run_id, sent.view, tokens=tokens)
    options = StreamOptions(pings=pings, error_event=not caller_of(request.headers).old)
    return streaming(write_stream(sent.ear, encoder, options))


async def accept(request: HttpRequest, wanted: RunInput) -> Json:
    """Queue a request and return its run at once."""
    ref = await runner.accept(request.auth, await _ready(request, wanted))
    return encode_run(await in_db(runs.get_run, request.auth, ref.run_id))


async def resume(
    request: HttpRequest, run: Run, wanted: RetrieveStreamRequest | None
) -> StreamingHttpResponse:
    """Return the stream of a background run from where a reader left it."""
    ear = await recording.follow(run)
    return await _numbered(request, run, ear, wanted or RetrieveStreamRequest())


async def _numbered(
    request: HttpRequest, run: Run, ear: Ear, wanted: RetrieveStreamRequest
) -> StreamingHttpResponse:
    agent_type = await in_db(message_lists.agent_type_of, request.auth, run.agent_id)
    view = view_of_config(run.request_config, agent_type=agent_type)
    encoder = FrameEncoder(run.id, view, tokens=bool(run.options.get("stream_tokens")))
    options = StreamOptions(
        pings=wanted.include_pings is not False,
        error_event=not caller_of(request.headers).old,
        numbered=True,
        starting_after=wanted.starting_after,
    )
    return streaming(write_stream(ear, encoder, options))


async def _send(request: HttpRequest, wanted: RunInput) -> Sent:
    agent_type = await in_db(message_lists.agent_type_of, request.auth, wanted.agent_id)
    view = view_of_config(wanted.request_config, agent_type=agent_type)
    ref, ear = await runner.send(request.auth, await _ready(request, wanted))
    return Sent(ref, ear, view)


async def _ready(request: HttpRequest, wanted: RunInput) -> RunInput:
    """Return the request with its pictures and with what the headers say about resends."""
    caller = caller_of(request.headers)
    whole = await checked(request.auth, wanted)
    return replace(whole, resends=caller.resends, idempotency_key=caller.idempotency_key)


async def checked(actor: Actor, wanted: RunInput) -> RunInput:
    """Return a request with its pictures. Raises Invalid or NotFound for what it cannot have."""
    if wanted.override_model:
        await in_db(agent_models.check_handle, actor, wanted.override_model)
    return await with_pictures(wanted)


async def _collect(sent: Sent) -> tuple[list[Json], RunFinished]:
    encoder, frames = FrameEncoder(sent.ref.run_id, sent.view), []
    event: Event | None = None
    async with aclosing(sent.ear):
        async for _, event in sent.ear:
            frames += encoder.frames(event)
            if isinstance(event, RunFinished):
                return frames, event
    raise RuntimeError(f"The run {sent.ref.run_id} fell silent after {event!r}.")


def streaming(frames: AsyncIterator[bytes]) -> StreamingHttpResponse:
    """Return frames as a response that nothing on the way holds back."""
    response = StreamingHttpResponse(frames, content_type="text/event-stream")
    response["Cache-Control"] = "no-cache"
    response["X-Accel-Buffering"] = "no"
    return response
