"""Clients of OpenAI-compatible servers: one each per server, key and event loop.

Making a client costs 30 ms and a connection pool, so it is kept; it is tied to the loop it was
made on, because its connections are.
"""

import asyncio
from weakref import WeakKeyDictionary

from django.conf import settings
from openai import AsyncOpenAI, OpenAI, Timeout

_clients: "WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], AsyncOpenAI]]" = (
    WeakKeyDictionary()
)


def async_client(base_url: str, key: str) -> AsyncOpenAI:
    """Return the client for this server on the running loop. Retries are the SDK's own."""
    mine = _clients.setdefault(asyncio.get_running_loop(), {})
    if (base_url, key) not in mine:
        mine[base_url, key] = AsyncOpenAI(
            base_url=base_url,
            api_key=key or "none",
            max_retries=settings.LLM_TRIES - 1,
            timeout=Timeout(settings.LLM_TIMEOUT_S, connect=settings.LLM_CONNECT_TIMEOUT_S),
        )
    return mine[base_url, key]


def list_model_rows(base_url: str, key: str) -> list[dict[str, object]]:
    """Ask a server which models it has. Raises openai.OpenAIError when it does not answer."""
    with OpenAI(
        base_url=base_url,
        api_key=key or "none",
        max_retries=0,
        timeout=settings.MODEL_LIST_TIMEOUT_S,
    ) as client:
        return [model.to_dict() for model in client.models.list().data]
