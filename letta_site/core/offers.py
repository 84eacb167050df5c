"""What the providers offer right now: the names of their models, as they list them."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.conf import settings

from letta_site.core.errors import LLMError
from letta_site.core.openai_client import list_model_rows
from letta_site.core.providers import BUILTIN, ProviderEntry, list_providers

log = logging.getLogger(__name__)

NEWEST_AGE_S = 2.0
EMBEDDING_MARKS = ("embed", "bge-", "minilm", "e5-")

Offer = dict[str, Any]

_cache: dict[tuple[str, str], tuple[float | None, list[Offer]]] = {}
_cache_lock = threading.Lock()


def is_embedding(name: str) -> bool:
    """Guess from its name whether a model embeds rather than chats."""
    return any(mark in name.lower() for mark in EMBEDDING_MARKS)


def forget_lists() -> None:
    """Ask every provider anew next time."""
    with _cache_lock:
        _cache.clear()


def list_offers(org_id: str) -> list[tuple[ProviderEntry, Offer]]:
    """Return what all configured providers offer, asked at the same time.

    A provider that does not answer in time is left out; the answer never fails because of it.
    """
    ready = [one for one in list_providers(org_id) if one.configured and one is not BUILTIN]
    if not ready:
        return []
    with ThreadPoolExecutor(len(ready), thread_name_prefix="models") as pool:
        answers = list(pool.map(offers_of, ready))
    return [(one, offer) for one, offers in zip(ready, answers, strict=True) for offer in offers]


def offers_of(provider: ProviderEntry, *, newest: bool = False) -> list[Offer]:
    """Return what a provider offered when it was last asked.

    Only the first question waits for it; later an old answer is given out while a thread asks
    anew, so that a provider that is down holds nobody up. `newest` waits for a fresh answer.
    """
    if not provider.configured or provider is BUILTIN:
        return []
    key = (provider.base_url, provider.api_key)
    with _cache_lock:
        asked, offers = _cache.get(key, (None, []))
    age = None if asked is None else time.monotonic() - asked
    if age is None or (newest and age > NEWEST_AGE_S):
        return _ask(provider)
    if age > settings.MODEL_LIST_AGE_S:
        with _cache_lock:
            _cache[key] = (time.monotonic(), offers)
        threading.Thread(target=_ask, args=[provider], daemon=True).start()
    return offers


def _ask(provider: ProviderEntry) -> list[Offer]:
    try:
        rows = list_model_rows(provider.base_url, provider.api_key)
    except LLMError as error:
        log.warning("Provider %s did not list its models: %s", provider.name, error)
        rows = []
    offers = [row for row in rows if row.get("id")]
    with _cache_lock:
        _cache[provider.base_url, provider.api_key] = (time.monotonic(), offers)
    return offers
