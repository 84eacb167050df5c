"""Asking a model once, outside of any run."""

from contextlib import aclosing

from agents.engine.ports import ChatRequest, Reply
from agents.llm.choose import Exchange
from letta_site.core.errors import LLMError
from letta_site.core.types import Actor


async def ask_once(actor: Actor, question: ChatRequest) -> Reply:
    """Return the model's answer; nothing is stored. Raises LLMError."""
    async with aclosing(Exchange(actor.org_id).ask(question)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Reply):
                return piece
    raise LLMError("llm_empty_response", "The model gave no answer.")
