"""Clients of OpenAI-compatible servers: one each per server, key and event loop.

Making a client costs 30 ms and a connection pool, so it is kept; it is tied to the loop it was
made on, because its connections are. The SDK is loaded on first use, since that takes 0.7 s and
would delay every start; `warm_up` does it while nobody waits.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from django.conf import settings

from letta_site.core.errors import LLMError

if TYPE_CHECKING:
    import openai

_clients: WeakKeyDictionary[
    asyncio.AbstractEventLoop, dict[tuple[str, str], openai.AsyncOpenAI]
] = WeakKeyDictionary()


def sdk() -> Any:
    """Return the openai package."""
    return importlib.import_module("openai")


def warm_up() -> None:
    """Load the SDK with everything that a call needs."""
    importlib.import_module("openai.types.chat")


def async_client(base_url: str, key: str) -> openai.AsyncOpenAI:
    """Return the client for this server on the running loop. Retries are the SDK's own."""
    mine = _clients.setdefault(asyncio.get_running_loop(), {})
    if (base_url, key) not in mine:
        package = sdk()
        mine[base_url, key] = package.AsyncOpenAI(
            base_url=base_url,
            api_key=key or "none",
            max_retries=settings.LLM_TRIES - 1,
            timeout=package.Timeout(settings.LLM_TIMEOUT_S, connect=settings.LLM_CONNECT_TIMEOUT_S),
        )
    return mine[base_url, key]


def list_model_rows(base_url: str, key: str) -> list[dict[str, object]]:
    """Ask a server which models it has. Raises LLMError when it does not answer."""
    package = sdk()
    client = package.OpenAI(
        base_url=base_url,
        api_key=key or "none",
        max_retries=0,
        timeout=settings.MODEL_LIST_TIMEOUT_S,
    )
    try:
        with client:
            return [model.to_dict() for model in client.models.list().data]
    except package.OpenAIError as error:
        raise LLMError(
            "llm_error", f"The models at {base_url} cannot be listed: {error}"
        ) from error
