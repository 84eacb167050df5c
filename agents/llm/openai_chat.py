"""The telephone to every OpenAI-compatible server."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import openai
from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from agents.engine.ports import ChatRequest, Reply, ReplyDelta
from agents.llm.base import ModelEntry
from agents.llm.parse_reply import ReplyBuffer
from agents.llm.to_openai import build_body, sent_parts
from agents.types import Json
from letta_site.core.errors import LLMError
from letta_site.core.openai_client import async_client

_OVERFLOW_MARKS = ("context_length_exceeded", "maximum context length", "context window")


class OpenAIChat:
    """Asks one model of one provider."""

    def __init__(self, model: ModelEntry) -> None:
        self.model = model

    async def ask(self, request: ChatRequest) -> AsyncGenerator[ReplyDelta | Reply, None]:
        """See the LLM port."""
        provider = self.model.provider
        if not provider.configured:
            raise _not_configured(self.model)
        client = async_client(provider.base_url, provider.api_key)
        body = build_body(request, self.model.name)
        buffer, started, ttft = ReplyBuffer(), time.monotonic_ns(), None
        try:
            if request.stream:
                async with aclosing(_stream(client, body, buffer)) as pieces:
                    async for piece in pieces:
                        ttft = ttft or time.monotonic_ns() - started
                        yield piece
            else:
                await _whole(client, body, buffer)
        except openai.OpenAIError as error:
            raise _translate(error, self.model) from error
        yield self._reply(buffer, body, ttft)

    def _reply(self, buffer: ReplyBuffer, body: Json, ttft: int | None) -> Reply:
        if not (buffer.text or buffer.calls or buffer.reasoning or buffer.finish_reason):
            raise LLMError(
                "llm_empty_response",
                f"{self.model.provider.name} sent an answer with nothing in it.",
                todo="Send the message again, or try another model.",
            )
        return Reply(
            text=buffer.text,
            reasoning=buffer.reasoning,
            tool_calls=buffer.tool_calls(),
            finish_reason=buffer.finish_reason,
            usage=buffer.usage,
            model=buffer.model or self.model.name,
            provider_name=self.model.provider.name,
            endpoint=self.model.provider.base_url,
            sent=sent_parts(body),
            raw=buffer.raw(),
            ttft_ns=ttft,
        )


async def _whole(client: AsyncOpenAI, body: Json, buffer: ReplyBuffer) -> None:
    # `post` rather than `chat.completions.create`, so that the bytes sent are ours to record.
    completion = await client.post("/chat/completions", body=body, cast_to=ChatCompletion)
    buffer.add_whole(completion.to_dict() if isinstance(completion, ChatCompletion) else {})


async def _stream(
    client: AsyncOpenAI, body: Json, buffer: ReplyBuffer
) -> AsyncGenerator[ReplyDelta, None]:
    stream = await client.post(
        "/chat/completions",
        body=body,
        cast_to=ChatCompletion,
        stream=True,
        stream_cls=AsyncStream[ChatCompletionChunk],
    )
    async with stream:
        async for chunk in stream:
            for delta in buffer.add_chunk(chunk.to_dict()):
                yield delta


def _not_configured(model: ModelEntry) -> LLMError:
    provider = model.provider
    return LLMError(
        "llm_authentication",
        f"No key for provider {provider.name!r}, which {model.handle} needs.",
        todo=f"Set {provider.key_hint} in the server's environment, add the provider with its key "
        "in the admin, or give the agent another model.",
    )


def _translate(error: openai.OpenAIError, model: ModelEntry) -> LLMError:
    name = f"{model.provider.name} ({model.handle})"
    if isinstance(error, openai.APITimeoutError):
        return LLMError("llm_timeout", f"{name} did not answer in time.", detail=str(error))
    if isinstance(error, openai.APIConnectionError):
        return LLMError(
            "llm_error",
            f"{name} cannot be reached at {model.provider.base_url}.",
            todo="Check that its server runs and that its URL is right.",
            detail=str(error),
        )
    if isinstance(error, openai.APIStatusError):
        return _from_status(error, name)
    return LLMError("llm_error", f"{name} sent something unusable.", detail=str(error))


def _from_status(error: openai.APIStatusError, name: str) -> LLMError:
    detail = _message_of(error)
    if any(mark in detail.lower() for mark in _OVERFLOW_MARKS):
        return LLMError("llm_context_window", f"{name}: the prompt is too long.", detail=detail)
    kind, what, todo = _STATUS.get(error.status_code, _OTHER)
    if "insufficient_quota" in detail:
        kind, what, todo = _STATUS[402]
    return LLMError(kind, f"{name} {what} (HTTP {error.status_code}).", todo=todo, detail=detail)


def _message_of(error: openai.APIStatusError) -> str:
    body: Any = error.body
    if isinstance(body, dict):
        return f"{body.get('code') or ''} {body.get('message') or error.message}".strip()
    return error.message


_OTHER = ("llm_error", "failed", "Try again; if it goes on, look at the provider's own log.")
_STATUS: dict[int, tuple[str, str, str]] = {
    400: ("llm_bad_request", "refused the request", "See detail for the provider's reason."),
    401: ("llm_authentication", "refused the key", "Check the provider's API key."),
    402: ("llm_insufficient_credits", "has no credit left", "Add credit at the provider."),
    403: ("llm_error", "forbids this call", "Check what the key may do."),
    404: ("llm_error", "does not know this model", "Choose another model for the agent."),
    408: ("llm_timeout", "did not answer in time", "Try again."),
    409: ("llm_bad_request", "refused the request", "See detail for the provider's reason."),
    429: ("llm_rate_limit", "limits the rate of calls", "Wait, then send again."),
}
