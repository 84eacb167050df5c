"""The telephone to every OpenAI-compatible server."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import openai
from django.conf import settings
from openai import AsyncOpenAI, AsyncStream

from agents.engine.ports import ChatRequest, Reply, ReplyDelta
from agents.llm.base import ModelEntry
from agents.llm.dialects import dialect_of
from agents.llm.faults import (
    Lost,
    Unusable,
    broken_off,
    complaint_of,
    is_overflow,
    not_configured,
    overflow,
    translate,
    unusable,
)
from agents.llm.finish import Hearing, made_reply
from agents.llm.retrying import Attempts, Concessions
from agents.llm.to_openai import build_body
from agents.types import Json
from letta_site.core.openai_client import async_client

_PATH = "/chat/completions"
_REFUSED = (400, 422)


class OpenAIChat:
    """Asks one model of one provider."""

    def __init__(self, model: ModelEntry) -> None:
        self.model = model
        self.dialect = dialect_of(model.provider.provider_type, model.provider.base_url)
        self._concessions = Concessions()

    async def ask(self, request: ChatRequest) -> AsyncGenerator[ReplyDelta | Reply, None]:
        """See the LLM port. A try that failed after its first piece is called off by `restart`."""
        if not self.model.provider.configured:
            raise not_configured(self.model)
        body = build_body(request, self.model.name, self.dialect)
        attempts = Attempts(body, lost_left=settings.LLM_TRIES - 1)
        started = time.monotonic_ns()
        while True:
            hearing = Hearing.of(request, self.dialect)
            async with aclosing(self._try(attempts, hearing)) as pieces:
                async for piece in pieces:
                    hearing.ttft_ns = hearing.ttft_ns or time.monotonic_ns() - started
                    yield piece
            if hearing.done:
                break
            if hearing.ttft_ns:
                yield ReplyDelta(restart=True)
            await asyncio.sleep(attempts.wait_s)
        reply = made_reply(request, self.model, attempts.body, hearing)
        for piece in hearing.late_pieces(reply):
            yield piece
        yield reply

    async def _try(self, attempts: Attempts, hearing: Hearing) -> AsyncGenerator[ReplyDelta, None]:
        """Ask once. Leaves `hearing.done` False when it is worth asking again."""
        attempts.body = self._concessions.apply(attempts.body)
        attempts.wait_s = 0.0
        try:
            async with aclosing(self._listen(attempts.body, hearing)) as pieces:
                async for piece in pieces:
                    yield piece
        except (Lost, Unusable) as fault:
            self._judge(fault, attempts)
        except openai.APIStatusError as error:
            self._concede(error, attempts.body)
        except openai.OpenAIError as error:
            raise translate(error, self.model) from error
        else:
            hearing.done = not (hearing.buffer.is_empty and attempts.after_nothing())

    def _judge(self, fault: Lost | Unusable, attempts: Attempts) -> None:
        """Raise LLMError unless it is worth asking again."""
        if is_overflow(str(fault)):
            raise overflow(self.model, str(fault)) from fault
        if attempts.after(fault):
            return
        if isinstance(fault, Lost):
            raise broken_off(self.model, fault) from fault
        raise unusable(self.model, str(fault)) from fault

    def _concede(self, error: openai.APIStatusError, body: Json) -> None:
        """Raise LLMError unless the server only refused something that can be left out."""
        failure = translate(error, self.model)
        refusal = error.status_code in _REFUSED and failure.kind != "llm_context_window"
        if not (refusal and self._concessions.learn(body, complaint_of(error))):
            raise failure from error

    async def _listen(self, body: Json, hearing: Hearing) -> AsyncGenerator[ReplyDelta, None]:
        provider = self.model.provider
        client = async_client(provider.base_url, provider.api_key)
        try:
            if not body.get("stream"):
                await _whole(client, body, hearing)
                return
            async with aclosing(_stream(client, body, hearing)) as pieces:
                async for piece in pieces:
                    yield piece
        except (ValueError, RecursionError) as error:
            raise Unusable(f"What came is not JSON: {error}") from error


async def _whole(client: AsyncOpenAI, body: Json, hearing: Hearing) -> None:
    # `post` rather than `chat.completions.create`, so that the bytes sent are ours to record, and
    # `object` rather than the SDK's classes, which would trip over what is not as it should be.
    answer: Any = await client.post(_PATH, body=body, cast_to=object)
    if not isinstance(answer, dict) or answer.get("error") or not hearing.buffer.add_whole(answer):
        raise Unusable(f"The answer was: {str(answer)[:1000]!r}")


async def _stream(
    client: AsyncOpenAI, body: Json, hearing: Hearing
) -> AsyncGenerator[ReplyDelta, None]:
    stream: AsyncStream[Any] = await client.post(
        _PATH, body=body, cast_to=object, stream=True, stream_cls=AsyncStream[object]
    )
    try:
        async with stream:
            async for chunk in stream:
                for delta in hearing.hear(chunk):
                    yield delta
    except openai.APITimeoutError as error:
        raise Lost("It fell silent in the middle of its answer.", slow=True) from error
    except openai.APIConnectionError as error:
        raise Lost(str(error.__cause__ or error)) from error
    except openai.APIError as error:
        raise Unusable(f"An error instead of an answer: {complaint_of(error)[:1000]}") from error
    hearing.check_end()
