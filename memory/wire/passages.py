"""Passages as clients send and see them."""

from typing import Any, Literal, Protocol

from pydantic import BaseModel, Field

from memory.logic.relevance import Verdict
from memory.models import Passage
from memory.wire.embeddings import encode_embedding_config
from memory.wire.queries import Moment

MOST_PASSAGES = 1_000


def encode_passage(row: Passage) -> dict[str, Any]:
    """Return a passage; the row must come with its archive, whose model embeds it.

    Its vector is not told: it is stored in half precision, for comparing only.
    """
    return {
        "created_by_id": row.created_by_id,
        "last_updated_by_id": row.last_updated_by_id,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "is_deleted": False,
        "organization_id": row.org_id,
        "archive_id": row.archive_id,
        "source_id": None,
        "file_id": None,
        "file_name": None,
        "metadata": row.metadata,
        "tags": row.tags,
        "id": row.id,
        "text": row.text,
        "embedding": None,
        "embedding_config": encode_embedding_config(row.org_id, row.archive.embedding),
    }


def encode_found(rows: list[Passage]) -> dict[str, Any]:
    """Return the answer to a search, best first."""
    results = [
        {
            "id": row.id,
            "timestamp": row.created_at.isoformat(),
            "content": row.text,
            "tags": row.tags,
        }
        for row in rows
    ]
    return {"results": results, "count": len(results)}


class Likeness(Protocol):
    """A passage that another one resembles."""

    @property
    def passage_id(self) -> str | None: ...
    @property
    def degree(self) -> float: ...
    @property
    def text(self) -> str: ...


def encode_stored(row: Passage, likeness: Likeness | None) -> dict[str, Any]:
    """Return a passage that was just stored; `resembles` is ours: what says nearly the same.

    `degree` is 1 for the same words, without regard to case and marks.
    """
    like = likeness and {
        "passage_id": likeness.passage_id,
        "degree": round(likeness.degree, 3),
        "text": likeness.text,
    }
    return {**encode_passage(row), "resembles": like}


def encode_scored(row: Passage, why: Verdict | None) -> dict[str, Any]:
    """Return a found passage with its score, and the parts of it."""
    return {
        "passage": encode_passage(row),
        "score": why.score if why else 0.0,
        "metadata": why.explained() if why else {},
    }


class PassageSearchRequest(BaseModel):
    """A search in archives; without a query it gives the newest."""

    query: str | None = None
    agent_id: str | None = None
    archive_id: str | None = None
    tags: list[str] | None = None
    tag_match_mode: Literal["any", "all"] = "any"
    limit: int = Field(50, ge=1, le=100)
    start_date: Moment | None = None
    end_date: Moment | None = None


class CreateArchivalMemory(BaseModel):
    """A passage to be stored. `metadata` is ours here."""

    text: str
    tags: list[str] | None = None
    created_at: Moment | None = None
    metadata: dict[str, Any] | None = None

    def fields(self) -> dict[str, Any]:
        """Return the passage as the service takes it."""
        return {
            "text": self.text,
            "tags": self.tags or (),
            "metadata": self.metadata or {},
            "created_at": self.created_at,
        }


class CreatePassage(CreateArchivalMemory):
    """A passage to be stored in an archive."""


class CreatePassages(BaseModel):
    """Passages to be stored at once, all or none."""

    passages: list[CreatePassage] = Field(max_length=MOST_PASSAGES)


class PassageUpdate(BaseModel):
    """Changes of a passage; null means: as it is."""

    text: str | None = None
    tags: list[str] | None = None
    metadata: dict[str, Any] | None = None
