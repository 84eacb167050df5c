"""Clients of OpenAI-compatible servers: one each per server, key and event loop.

Making a client costs 30 ms and a connection pool, so it is kept; it is tied to the loop it was
made on, because its connections are. The SDK is loaded on first use, since that takes 0.7 s and
would delay every start; `warm_up` does it while nobody waits.
"""

from __future__ import annotations

import asyncio
import importlib
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
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
            http_client=package.DefaultAsyncHttpxClient(event_hooks={"response": [_not_too_late]}),
            base_url=base_url,
            api_key=key or "none",
            max_retries=settings.LLM_TRIES - 1,
            timeout=package.Timeout(settings.LLM_TIMEOUT_S, connect=settings.LLM_CONNECT_TIMEOUT_S),
        )
    return mine[base_url, key]


def retry_time(headers: Any, now: datetime) -> datetime | None:
    """Return when a provider wants to be asked again, if it said so: seconds, or an HTTP date."""
    told = str(headers.get("retry-after") or "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", told):
        return now + timedelta(seconds=float(told))
    try:
        moment = parsedate_to_datetime(told)
    except (ValueError, TypeError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def _not_too_late(response: Any) -> None:
    """Keep the SDK from waiting for a provider that wants to be left alone for longer than that."""
    now = datetime.now(UTC)
    later = retry_time(response.headers, now)
    if later is not None and (later - now).total_seconds() > settings.LLM_RETRY_WAIT_S:
        response.headers["x-should-retry"] = "false"


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
