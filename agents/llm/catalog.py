"""Which providers this server has, and which models they offer right now."""

import logging
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from django.conf import settings

from agents.llm.base import ModelEntry, ProviderEntry, ProviderRow
from agents.llm.dialects import Dialect, dialect_of
from agents.llm.providers import (
    DEMO_HANDLE,
    EMBEDDING_DIMS,
    FAMILIES,
    KNOWN_MODELS,
    PROVIDERS,
    is_embedding,
    window_of,
)
from letta_site.core.errors import Invalid, LLMError, NotFound
from letta_site.core.models import Provider
from letta_site.core.openai_client import list_model_rows

log = logging.getLogger(__name__)

DEMO = ProviderEntry("", "letta", "letta", "builtin:", "", needs_key=False)
NEWEST_AGE_S = 2.0
DEMO_MODEL = ModelEntry(DEMO_HANDLE, "demo", DEMO, 32_000)

_cache: dict[tuple[str, str], tuple[float | None, list[ModelEntry]]] = {}
_cache_lock = threading.Lock()


def _with_suffix(url: str, suffix: str) -> str:
    if not url or not suffix or urlsplit(url).path.rstrip("/").endswith("/v1"):
        return url
    return url.rstrip("/") + suffix


def forget_lists() -> None:
    """Ask every provider anew next time."""
    with _cache_lock:
        _cache.clear()


def _variable(names: tuple[str, ...]) -> str:
    known: dict[str, str] = settings.PROVIDER_VARIABLES
    return next((known[name] for name in names if name in known), "")


def _from_environment(row: ProviderRow) -> ProviderEntry:
    given = _variable(row.url_names)
    return ProviderEntry(
        id="",
        name=row.name,
        provider_type=row.provider_type,
        base_url=_with_suffix(given, row.url_suffix) or row.base_url,
        api_key=_variable(row.key_names),
        needs_key=row.needs_key,
        key_hint=" or ".join(row.key_names or row.url_names),
    )


def _from_database(row: Provider) -> ProviderEntry:
    return ProviderEntry(
        id=row.id,
        name=row.name,
        provider_type=row.provider_type,
        base_url=row.base_url,
        api_key=row.api_key,
        category="byok",
        needs_key=False,
    )


def list_providers(org_id: str) -> list[ProviderEntry]:
    """Return every provider, configured or not; a stored one hides its namesake."""
    stored = {
        row.name: _from_database(row)
        for row in Provider.objects.filter(org_id=org_id, enabled=True)
    }
    known = [_from_environment(row) for row in PROVIDERS if row.name not in stored]
    return [*stored.values(), *known, DEMO]


def environment_provider_of(handle: str) -> ProviderEntry | None:
    """Return the provider of the environment that `handle` names, without the database."""
    known = [*(_from_environment(row) for row in PROVIDERS), DEMO]
    return next((one for one in known if one.name == handle.partition("/")[0]), None)


def provider_of(org_id: str, handle: str) -> ProviderEntry | None:
    """Return the provider that `handle` names, if there is one. Raises Invalid without a slash."""
    prefix, slash, _ = handle.partition("/")
    if not slash:
        raise Invalid(
            f"{handle!r} is not a model handle.", todo="Write provider/model, e.g. openai/gpt-4o."
        )
    return next((one for one in list_providers(org_id) if one.name == prefix), None)


def dialect_of_handle(org_id: str, handle: str) -> Dialect:
    """Return how the server of a model is spoken to; the common tongue if it is not known."""
    provider = provider_of(org_id, handle)
    return dialect_of(provider.provider_type, provider.base_url) if provider else Dialect()


def taken_at_its_word(provider: ProviderEntry, handle: str) -> ModelEntry:
    """Return the model of a handle without asking the provider whether it exists."""
    name = handle.partition("/")[2]
    return ModelEntry(handle, name, provider, window_of(name))


def resolve(org_id: str, handle: str) -> ModelEntry:
    """Return the chat model behind a handle; may ask its provider, so hold no transaction.

    A model of a provider that cannot be asked now (no key, or down) is taken at its word: only
    sending needs the provider. Raises NotFound or Invalid.
    """
    if handle == DEMO_HANDLE:
        return DEMO_MODEL
    provider = provider_of(org_id, handle)
    name = handle.partition("/")[2]
    if provider is None or provider is DEMO or not name:
        raise _unknown(handle, list_models(org_id))
    if name in KNOWN_MODELS.get(provider.name, ()):
        return taken_at_its_word(provider, handle)
    for newest in (False, True):
        offered = _models_of(provider, newest=newest)
        for model in offered:
            if model.handle == handle:
                return model
    if offered or not _may_exist(provider, name):
        raise _unknown(handle, list_models(org_id))
    return taken_at_its_word(provider, handle)


def _may_exist(provider: ProviderEntry, name: str) -> bool:
    """Tell whether a provider that cannot be asked may well have a model of this name."""
    own = next((row.base_url for row in PROVIDERS if row.name == provider.name), "")
    families = FAMILIES.get(provider.name)
    return families is None or provider.base_url != own or name.startswith(families)


def _unknown(handle: str, models: Iterable[ModelEntry]) -> NotFound:
    names = [model.handle for model in models if model.model_type == "llm"]
    return NotFound(
        f"Handle {handle} not found, must be one of {names}",
        todo="Choose a listed model, or configure its provider.",
    )


def list_models(org_id: str) -> list[ModelEntry]:
    """Return the models of all configured providers, asked at the same time, and the demo model.

    A provider that does not answer in time is left out; the answer never fails because of it.
    """
    ready = [one for one in list_providers(org_id) if one.configured and one is not DEMO]
    if not ready:
        return [DEMO_MODEL]
    with ThreadPoolExecutor(len(ready), thread_name_prefix="models") as pool:
        offered = [model for models in pool.map(_models_of, ready) for model in models]
    return [*offered, DEMO_MODEL]


def best_handle(org_id: str) -> str:
    """Return the model that a new agent in the ADE starts with."""
    models = [one for one in list_models(org_id) if one.model_type == "llm"]
    for name, known in KNOWN_MODELS.items():
        offered = {one.handle for one in models if one.provider.name == name}
        for model in known:
            if f"{name}/{model}" in offered:
                return f"{name}/{model}"
    return models[0].handle


def _models_of(provider: ProviderEntry, *, newest: bool = False) -> list[ModelEntry]:
    """Return what a provider offered when it was last asked.

    Only the first question waits for it; later an old answer is given out while a thread asks
    anew, so that a provider that is down holds nobody up. `newest` waits for a fresh answer.
    """
    if not provider.configured or provider is DEMO:
        return []
    key = (provider.base_url, provider.api_key)
    with _cache_lock:
        asked, models = _cache.get(key, (None, []))
    age = None if asked is None else time.monotonic() - asked
    if age is None or (newest and age > NEWEST_AGE_S):
        return _ask_for_models(provider)
    if age > settings.MODEL_LIST_AGE_S:
        with _cache_lock:
            _cache[key] = (time.monotonic(), models)
        threading.Thread(target=_ask_for_models, args=[provider], daemon=True).start()
    return models


def _ask_for_models(provider: ProviderEntry) -> list[ModelEntry]:
    try:
        rows = list_model_rows(provider.base_url, provider.api_key)
    except LLMError as error:
        log.warning("Provider %s did not list its models: %s", provider.name, error)
        rows = []
    models = [_entry(provider, row) for row in rows if row.get("id")]
    with _cache_lock:
        _cache[provider.base_url, provider.api_key] = (time.monotonic(), models)
    return models


def _entry(provider: ProviderEntry, row: dict[str, object]) -> ModelEntry:
    name = str(row["id"])
    embedding = is_embedding(name)
    told = row.get("max_model_len") or row.get("context_length") or row.get("context_window")
    return ModelEntry(
        handle=f"{provider.name}/{name}",
        name=name,
        provider=provider,
        window_tokens=told if isinstance(told, int) and told > 0 else window_of(name),
        model_type="embedding" if embedding else "llm",
        embedding_dim=EMBEDDING_DIMS.get(name, 1024) if embedding else 0,
    )
