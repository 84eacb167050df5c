"""From what was heard of an answer to the Reply that the engine gets. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agents.engine.arguments import MAX_ARGUMENT_CHARS, cut_arguments
from agents.engine.ports import ChatRequest, Reply, ReplyDelta
from agents.engine.repair import clean_text
from agents.engine.window import estimate_request, estimate_tokens
from agents.llm.base import ModelEntry
from agents.llm.dialects import Dialect
from agents.llm.faults import Lost, Unusable
from agents.llm.parse_reply import ReplyBuffer
from agents.llm.thoughts import Thoughts
from agents.llm.to_openai import sent_parts
from agents.llm.tolerant import MAX_CALLS, tidy_call
from agents.llm.tool_text import Holdback, calls_in_text
from agents.types import Json, ToolCall, Usage


@dataclass
class Hearing:
    """One try at an answer. `tools` are those whose calls are looked for in the text."""

    tools: tuple[str, ...]
    holdback: Holdback | None
    buffer: ReplyBuffer = field(default_factory=ReplyBuffer)
    chunks: int = 0
    ttft_ns: int | None = None
    done: bool = False

    @classmethod
    def of(cls, request: ChatRequest, dialect: Dialect) -> Hearing:
        """Return the ear for a request."""
        tools = tuple(tool.name for tool in request.tools) if dialect.tool_text else ()
        thoughts = Thoughts() if dialect.tool_text else None
        holdback = Holdback() if tools and request.stream else None
        return cls(tools, holdback, ReplyBuffer(thoughts=thoughts))

    def hear(self, chunk: Any) -> Iterator[ReplyDelta]:
        """Take a chunk of a stream; yield what of it can be shown. Raises Unusable."""
        if not isinstance(chunk, dict):
            raise Unusable(f"A chunk is {type(chunk).__name__}, not an object.")
        if chunk.get("error"):
            raise Unusable(f"An error instead of an answer: {str(chunk['error'])[:1000]}")
        self.chunks += 1
        for delta in self.buffer.add_chunk(chunk):
            if delta.text and self.holdback:
                delta = replace(delta, text=self.holdback.feed(delta.text))
            if delta != _NOTHING:
                yield delta

    def check_end(self) -> None:
        """Raise Unusable if the stream held no answer, Lost if it ended without saying so."""
        if not self.chunks:
            raise Unusable("The stream was empty.")
        if not self.buffer.finish_reason:
            raise Lost("The stream ended in the middle of the answer.")

    def late_pieces(self, reply: Reply) -> Iterator[ReplyDelta]:
        """Yield what was kept back while the text was arriving."""
        if self.holdback is None or not self.ttft_ns and not self.holdback.passed:
            return
        if rest := self.holdback.rest(reply.text):
            yield ReplyDelta(text=rest)
        if not self.buffer.calls:
            yield from _pieces(reply.tool_calls)


_NOTHING = ReplyDelta()


def _pieces(calls: Sequence[ToolCall]) -> Iterator[ReplyDelta]:
    for index, call in enumerate(calls):
        yield ReplyDelta(
            index=index, tool_call_id=call.id, name=call.name, arguments=call.arguments
        )


def made_reply(request: ChatRequest, model: ModelEntry, body: Json, hearing: Hearing) -> Reply:
    """Return the whole answer, with its calls mended where they have one meaning."""
    buffer = hearing.buffer
    buffer.finish()
    text, calls = buffer.text, buffer.tool_calls()
    if not calls:
        text, calls = calls_in_text(text, hearing.tools)
    usage = told_or_counted(buffer, request)
    known = {tool.name for tool in request.tools}
    whole = buffer.finish_reason != "length"
    tidied = tuple(tidy_call(call, known, whole=whole) for call in calls[:MAX_CALLS])
    for call in buffer.calls.values():
        call.arguments = clean_text(_short(call.arguments))
    return Reply(
        text=text,
        reasoning=buffer.reasoning,
        tool_calls=tidied,
        finish_reason=buffer.finish_reason,
        usage=usage,
        model=buffer.model or model.name,
        provider_name=model.provider.name,
        endpoint=model.provider.base_url,
        sent=sent_parts(body),
        raw=buffer.raw(),
        ttft_ns=hearing.ttft_ns,
    )


def _short(arguments: str) -> str:
    return arguments if len(arguments) <= MAX_ARGUMENT_CHARS else cut_arguments(arguments)


def told_or_counted(buffer: ReplyBuffer, request: ChatRequest) -> Usage:
    """Return the provider's count of tokens, or our own estimate where it gave none."""
    usage = buffer.usage
    if not usage.prompt_tokens:
        usage = replace(usage, prompt_tokens=_prompt_tokens(request))
    if not usage.completion_tokens:
        written = buffer.text + buffer.reasoning
        written += "".join(call.name + call.arguments for call in buffer.calls.values())
        usage = replace(usage, completion_tokens=estimate_tokens(written))
    return usage


def _prompt_tokens(request: ChatRequest) -> int:
    transcript = request.transcript
    return estimate_request(
        transcript.system,
        transcript.messages,
        request.tools,
        transcript.summary,
        return_limit_chars=request.tool_return_limit_chars,
    ).total
