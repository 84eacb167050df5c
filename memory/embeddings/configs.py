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
# Of these a caller may say what it likes.
SIZES = ("embedding_chunk_size", "batch_size")
# The name of the model where nothing is embedded, for clients that insist on a config.
NO_MODEL = "none"
NOTHING_EMBEDDED: dict[str, Any] = {
    "handle": None,
    "embedding_endpoint_type": "openai",
    "embedding_endpoint": None,
    "embedding_model": NO_MODEL,
    "embedding_dim": 1,
    **CONFIG_DEFAULTS,
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
