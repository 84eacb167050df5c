"""An embedding model as agents and archives name it: the contract's EmbeddingConfig."""

from typing import Any

from letta_site.core.providers import BUILTIN
from memory.embeddings.base import EmbeddingModel

CONFIG_DEFAULTS: dict[str, Any] = {
    "embedding_chunk_size": 300,
    "batch_size": 32,
    "azure_endpoint": None,
    "azure_version": None,
    "azure_deployment": None,
}
# What a config says, which must say something, while the model was never asked.
UNKNOWN_DIM = 1024


def config_of(model: EmbeddingModel) -> dict[str, Any]:
    """Return the EmbeddingConfig of a model. The type is one that the strict clients know."""
    local = model.provider is BUILTIN
    return {
        "handle": model.handle,
        "embedding_endpoint_type": "openai" if local else model.provider.provider_type,
        "embedding_endpoint": None if local else model.provider.base_url,
        "embedding_model": model.name,
        "embedding_dim": model.dim or UNKNOWN_DIM,
        **CONFIG_DEFAULTS,
    }
