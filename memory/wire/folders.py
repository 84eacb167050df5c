"""Folders and files as clients send and see them; the keys of both client eras, always."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from pydantic import BaseModel

from memory.embeddings.configs import NOTHING_EMBEDDED
from memory.models import File, FileChunk, Folder
from memory.wire.embeddings import encode_embedding_config

_FIELDS = ("name", "description", "instructions", "metadata")


class CreateFolder(BaseModel):
    """A folder to be made."""

    name: str
    description: str | None = None
    instructions: str | None = None
    metadata: dict[str, Any] | None = None
    embedding: str | None = None
    embedding_chunk_size: int | None = None
    embedding_config: dict[str, Any] | None = None

    def fields(self) -> dict[str, Any]:
        """Return what was sent, the model aside."""
        return self.model_dump(include=set(_FIELDS), exclude_none=True)

    def config(self) -> dict[str, Any]:
        """Return the old-style config with the size of pieces in it, wherever that was said."""
        size = self.embedding_chunk_size
        return {**(self.embedding_config or {}), **({"embedding_chunk_size": size} if size else {})}


class UpdateFolder(BaseModel):
    """Changes of a folder; null means: as it is."""

    name: str | None = None
    description: str | None = None
    instructions: str | None = None
    metadata: dict[str, Any] | None = None
    embedding_config: dict[str, Any] | None = None

    def fields(self) -> dict[str, Any]:
        """Return what was sent, the model aside."""
        return self.model_dump(include=set(_FIELDS), exclude_none=True)


def encode_folder(row: Folder) -> dict[str, Any]:
    """Return a folder. A folder without an embedding model is found by words alone."""
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "instructions": row.instructions,
        "metadata": row.metadata,
        "embedding": row.embedding,
        "embedding_config": _embedding_config(row),
        "vector_db_provider": "native",
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "created_by_id": row.created_by_id,
        "last_updated_by_id": row.last_updated_by_id,
    }


def _embedding_config(row: Folder) -> dict[str, Any]:
    """Return a whole config: the clients' types require one, even where nothing is embedded."""
    known = encode_embedding_config(row.org_id, row.embedding, row.embedding_config)
    return known or NOTHING_EMBEDDED


def encode_file(row: File, *, content: str | None = None) -> dict[str, Any]:
    """Return a file; it must come with its folder."""
    stored = row.chunks_stored if row.status != "completed" else row.total_chunks
    return {
        "id": row.id,
        "source_id": row.folder_id,
        "folder_id": row.folder_id,
        "file_name": row.full_name,
        "original_file_name": row.original_name,
        "file_path": None,
        "file_type": row.media_type,
        "file_size": row.size,
        "file_creation_date": None,
        "file_last_modified_date": None,
        "processing_status": row.status,
        "error_message": row.error,
        "total_chunks": row.total_chunks,
        "chunks_embedded": stored,
        "content": content,
        "organization_id": row.org_id,
        "sha256": row.sha256,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "is_deleted": False,
    }


def encode_files(rows: Iterable[File], contents: dict[str, str]) -> list[dict[str, Any]]:
    """Return files with what they say, where that was asked for."""
    return [encode_file(row, content=contents.get(row.id)) for row in rows]


def encode_chunk(row: FileChunk) -> dict[str, Any]:
    """Return a piece of a file as a passage; it must come with its file and folder."""
    return {
        "id": row.id,
        "text": row.text,
        "source_id": row.folder_id,
        "folder_id": row.folder_id,
        "file_id": row.file_id,
        "file_name": row.file.full_name,
        "archive_id": None,
        "metadata": {"line": row.line},
        "tags": None,
        "embedding": None,
        "embedding_config": None,
        "organization_id": row.org_id,
        "created_at": row.created_at,
        "updated_at": row.created_at,
        "created_by_id": row.file.created_by_id,
        "last_updated_by_id": row.file.last_updated_by_id,
        "is_deleted": False,
    }


class Stats(Protocol):
    """The size of a folder."""

    @property
    def folder(self) -> Folder: ...
    @property
    def file_count(self) -> int: ...
    @property
    def total_size(self) -> int: ...
    @property
    def files(self) -> Sequence[File]: ...


def encode_stats(rows: Sequence[Stats]) -> dict[str, Any]:
    """Return the sizes of all folders, and their sums."""
    return {
        "total_sources": len(rows),
        "total_files": sum(row.file_count for row in rows),
        "total_size": sum(row.total_size for row in rows),
        "sources": [_stats(row) for row in rows],
    }


def _stats(row: Stats) -> dict[str, Any]:
    files = [
        {"file_id": one.id, "file_name": one.full_name, "file_size": one.size} for one in row.files
    ]
    return {
        "source_id": row.folder.id,
        "source_name": row.folder.name,
        "folder_id": row.folder.id,
        "folder_name": row.folder.name,
        "file_count": row.file_count,
        "total_size": row.total_size,
        "files": files,
    }
