"""Which models that embed this server has, and what their handles mean."""

from collections.abc import Mapping
from typing import Any

from letta_site.core.errors import Invalid
from letta_site.core.offers import is_embedding, list_offers, offers_of
from letta_site.core.providers import BUILTIN, PROVIDERS, ProviderEntry, provider_of
from memory.embeddings import weights
from memory.embeddings.base import EmbeddingModel
from memory.embeddings.configs import NO_MODEL, SIZES, config_of

LOCAL = EmbeddingModel("letta/all-MiniLM-L6-v2", "all-MiniLM-L6-v2", BUILTIN, weights.DIM)

# Dimensions as the providers publish them: shown until the model itself has told its own.
PUBLISHED_DIMS: dict[str, int] = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
}
_OPENAI_FAMILY = "text-embedding-"

_measured: dict[tuple[str, str], int] = {}


def remember_dim(org_id: str, handle: str, dim: int) -> None:
    """Keep the dimension that a model was seen to have."""
    _measured[org_id, handle] = dim


def forget_dims() -> None:
    """Know only published dimensions again."""
    _measured.clear()


def dim_of(org_id: str, handle: str) -> int:
    """Return the dimension of a model: as measured, else as published, else 0."""
    if handle == LOCAL.handle:
        return LOCAL.dim
    name = handle.partition("/")[2]
    return _measured.get((org_id, handle)) or PUBLISHED_DIMS.get(name, 0)


def list_embedding_models(org_id: str) -> list[EmbeddingModel]:
    """Return what the configured providers offer, and the local model if it is installed."""
    offered = [
        _model(org_id, provider, str(row["id"]))
        for provider, row in list_offers(org_id)
        if is_embedding(str(row["id"]))
    ]
    return [*offered, LOCAL] if weights.installed() else offered


def resolve(org_id: str, handle: str) -> EmbeddingModel:
    """Return the model behind a handle; may ask its provider, so hold no transaction.

    A model of a provider that cannot be asked now is taken at its word. Raises Invalid, with the
    models that are known, when the handle names none.
    """
    if handle == LOCAL.handle:
        weights.check_installed()
        return LOCAL
    provider = provider_of(org_id, handle)
    name = handle.partition("/")[2]
    if provider is None or provider is BUILTIN or not _has(provider, name):
        raise _unknown(org_id, handle)
    return _model(org_id, provider, name)


def choose(
    org_id: str, handle: str | None, config: Mapping[str, Any] | None = None
) -> EmbeddingModel | None:
    """Return the model that a request names, by handle or as an old-style config; None for none.

    May ask its provider, so hold no transaction. Raises what `resolve` does.
    """
    if config and not handle:
        kind, name = config.get("embedding_endpoint_type"), config.get("embedding_model")
        handle = config.get("handle") or (
            f"{kind}/{name}" if name not in (None, NO_MODEL) else None
        )
    return resolve(org_id, handle) if handle else None


def columns(
    org_id: str, handle: str | None, config: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return `embedding` and `embedding_config` as agents and folders store them; {} for none.

    Of an old-style config the sizes are kept. Raises what `resolve` does.
    """
    model = choose(org_id, handle, config)
    if model is None:
        return {}
    kept = {key: config[key] for key in SIZES if config and config.get(key) is not None}
    return {"embedding": model.handle, "embedding_config": config_of(model) | kept}


def taken_at_its_word(org_id: str, handle: str) -> EmbeddingModel:
    """Return the model of a handle without asking the provider. Raises Invalid without one."""
    if handle == LOCAL.handle:
        return LOCAL
    provider = provider_of(org_id, handle)
    if provider is None or provider is BUILTIN:
        raise Invalid(
            f"No provider for the embedding model {handle!r} is known here.",
            todo="Choose another embedding model, or add the provider.",
        )
    return _model(org_id, provider, handle.partition("/")[2])


def _model(org_id: str, provider: ProviderEntry, name: str) -> EmbeddingModel:
    handle = f"{provider.name}/{name}"
    return EmbeddingModel(handle, name, provider, dim_of(org_id, handle))


def _has(provider: ProviderEntry, name: str) -> bool:
    if not name or (name in PUBLISHED_DIMS and provider.name == "openai"):
        return bool(name)
    offered: set[str] = set()
    for newest in (False, True):
        offered = {str(row["id"]) for row in offers_of(provider, newest=newest)}
        if name in offered:
            return True
    return not offered and _may_exist(provider, name)


def _may_exist(provider: ProviderEntry, name: str) -> bool:
    """Tell whether a provider that cannot be asked may well have a model of this name."""
    own = next((row.base_url for row in PROVIDERS if row.name == provider.name), "")
    return provider.name != "openai" or provider.base_url != own or name.startswith(_OPENAI_FAMILY)


def _unknown(org_id: str, handle: str) -> Invalid:
    known = [model.handle for model in list_embedding_models(org_id)]
    return Invalid(
        f"Embedding model {handle} not found, must be one of {known}",
        todo="Choose one of these, configure its provider, or name none to search words only.",
    )
