"""The telephone, to a real HTTP server that speaks OpenAI's language."""

import asyncio
import hashlib
import json

import pytest

from agents.engine.ports import ChatRequest, Reply, ReplyDelta
from agents.llm.base import ModelEntry
from agents.llm.openai_chat import OpenAIChat
from agents.llm.to_openai import encode
from agents.types import Message, ModelParams, TextPart, ToolSpec, Transcript
from letta_site.core.clock import now
from letta_site.core.errors import LLMError
from letta_site.core.providers import ProviderEntry
from tests.fakes.openai_replies import Call, Failure, error_body
from tests.fakes.openai_replies import Reply as FakeReply
from tests.fakes.openai_replies import Usage as FakeUsage
from tests.fakes.openai_server import FakeOpenAI

LOOK = ToolSpec("look", "Look around.", {"type": "object", "properties": {}})


def phone(base_url: str, key: str = "sk-test") -> OpenAIChat:
    provider = ProviderEntry("", "openai", "openai", base_url, key, key_hint="OPENAI_API_KEY")
    return OpenAIChat(ModelEntry("openai/gpt-4o-mini", "gpt-4o-mini", provider, 128_000))


def question(*, stream: bool = False) -> ChatRequest:
    hello = Message("message-1", "user", now(), (TextPart("héllo"),), seq=2)
    return ChatRequest(
        ModelParams("openai/gpt-4o-mini"), Transcript("Be kind.", (hello,)), (LOOK,), stream=stream
    )


def ask(chat: OpenAIChat, request: ChatRequest) -> list[ReplyDelta | Reply]:
    async def collect() -> list[ReplyDelta | Reply]:
        return [piece async for piece in chat.ask(request)]

    return asyncio.run(collect())


def test_a_whole_answer(fake_openai: FakeOpenAI) -> None:
    fake_openai.push(FakeReply(text="Hi.", reasoning="Friendly.", usage=FakeUsage(30, 5)))
    (reply,) = ask(phone(fake_openai.base_url), question())
    assert isinstance(reply, Reply)
    assert (reply.text, reply.reasoning, reply.finish_reason) == ("Hi.", "Friendly.", "stop")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (30, 5)


@pytest.mark.parametrize("stream", [False, True])
def test_tool_calls_arrive_whole(fake_openai: FakeOpenAI, stream: bool) -> None:
    calls = [Call("look", {"at": "é" * 50}), Call("look", {})]
    fake_openai.push(FakeReply(calls=calls))
    *pieces, reply = ask(phone(fake_openai.base_url), question(stream=stream))
    assert isinstance(reply, Reply)
    assert [call.name for call in reply.tool_calls] == ["look", "look"]
    assert json.loads(reply.tool_calls[0].arguments) == {"at": "é" * 50}
    assert len({call.id for call in reply.tool_calls}) == 2
    deltas = [piece for piece in pieces if isinstance(piece, ReplyDelta)]
    assert bool(deltas) is stream
    told = "".join(piece.arguments for piece in deltas if piece.index == 0)
    assert told == (reply.tool_calls[0].arguments if stream else "")


def test_streamed_words_add_up_and_usage_is_the_providers(fake_openai: FakeOpenAI) -> None:
    fake_openai.push(FakeReply(text="one two three", usage=FakeUsage(7, 3)))
    *pieces, reply = ask(phone(fake_openai.base_url), question(stream=True))
    assert isinstance(reply, Reply)
    assert "".join(one.text for one in pieces if isinstance(one, ReplyDelta)) == "one two three"
    assert reply.usage.total_tokens == 10
    assert reply.ttft_ns


def test_the_recorded_digest_is_that_of_the_bytes_sent(fake_openai: FakeOpenAI) -> None:
    (reply,) = ask(phone(fake_openai.base_url), question())
    assert isinstance(reply, Reply)
    sent = fake_openai.requests[-1].raw
    assert reply.sent["sha256"] == hashlib.sha256(sent).hexdigest()
    assert encode(json.loads(sent)) == sent


def test_no_key_is_one_clear_error_and_no_request(fake_openai: FakeOpenAI) -> None:
    with pytest.raises(LLMError) as caught:
        ask(phone(fake_openai.base_url, key=""), question())
    assert caught.value.kind == "llm_authentication"
    assert "'openai'" in caught.value.what
    assert "OPENAI_API_KEY" in caught.value.todo
    assert fake_openai.requests == []


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid_request_error", "llm_bad_request"),
        (400, "context_length_exceeded", "llm_context_window"),
        (401, "invalid_api_key", "llm_authentication"),
        (404, "model_not_found", "llm_error"),
        (429, "insufficient_quota", "llm_insufficient_credits"),
        (429, "rate_limit_exceeded", "llm_rate_limit"),
        (500, "server_error", "llm_error"),
    ],
)
def test_refusals_by_kind(
    fake_openai: FakeOpenAI, settings: object, status: int, code: str, kind: str
) -> None:
    settings.LLM_TRIES = 1  # type: ignore[attr-defined]
    fake_openai.push(Failure(status, error_body("No.", code=code)))
    with pytest.raises(LLMError) as caught:
        ask(phone(fake_openai.base_url), question())
    assert caught.value.kind == kind
    assert "openai" in caught.value.what


def test_a_server_that_is_not_there(settings: object) -> None:
    settings.LLM_TRIES = 1  # type: ignore[attr-defined]
    with pytest.raises(LLMError) as caught:
        ask(phone("http://127.0.0.1:9/v1"), question())
    assert caught.value.kind == "llm_error"
    assert "cannot be reached" in caught.value.what
