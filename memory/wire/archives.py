"""Archives as clients send and see them."""

from typing import Any

from pydantic import BaseModel

from letta_site.core.paging import Page
from memory.models import Archive
from memory.wire.embeddings import encode_embedding_config


class CreateArchive(BaseModel):
    """An archive to be made. Without an embedding it is searched by words alone."""

    name: str
    description: str | None = None
    embedding: str | None = None
    embedding_config: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None

    def fields(self) -> dict[str, Any]:
        """Return what the service takes as it is; the model is looked up first."""
        return self.model_dump(include={"name", "description", "metadata"})


class ArchiveUpdate(BaseModel):
    """Changes of an archive; null means: as it is. Its passages follow the `embedding`."""

    name: str | None = None
    description: str | None = None
    embedding: str | None = None
    metadata: dict[str, Any] | None = None


class ArchivePage(Page):
    """A page of archives, and which of them."""

    name: str | None = None
    agent_id: str | None = None


def encode_archive(row: Archive) -> dict[str, Any]:
    """Return an archive; `embedding` is ours, the handle of the model it is embedded with."""
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "vector_db_provider": "native",
        "embedding": row.embedding,
        "embedding_config": encode_embedding_config(row.org_id, row.embedding),
        "metadata": row.metadata,
        "organization_id": row.org_id,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "created_by_id": row.created_by_id,
        "last_updated_by_id": row.last_updated_by_id,
    }
