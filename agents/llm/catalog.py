"""Which chat models this server offers right now, and what their handles mean."""

from collections.abc import Iterable

from agents.llm.base import ModelEntry
from agents.llm.dialects import Dialect, dialect_of
from agents.llm.providers import DEMO_HANDLE, FAMILIES, KNOWN_MODELS, window_of
from letta_site.core.errors import NotFound
from letta_site.core.offers import Offer, is_embedding, list_offers, offers_of
from letta_site.core.providers import BUILTIN, PROVIDERS, ProviderEntry, provider_of

DEMO_MODEL = ModelEntry(DEMO_HANDLE, "demo", BUILTIN, 32_000)


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
    if provider is None or provider is BUILTIN or not name:
        raise _unknown(handle, list_models(org_id))
    if name in KNOWN_MODELS.get(provider.name, ()):
        return taken_at_its_word(provider, handle)
    for newest in (False, True):
        offered = [_entry(provider, row) for row in offers_of(provider, newest=newest)]
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
    names = [model.handle for model in models]
    return NotFound(
        f"Handle {handle} not found, must be one of {names}",
        todo="Choose a listed model, or configure its provider.",
    )


def list_models(org_id: str) -> list[ModelEntry]:
    """Return the chat models of all configured providers, and the demo model."""
    offered = [
        _entry(provider, row)
        for provider, row in list_offers(org_id)
        if not is_embedding(str(row["id"]))
    ]
    return [*offered, DEMO_MODEL]


def best_handle(org_id: str) -> str:
    """Return the model that a new agent in the ADE starts with."""
    models = list_models(org_id)
    for name, known in KNOWN_MODELS.items():
        offered = {one.handle for one in models if one.provider.name == name}
        for model in known:
            if f"{name}/{model}" in offered:
                return f"{name}/{model}"
    return models[0].handle


def _entry(provider: ProviderEntry, row: Offer) -> ModelEntry:
    name = str(row["id"])
    told = row.get("max_model_len") or row.get("context_length") or row.get("context_window")
    return ModelEntry(
        handle=f"{provider.name}/{name}",
        name=name,
        provider=provider,
        window_tokens=told if isinstance(told, int) and told > 0 else window_of(name),
    )
