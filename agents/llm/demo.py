"""The offline model behind the handle `letta/demo`: rules that drive the real loop and tools.

It needs no key and no network, so that a fresh install has somebody to talk to.
"""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncGenerator, Iterator

from agents.engine.ports import ChatRequest, Reply, ReplyDelta
from agents.engine.window import estimate_request, estimate_tokens
from agents.llm.demo_plan import FINISH_TOOLS, Move, next_move
from agents.llm.demo_view import read_turn
from agents.llm.to_openai import build_body, sent_parts
from agents.types import Json, ToolCall, ToolSpec, Usage
from letta_site.core.errors import LLMError

MODEL_NAME = "demo"
PROVIDER_NAME = "letta"
_WORD_DELAY_S = 0.015
_LONGEST_STREAM_S = 1.5
_WORDS = re.compile(r"\s*\S+\s*")


class DemoLLM:
    """The LLM port, without a language model behind it."""

    async def ask(self, request: ChatRequest) -> AsyncGenerator[ReplyDelta | Reply, None]:
        """Yield pieces of words if asked to stream, and last the whole Reply.

        Never fails, but for LLMError when a summary is wanted: what is made of one without a model
        is better than what these rules could say.
        """
        if request.summary:
            raise LLMError("llm_error", "The demo model writes no summaries.")
        move = next_move(read_turn(request), request.forced_tool)
        reply = _reply(request, move)
        if request.stream:
            pieces = list(_pieces(reply))
            delay_s = min(_WORD_DELAY_S, _LONGEST_STREAM_S / max(1, len(pieces)))
            for piece in pieces:
                await asyncio.sleep(delay_s)
                yield piece
        yield reply


def _reply(request: ChatRequest, move: Move) -> Reply:
    tools = {tool.name: tool for tool in request.tools}
    calls: tuple[ToolCall, ...] = ()
    reasoning = move.why
    if move.tool:
        arguments = _with_extras(tools[move.tool], move)
        # Where thinking is an argument of the call, it is not said a second time beside it.
        reasoning = "" if "thinking" in arguments else reasoning
        text = json.dumps(arguments, ensure_ascii=False)
        calls = (ToolCall(f"call_{uuid.uuid4().hex[:24]}", move.tool, text),)
    finish_reason = "tool_calls" if calls else "stop"
    return Reply(
        text="" if calls else move.text,
        reasoning=reasoning,
        tool_calls=calls,
        finish_reason=finish_reason,
        usage=_usage(request, move, calls),
        model=MODEL_NAME,
        provider_name=PROVIDER_NAME,
        endpoint="",
        sent=sent_parts(build_body(request, MODEL_NAME)),
        raw=_raw(move, calls, finish_reason),
    )


def _with_extras(tool: ToolSpec, move: Move) -> Json:
    """Add the arguments that some agent types ask for in every call."""
    properties = tool.parameters.get("properties") or {}
    extras: Json = {}
    if "thinking" in properties:
        extras["thinking"] = move.why
    if "request_heartbeat" in properties:
        extras["request_heartbeat"] = tool.name not in ("send_message", *FINISH_TOOLS)
    return {**(move.arguments or {}), **extras}


def _usage(request: ChatRequest, move: Move, calls: tuple[ToolCall, ...]) -> Usage:
    transcript = request.transcript
    size = estimate_request(
        transcript.system,
        transcript.messages,
        request.tools,
        transcript.summary,
        return_limit_chars=request.tool_return_limit_chars,
    )
    said = move.why + move.text + "".join(call.name + call.arguments for call in calls)
    return Usage(prompt_tokens=size.total, completion_tokens=estimate_tokens(said))


def _raw(move: Move, calls: tuple[ToolCall, ...], finish_reason: str) -> Json:
    message: Json = {"role": "assistant", "content": None if calls else move.text}
    if calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return {"model": MODEL_NAME, "choices": [choice]}


def _pieces(reply: Reply) -> Iterator[ReplyDelta]:
    for word in _WORDS.findall(reply.reasoning):
        yield ReplyDelta(reasoning=word)
    for word in _WORDS.findall(reply.text):
        yield ReplyDelta(text=word)
    for index, call in enumerate(reply.tool_calls):
        yield ReplyDelta(index=index, tool_call_id=call.id, name=call.name)
        for word in _WORDS.findall(call.arguments):
            yield ReplyDelta(index=index, tool_call_id=call.id, arguments=word)
