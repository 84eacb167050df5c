"""A telephone with the answers written down beforehand, for tests of everything behind it."""

from collections.abc import AsyncGenerator, Iterable

from agents.engine.ports import ChatRequest, Reply, ReplyDelta
from agents.types import ToolCall, Usage
from letta_site.core.errors import LLMError


class ScriptedLLM:
    """Gives `replies` in order, one a call; keeps what it was asked. An exception is raised."""

    def __init__(self, replies: Iterable[Reply | LLMError]) -> None:
        self.replies = list(replies)
        self.requests: list[ChatRequest] = []

    async def ask(self, request: ChatRequest) -> AsyncGenerator[ReplyDelta | Reply, None]:
        """Yield the next reply, in pieces before if asked to stream."""
        self.requests.append(request)
        if not self.replies:
            raise LLMError("llm_error", "The script has no reply left.")
        reply = self.replies.pop(0)
        if isinstance(reply, LLMError):
            raise reply
        if request.stream:
            for piece in _pieces(reply):
                yield piece
        yield reply


def scripted_reply(
    text: str = "",
    *calls: tuple[str, str],
    reasoning: str = "",
    finish_reason: str = "",
    usage: Usage | None = None,
) -> Reply:
    """Return a Reply that says `text` and calls tools, given as (name, JSON arguments)."""
    made = tuple(
        ToolCall(f"call_{at}_{name}", name, arguments) for at, (name, arguments) in enumerate(calls)
    )
    return Reply(
        text=text,
        reasoning=reasoning,
        tool_calls=made,
        finish_reason=finish_reason or ("tool_calls" if made else "stop"),
        usage=usage or Usage(prompt_tokens=10, completion_tokens=5),
        model="scripted",
        provider_name="scripted",
        endpoint="",
        sent={"system": "", "tools": "[]", "params": {}, "sha256": ""},
        raw={},
    )


def _pieces(reply: Reply) -> list[ReplyDelta]:
    pieces = [ReplyDelta(reasoning=reply.reasoning)] if reply.reasoning else []
    pieces += [ReplyDelta(text=reply.text)] if reply.text else []
    for at, call in enumerate(reply.tool_calls):
        pieces.append(ReplyDelta(index=at, tool_call_id=call.id, name=call.name))
        pieces.append(ReplyDelta(index=at, tool_call_id=call.id, arguments=call.arguments))
    return pieces
