"""The table of what goes wrong at a provider, and how each of it must end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from tests.fakes.openai_replies import Call, Failure, Raw, Reply, Usage, error_body, rate_limited

Json = dict[str, Any]
Answer = Reply | Failure | Raw
FINE = "All is well."
SEARCH = "conversation_search"


@dataclass(frozen=True)
class Fault:
    """What the provider does, and what must come of it.

    `answers` come in order, then `FINE`; `forever`: the last one comes again and again. `stop` is
    the stop reason, `kind` the error's type if the run fails. `said` is what the agent said in the
    end. `asked` is how many requests the provider got from this step.
    """

    name: str
    answers: tuple[Answer, ...] = ()
    forever: bool = False
    stop: str | None = "end_turn"
    kind: str = ""
    said: str = FINE
    asked: int | None = None
    words: tuple[str, ...] = ()
    settings: Json = field(default_factory=dict)
    base_url: str = ""
    when: str = "both"  # or "stream", "whole"
    tool: str = ""  # what the returns of the calls of this fault must speak of


def always(name: str, *answers: Answer, stop: str, kind: str, **more: Any) -> Fault:
    return Fault(name, answers, forever=True, stop=stop, kind=kind, said="", **more)


def call(arguments: Json | str, name: str = SEARCH, **more: Any) -> Reply:
    return Reply(calls=(Call(name, arguments, **more),))


def edited(change: Callable[[Json], Any], **reply: Any) -> Reply:
    """Return an answer each of whose chunks, or whose whole, `change` alters in place."""

    def edit(body: Json) -> Json:
        changed = json.loads(json.dumps(body))
        change(changed)
        return changed

    return Reply(**{"text": FINE, **reply}, edit=edit)


def _usage(value: Any) -> Callable[[Json], None]:
    def change(body: Json) -> None:
        if body.get("usage") or value is None:
            body.pop("usage", None)
            body |= {} if value is None else {"usage": value}

    return change


def _calls(change: Callable[[Json], Any]) -> Callable[[Json], None]:
    def each(body: Json) -> None:
        for choice in body.get("choices", []):
            holder = choice.get("delta") or choice.get("message") or {}
            for one in holder.get("tool_calls") or []:
                change(one)

    return each


def _http_date() -> Failure:
    moment = datetime.now(UTC) + timedelta(seconds=1)
    return Failure(429, error_body("Slow down."), (("Retry-After", format_datetime(moment, True)),))


def _sse(*lines: str, **more: Any) -> Raw:
    body = "".join(f"{line}\n\n" for line in lines).encode()
    return Raw(body, "text/event-stream", **more)


def chunk(**delta: Any) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return "data: " + json.dumps({"id": "x", "model": "gpt-4o-mini", "choices": [choice]})


def overflow(status: int, message: str, **extra: Any) -> Failure:
    return Failure(status, {"error": {"message": message, **extra}})


OVERFLOWS = {
    "OpenAI": overflow(
        400,
        "This model's maximum context length is 8192 tokens. However, your messages resulted in "
        "9001 tokens.",
        code="context_length_exceeded",
    ),
    "OpenAI, newer": overflow(
        400, "Input tokens exceed the configured limit of 272000 tokens.", code="invalid"
    ),
    "Anthropic": overflow(400, "prompt is too long: 201234 tokens > 200000 maximum"),
    "Anthropic, output": overflow(
        400, "input length and `max_tokens` exceed context limit: 199211 + 20000 > 200000"
    ),
    "llama.cpp": overflow(
        400,
        "request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it",
        type="exceed_context_size_error",
    ),
    "llama.cpp, older": overflow(500, "Context size has been exceeded.", type="server_error"),
    "Ollama": overflow(400, "prompt too long; exceeded max context length by 12 tokens"),
    "LM Studio": overflow(
        400,
        "Trying to keep the first 4538 tokens when context the overflows. However, the model is "
        "loaded with context length of only 4096 tokens",
    ),
    "vLLM": overflow(
        400, "The decoder prompt (length 5000) is longer than the maximum model length of 4096."
    ),
    "Gemini": overflow(
        400, "The input token count (1200000) exceeds the maximum number of tokens allowed."
    ),
    "xAI": overflow(
        400, "This model's maximum prompt length is 131072 but the request contains 537812 tokens."
    ),
}

BROKEN = '{"query": "cats and'
DEEP = '{"query": ' + "[" * 5000 + "]" * 5000 + "}"
ODD = "a\ud800b\0c \u202eabc\u202c"
EMOJI = "\N{GRINNING FACE}" * 250_000  # 1 MB of UTF-8

_TRANSPORT = (
    always(
        "connection refused",
        stop="llm_api_error",
        kind="llm_error",
        base_url="http://127.0.0.1:9/v1",
    ),
    always(
        "unknown host", stop="llm_api_error", kind="llm_error", base_url="http://nowhere.invalid/v1"
    ),
    always("TLS to a plain port", stop="llm_api_error", kind="llm_error", base_url="https"),
    always("hangs up at once", Raw(hang_up=True), stop="llm_api_error", kind="llm_error", asked=2),
    Fault("hangs up once", (Raw(hang_up=True),), asked=2),
    always(
        "silence",
        Raw(hold_s=1.2),
        stop="llm_api_error",
        kind="llm_timeout",
        settings={"LLM_TIMEOUT_S": 0.4},
        asked=2,
    ),
    always(
        "silence in the middle",
        Reply("one two three", delay_s=0.7),
        stop="llm_api_error",
        kind="llm_timeout",
        settings={"LLM_TIMEOUT_S": 0.5},
    ),
)
_STATUS = (
    Fault("429, wait 1 s", (rate_limited(1),), asked=2),
    always(
        "429, wait an hour",
        rate_limited(3600),
        stop="llm_api_error",
        kind="llm_rate_limit",
        asked=1,
        words=("UTC, in 3600 s",),
    ),
    always("429 for ever", Failure(429, ""), stop="llm_api_error", kind="llm_rate_limit", asked=2),
    *(
        always(
            f"{status}", Failure(status, "boom"), stop="llm_api_error", kind="llm_error", asked=2
        )
        for status in (500, 502, 503, 529)
    ),
    Fault("500 once", (Failure(500, "boom"),), asked=2),
    *(
        always(
            f"{status}",
            Failure(status, error_body("No.")),
            stop="llm_api_error",
            kind=kind,
            asked=1,
            words=("openai", "gpt-4o-mini"),
        )
        for status, kind in (
            (400, "llm_bad_request"),
            (401, "llm_authentication"),
            (403, "llm_error"),
            (404, "llm_error"),
            (422, "llm_error"),
        )
    ),
    always(
        "no credit",
        Failure(402, error_body("Pay.")),
        stop="insufficient_credits",
        kind="llm_insufficient_credits",
        asked=1,
    ),
    Fault(
        "a key refused",
        (Failure(400, error_body("Unsupported parameter: 'parallel_tool_calls'.")),),
        asked=2,
    ),
    *(
        always(f"too long: {name}", answer, stop="", kind="llm_context_window")
        for name, answer in OVERFLOWS.items()
    ),
)
_CUT = tuple(
    fault
    for k in (0, 1, 2, 4)
    for fault in (
        Fault(f"cut once after {k}", (Reply("one two three", cut_after=k),), asked=2),
        always(
            f"cut after {k}",
            Reply("one two three", cut_after=k),
            stop="llm_api_error",
            kind="llm_error",
            asked=2,
        ),
    )
)
_ENDS = always(
    "ends without an end",
    _sse(chunk(content="one two")),
    stop="llm_api_error",
    kind="llm_error",
    when="stream",
)


def _garbage(name: str, *answers: Answer, **more: Any) -> tuple[Fault, Fault]:
    failing = {"stop": "invalid_llm_response", "kind": "llm_invalid_response", "asked": 2}
    return (
        Fault(f"{name}, once", answers, asked=2, **more),
        always(name, *answers, **failing, **more),
    )


_GARBAGE = (
    *_garbage("not JSON in a stream", _sse(chunk(content="one"), "data: {oops"), when="stream"),
    *_garbage("words in a stream", _sse("data: hello there"), when="stream"),
    *_garbage("a number in a stream", _sse("data: 7"), when="stream"),
    *_garbage("an empty stream", _sse(), when="stream"),
    *_garbage(
        "an error in a stream",
        _sse(chunk(content="one"), 'data: {"error": {"message": "overloaded", "code": 502}}'),
        when="stream",
    ),
    *_garbage("200 with an error", Raw(json.dumps({"error": {"message": "broken"}}).encode())),
    *_garbage("200 with a page", Raw(b"<html>Sorry</html>", "text/html")),
    *_garbage("200 with broken JSON", Raw(b'{"choices": [')),
    *_garbage("200 with a list", Raw(b"[1, 2]")),
    *_garbage("200 with nothing", Raw(b"")),
    *_garbage("200 without choices", Raw(b'{"id": 5, "choices": null}')),
)
_ARGUMENTS = (
    Fault("arguments cut", (call(BROKEN),), asked=2, tool="not valid JSON"),
    always("arguments cut for ever", call(BROKEN), stop="invalid_tool_call", kind="llm_error"),
    Fault("arguments twice", (call('{"query": "cats"}' * 2),), asked=2, tool="results"),
    Fault("arguments unclosed", (call('{"query": "cats"'),), asked=2, tool="results"),
    Fault("two objects", (call('{"query": "a"}{"query": "b"}'),), asked=2, tool="not valid JSON"),
    Fault("a list", (call('["cats"]'),), asked=2, tool="must be a JSON object"),
    Fault("wrong types", (call('{"query": 5, "limit": "2"}'),), asked=2, tool="results"),
    Fault("not a number", (call('{"query": "x", "limit": NaN}'),), asked=2, tool="rror"),
    Fault("10 MB of arguments", (call({"query": "x" * 10_000_000}),), asked=2, tool="at most"),
    Fault("5,000 brackets", (call(DEEP),), asked=2, tool="nested"),
    Fault(
        "arguments as an object",
        (
            edited(
                _calls(lambda one: one["function"].update(arguments={"query": "cats"})),
                text="",
                calls=(Call(SEARCH, "{}"),),
            ),
        ),
        asked=2,
        tool="results",
        when="whole",
    ),
    Fault("odd characters in arguments", (call({"query": ODD}),), asked=2, tool="results"),
)
_CALLS = (
    Fault("unknown tool", (call({}, "launch_rocket"),), asked=2, tool="no tool"),
    Fault("unspeakable name", (call({}, "launch the rocket! \N{ROCKET}" * 9),), asked=2, tool="no"),
    Fault("no name", (call({}, ""),), asked=2, tool="no tool"),
    Fault("prefixed name", (call({"query": "x"}, f"functions.{SEARCH}"),), asked=2, tool="results"),
    Fault(
        "two calls of one id",
        (Reply(calls=tuple(Call(SEARCH, {"query": q}, id="call_1") for q in "ab")),),
        asked=2,
        tool="results",
    ),
    Fault("a very long id", (call({"query": "x"}, id="c" * 5000),), asked=2, tool="results"),
    Fault(
        "no ids",
        (
            edited(
                _calls(lambda one: one.pop("id", None)),
                text="",
                calls=(Call(SEARCH, {"query": "x"}), Call(SEARCH, {"query": "y"})),
            ),
        ),
        asked=2,
        tool="results",
    ),
    Fault(
        "50 calls",
        (Reply(calls=tuple(Call(SEARCH, {"query": str(n)}) for n in range(50))),),
        asked=2,
        tool="results",
    ),
    Fault(
        "a call in tags",
        (Reply(f'Let me see. <tool_call>{{"name": "{SEARCH}", "arguments": {{"query": "x"}}}}'),),
        asked=2,
        tool="results",
    ),
    Fault(
        "a call in a fence",
        (Reply(f'```json\n{{"name": "{SEARCH}", "arguments": {{"query": "x"}}}}\n```'),),
        asked=2,
        tool="results",
    ),
    Fault(
        "a call for text",
        (Reply(f'{{"name": "{SEARCH}", "parameters": {{"query": "x"}}}}'),),
        asked=2,
        tool="results",
    ),
)
_EMPTY = (
    Fault("nothing, once", (Reply(),), asked=2),
    always("nothing", Reply(), stop="invalid_llm_response", kind="llm_error", asked=2),
    Fault("only reasoning, once", (Reply(reasoning="Hm."),), asked=2),
    always(
        "only reasoning",
        Reply(reasoning="Hm."),
        stop="invalid_llm_response",
        kind="llm_error",
        asked=2,
    ),
    Fault(
        "no room for the end",
        (Reply("half an", finish_reason="length"),),
        stop="max_tokens_exceeded",
        said="half an",
        asked=1,
    ),
    Fault(
        "no room for words",
        (Reply(reasoning="Hm.", finish_reason="length"),),
        forever=True,
        stop="max_tokens_exceeded",
        said="",
        asked=2,
    ),
    Fault(
        "no room for arguments",
        (
            Reply(calls=(Call(SEARCH, '{"query": "x"'),), finish_reason="length"),
            Reply(FINE),
        ),
        asked=2,
        tool="not valid JSON",
    ),
)
_TEXT = (
    Fault("odd characters", (Reply(ODD),), said="a\ufffdb\ufffdc \u202eabc\u202c", asked=1),
    Fault("odd thoughts", (Reply(FINE, reasoning=ODD),), asked=1),
    Fault("1 MB of emoji", (Reply(EMOJI),), said=EMOJI, asked=1),
    *(
        Fault(f"usage {name}", (edited(_usage(value)),), asked=1)
        for name, value in {
            "missing": None,
            "zero": {"prompt_tokens": 0, "completion_tokens": 0},
            "negative": {"prompt_tokens": -5, "completion_tokens": -5},
            "of words": {"prompt_tokens": "many", "completion_tokens": None},
            "huge": Usage(10**15, 10**15).as_json(),
        }.items()
    ),
    Fault("odd head", (edited(lambda body: body.update(id=7, model=ODD * 500)),), asked=1),
)

FAULTS = (
    *_TRANSPORT,
    *_STATUS,
    *_CUT,
    _ENDS,
    *_GARBAGE,
    *_ARGUMENTS,
    *_CALLS,
    *_EMPTY,
    *_TEXT,
)
HTTP_DATE = _http_date
