"""Embedding models on the wire: one item is both eras' item."""

from typing import Any

from letta_site.core.errors import Malformed
from letta_site.core.providers import ProviderEntry, environment_provider_of
from memory.embeddings.base import EmbeddingModel
from memory.embeddings.catalog import dim_of
from memory.embeddings.configs import CONFIG_DEFAULTS, config_of
from memory.models import EmbeddingScope

_BYTES = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
# The contract's name for the kinds of provider whose own name is another word there.
_PROVIDER_TYPES = {"lmstudio": "lmstudio_openai"}


def encode_embedding_model(model: EmbeddingModel) -> dict[str, Any]:
    """Return an EmbeddingModel that is an EmbeddingConfig too."""
    kind = model.provider.provider_type
    return {
        "name": model.name,
        "display_name": model.name,
        "provider_type": _PROVIDER_TYPES.get(kind, kind),
        "provider_name": model.provider.name,
        "model_type": "embedding",
        **config_of(model),
    }


def encode_embedding_config(
    org_id: str, handle: str | None, stored: dict[str, Any] | None = None
) -> dict[str, Any] | None:
    """Return the EmbeddingConfig of a handle, None without one; asks neither database nor model.

    `stored` is what was told when the model was chosen; only its dimension may be known better.
    """
    if not handle:
        return None
    dim = dim_of(org_id, handle)
    if stored is not None:
        known = {"embedding_dim": dim} if dim else {}
        return {**CONFIG_DEFAULTS, **stored, **known}
    name = handle.partition("/")[2]
    provider = environment_provider_of(handle)
    if provider is None:  # one that was added at run time: it speaks like OpenAI's
        provider = ProviderEntry("", handle.partition("/")[0], "openai", "", "")
    return config_of(EmbeddingModel(handle, name, provider, dim))


def encode_scope(row: EmbeddingScope) -> dict[str, Any]:
    """Return how far the embedding of a scope is. The counts are of when it was last worked on."""
    return {
        "scope_id": row.scope_id,
        "embedding": row.model,
        "searched_embedding": row.searched_model,
        "embedding_dim": row.dim,
        "state": row.state,
        "total": row.total,
        "embedded": row.done,
        "refused": row.skipped,
        "progress": _progress(row),
        "failures": row.failures,
        "error": row.error or None,
        "retry_at": row.retry_at,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _progress(row: EmbeddingScope) -> float:
    if row.total:
        return (row.done + row.skipped) / row.total
    return 1.0 if row.state == EmbeddingScope.DONE else 0.0


def in_unit(size_bytes: int, unit: str) -> float:
    """Return a size in a unit from B to TB. Raises Malformed for another one."""
    if unit.upper() not in _BYTES:
        raise Malformed(f"{unit!r} is no unit of size; these are: {', '.join(_BYTES)}.")
    return size_bytes / _BYTES[unit.upper()]
