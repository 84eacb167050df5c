"""Summaries of what leaves the window: asked of a model, or put together without one. PURE."""

import asyncio
import json
from collections.abc import Iterable
from contextlib import aclosing
from datetime import datetime

from agents.engine.clipping import squeeze
from agents.engine.ports import ChatRequest, Ports, Reply
from agents.engine.prompt import local_time, unwrap_user_text
from agents.engine.state import RunState
from agents.engine.waiting import pieces_unless_cancelled
from agents.engine.window import digest
from agents.types import Json, Message, ModelParams, TextPart, Transcript
from letta_site.core.errors import LLMError
from letta_site.core.ids import new_id

SUMMARY_TIMEOUT_S = 120.0
SUMMARY_PROMPT = (
    "You keep the notes of an assistant whose memory of a conversation is limited. You are given "
    "the part of the conversation that it is about to forget, perhaps after notes on what came "
    "before. Write new notes that replace both. Keep: what the people said about themselves and "
    "what they want, decisions, promises, names, numbers and dates, what was done with which "
    "result, and what is still open. Leave out greetings and repetitions. Invent nothing. Write "
    "plain sentences in the language of the conversation, and write only the notes."
)
NOTICE = (
    "Earlier messages are no longer shown here; they are kept and can be searched. What happened "
    "in them:\n"
)
# Asking a second time with less text cannot help against these.
_HOPELESS = ("llm_authentication", "llm_insufficient_credits", "llm_rate_limit", "llm_timeout")
_CHARS_A_TOKEN = 3
_ENTRY_CHARS = 4_000
_RETURN_CHARS = 400
_SPEAKERS = {"user": "User", "assistant": "Assistant", "system": "System", "summary": "Notes"}


def summary_text(message: Message) -> str:
    """Return the words of a summary, out of the envelope that it is stored in."""
    try:
        packed = json.loads(message.text)
        words = packed["message"]
    except (ValueError, KeyError, TypeError):
        words = message.text
    return str(words).removeprefix(NOTICE)


def summary_message(
    words: str, stats: Json, *, now: datetime, timezone: str, run_id: str | None
) -> Message:
    """Return a summary as it is stored: the envelope of the contract, as a text."""
    envelope = {
        "type": "system_alert",
        "message": NOTICE + words,
        "time": local_time(now, timezone),
        "compaction_stats": stats,
    }
    text = json.dumps(envelope, ensure_ascii=False)
    return Message(new_id("message"), "summary", now, parts=(TextPart(text),), run_id=run_id)


async def summarise(
    state: RunState, ports: Ports, leaving: Iterable[Message], *, limit_chars: int
) -> tuple[str, str]:
    """Return notes on messages, with how they were made: by the plan's mode, or by `digest`.

    A model that fails is asked once more with half the text; then no model is asked. Raises
    Cancelled, and nothing else.
    """
    entries = list(leaving)
    earlier = summary_text(state.summary) if state.summary else ""
    room = _input_chars(state, limit_chars)
    for chars in (room, room // 2):
        try:
            words = await _ask(state, ports, render(entries, earlier, limit_chars=chars))
        except LLMError as error:
            if error.kind in _HOPELESS:
                break
            continue
        if words:
            return squeeze(words, limit_chars), state.spec.compaction.mode
    return _digest(entries, earlier, limit_chars), "digest"


def render(messages: Iterable[Message], earlier: str, *, limit_chars: int) -> str:
    """Return a conversation as plain text for a summariser: words, and names of what was called.

    Never calls and returns as such: a provider may refuse them where no tools are offered.
    """
    lines = [line for message in messages for line in _lines(message)]
    notes = f"Notes so far:\n{squeeze(earlier, limit_chars // 3)}\n\n" if earlier else ""
    return f"{notes}Conversation:\n" + squeeze("\n".join(lines), max(limit_chars - len(notes), 0))


def _lines(message: Message) -> list[str]:
    lines = []
    if said := unwrap_user_text(message.text).strip():
        lines.append(f"{_SPEAKERS.get(message.role, 'Note')}: {squeeze(said, _ENTRY_CHARS)}")
    for call in message.tool_calls:
        shown = squeeze(call.arguments, _RETURN_CHARS)
        lines.append(f"Assistant used {call.name} with {shown}")
    for one in message.tool_returns:
        lines.append(f"{one.name} gave ({one.status}): {squeeze(one.text, _RETURN_CHARS)}")
    return lines


def _digest(messages: list[Message], earlier: str, limit_chars: int) -> str:
    if not earlier:
        return digest(messages, limit_chars=limit_chars)
    kept = squeeze(earlier, limit_chars // 2)
    rest = digest(messages, limit_chars=max(limit_chars - len(kept) - 1, 0))
    return f"{kept}\n{rest}"


def _input_chars(state: RunState, limit_chars: int) -> int:
    """Return how much text fits the summariser's own window, beside its orders and its answer."""
    window = state.spec.compaction.window_tokens or state.spec.window_tokens
    return max(window * _CHARS_A_TOKEN - len(SUMMARY_PROMPT) - 2 * limit_chars, 1_000)


async def _ask(state: RunState, ports: Ports, text: str) -> str:
    plan = state.spec.compaction
    handle = plan.model or state.spec.model.handle
    now = ports.clock.now()
    question = Message(new_id("message"), "user", now, parts=(TextPart(text),))
    request = ChatRequest(
        model=ModelParams(handle),
        transcript=Transcript(plan.prompt or SUMMARY_PROMPT, (question,)),
        tools=(),
        agent_id=state.spec.agent_id,
        summary=True,
    )
    try:
        async with asyncio.timeout(SUMMARY_TIMEOUT_S):
            return await _answer(request, state, ports)
    except TimeoutError as error:
        raise LLMError("llm_timeout", "The summary took too long.") from error


async def _answer(request: ChatRequest, state: RunState, ports: Ports) -> str:
    async with aclosing(ports.llm.ask(request)) as source:
        async with aclosing(pieces_unless_cancelled(source, ports.cancel)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Reply):
                    state.usage += piece.usage  # paid for, whatever it is worth
                    return piece.text.strip()
    return ""
