"""From a provider's answer to our Reply; whole or in pieces. Pure."""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from agents.engine.arguments import MAX_ARGUMENT_CHARS
from agents.engine.ports import ReplyDelta
from agents.engine.repair import clean_text
from agents.llm.thoughts import Thoughts
from agents.llm.tolerant import MAX_CALLS, MAX_ID_CHARS
from agents.types import Json, ToolCall, Usage

_MAX_TOKENS = 2**31 - 1
_MAX_WORD_CHARS = 200


@dataclass
class PartialCall:
    """A tool call that is still arriving."""

    id: str
    name: str = ""
    arguments: str = ""
    given_id: str = ""


@dataclass
class ReplyBuffer:
    """Collects an answer, from one whole response or from chunks of a stream."""

    text: str = ""
    reasoning: str = ""
    calls: dict[int, PartialCall] = field(default_factory=dict)
    finish_reason: str = ""
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    id: str = ""
    thoughts: Thoughts | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing in it is for anybody: no words, no call."""
        return not (self.text.strip() or self.calls)

    def add_chunk(self, chunk: Json) -> list[ReplyDelta]:
        """Take one stream chunk and return what is new in it."""
        self._add_head(chunk)
        deltas: list[ReplyDelta] = []
        for choice in _rows(chunk.get("choices"))[:1]:
            self.finish_reason = _word(choice.get("finish_reason")) or self.finish_reason
            deltas += self._add_delta(_object(choice.get("delta")))
        return deltas

    def add_whole(self, response: Json) -> bool:
        """Take a response that was not streamed; tell whether there was an answer in it."""
        self._add_head(response)
        choices = _rows(response.get("choices"))[:1]
        for choice in choices:
            self.finish_reason = _word(choice.get("finish_reason"))
            self._add_delta(_object(choice.get("message")))
        return bool(choices)

    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Return the calls in order, each with an id of its own."""
        ordered = [call for _, call in sorted(self.calls.items())]
        return tuple(ToolCall(call.id, call.name, call.arguments or "{}") for call in ordered)

    def finish(self) -> None:
        """Let nothing be kept back any more, and leave nothing that cannot be stored."""
        if self.thoughts:
            self._add_words(*self.thoughts.rest())
        self.text, self.reasoning = clean_text(self.text), clean_text(self.reasoning)

    def raw(self) -> Json:
        """Return the answer in the provider's form, put together again if it was streamed."""
        message: Json = {"role": "assistant", "content": self.text or None}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in self.tool_calls()
            ]
        return {
            "id": self.id,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish_reason}],
            "usage": {
                "prompt_tokens": self.usage.prompt_tokens,
                "completion_tokens": self.usage.completion_tokens,
                "total_tokens": self.usage.total_tokens,
            },
        }

    def _add_head(self, answer: Json) -> None:
        self.id = _word(answer.get("id")) or self.id
        self.model = _word(answer.get("model")) or self.model
        if isinstance(answer.get("usage"), dict):
            self.usage = parse_usage(answer["usage"])

    def _add_delta(self, delta: Json) -> list[ReplyDelta]:
        found: list[ReplyDelta] = []
        if reasoning := _plain(delta.get("reasoning_content") or delta.get("reasoning")):
            found += self._add_words(reasoning, "")
        if text := _plain(delta.get("content") or delta.get("refusal")):
            thought, words = self.thoughts.feed(text) if self.thoughts else ("", text)
            found += self._add_words(thought, words)
        for place, piece in enumerate(_rows(delta.get("tool_calls"))):
            if (new := self._add_call(piece, place)) is not None:
                found.append(new)
        return found

    def _add_words(self, thought: str, words: str) -> list[ReplyDelta]:
        self.reasoning += thought
        self.text += words
        found = [ReplyDelta(reasoning=clean_text(thought))] if thought else []
        return [*found, ReplyDelta(text=clean_text(words))] if words else found

    def _add_call(self, piece: Json, place: int) -> ReplyDelta | None:
        index = self._index_of(piece, place)
        if index is None:
            return None
        function = _object(piece.get("function"))
        name, arguments = _word(function.get("name")), _as_text(function.get("arguments"))
        call = self.calls.get(index) or self._new_call(index, _word(piece.get("id")))
        first = not call.name and bool(name)
        call.name = call.name or name
        if len(call.arguments) > MAX_ARGUMENT_CHARS:
            return None
        call.arguments += arguments
        return ReplyDelta(
            index=index,
            tool_call_id=call.id,
            name=call.name if first else None,
            arguments=clean_text(arguments),
        )

    def _index_of(self, piece: Json, place: int) -> int | None:
        """Return which call a piece belongs to; None for calls beyond those that are taken.

        Some servers number all calls 0, or not at all: a new id with a name is a new call.
        """
        told = piece.get("index")
        index = told if isinstance(told, int) and not isinstance(told, bool) else place
        known = self.calls.get(index)
        fresh = _word(piece.get("id"))
        named = _object(piece.get("function")).get("name")
        if known and fresh and named and known.name and known.given_id != fresh:
            index = max(self.calls) + 1
        return index if index in self.calls or len(self.calls) < MAX_CALLS else None

    def _new_call(self, index: int, given_id: str) -> PartialCall:
        taken = {call.id for call in self.calls.values()}
        fits = given_id and len(given_id) <= MAX_ID_CHARS and given_id not in taken
        call_id = given_id if fits else f"call_{uuid.uuid4().hex[:8]}"
        self.calls[index] = PartialCall(call_id, given_id=given_id)
        return self.calls[index]


def _rows(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _word(value: Any) -> str:
    return clean_text(value[:_MAX_WORD_CHARS]) if isinstance(value, str) else ""


def _as_text(arguments: Any) -> str:
    # Some local servers send the arguments as an object instead of as JSON text.
    return arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments else ""


def _plain(content: Any) -> str:
    if isinstance(content, list):
        return "".join(_plain(part.get("text")) for part in _rows(content))
    return content if isinstance(content, str) else ""


def parse_usage(usage: Json) -> Usage:
    """Return tokens as the provider counted them; what is no number counts as not told."""
    prompt = _object(usage.get("prompt_tokens_details"))
    completion = _object(usage.get("completion_tokens_details"))
    return Usage(
        prompt_tokens=_tokens(usage.get("prompt_tokens")) or 0,
        completion_tokens=_tokens(usage.get("completion_tokens")) or 0,
        cached_input_tokens=_tokens(prompt.get("cached_tokens")),
        reasoning_tokens=_tokens(completion.get("reasoning_tokens")),
    )


def _tokens(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return int(min(max(value, 0), _MAX_TOKENS))
