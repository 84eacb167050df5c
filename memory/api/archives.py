"""Archives: /v1/archives. What names an agent is in `agents.api.archive_links`."""

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from memory.embeddings import catalog
from memory.services import archives, passages
from memory.services.duplicates import insert_compared
from memory.wire.archives import ArchivePage, ArchiveUpdate, CreateArchive, encode_archive
from memory.wire.ids import ArchiveId, PassageId
from memory.wire.passages import (
    CreatePassage,
    CreatePassages,
    PassageUpdate,
    encode_passage,
    encode_stored,
)
from memory.wire.queries import PassagePage

router = Router(tags=["archives"])
Json = dict[str, Any]


@router.post("/")
def create_archive(request: HttpRequest, given: CreateArchive) -> Json:
    model = catalog.choose(request.auth.org_id, given.embedding, given.embedding_config)
    handle = model.handle if model else None
    return encode_archive(archives.create_archive(request.auth, embedding=handle, **given.fields()))


@router.get("/")
def list_archives(request: HttpRequest, page: Query[ArchivePage]) -> list[Json]:
    rows = archives.list_archives(
        request.auth, query=page.query(limit=50), name=page.name, agent_id=page.agent_id
    )
    return [encode_archive(row) for row in rows]


@router.get("/{archive_id}")
def get_archive(request: HttpRequest, archive_id: ArchiveId) -> Json:
    return encode_archive(archives.get_archive(request.auth, archive_id))


@router.patch("/{archive_id}")
def update_archive(request: HttpRequest, archive_id: ArchiveId, given: ArchiveUpdate) -> Json:
    changes = given.model_dump(exclude_none=True)
    if model := catalog.choose(request.auth.org_id, given.embedding, None):
        changes["embedding"] = model.handle
    return encode_archive(archives.update_archive(request.auth, archive_id, changes=changes))


@router.delete("/{archive_id}", response={204: None})
def delete_archive(request: HttpRequest, archive_id: ArchiveId) -> None:
    archives.delete_archive(request.auth, archive_id)


@router.get("/{archive_id}/passages")
def list_passages(
    request: HttpRequest, archive_id: ArchiveId, page: Query[PassagePage]
) -> list[Json]:
    """List the passages of an archive, by text, tags and dates. Ours."""
    archives.get_archive(request.auth, archive_id)
    rows = passages.list_passages(
        request.auth,
        archive_ids=[archive_id],
        query=page.query(limit=100, order="asc"),
        wanted=_wanted(page),
    )
    return [encode_passage(row) for row in rows]


def _wanted(page: PassagePage) -> passages.PassageFilter:
    return passages.PassageFilter(**page.conditions())


@router.post("/{archive_id}/passages")
def create_passage(request: HttpRequest, archive_id: ArchiveId, given: CreatePassage) -> Json:
    return _store(request, archive_id, [given])[0]


@router.post("/{archive_id}/passages/batch")
def create_passages(
    request: HttpRequest, archive_id: ArchiveId, given: CreatePassages
) -> list[Json]:
    return _store(request, archive_id, given.passages)


def _store(request: HttpRequest, archive_id: str, given: list[CreatePassage]) -> list[Json]:
    archives.get_archive(request.auth, archive_id)
    drafts = [passages.PassageDraft(**one.fields()) for one in given]
    stored = insert_compared(request.auth, archive_id=archive_id, rows=drafts)
    return [encode_stored(row, likeness) for row, likeness in stored]


@router.get("/{archive_id}/passages/{passage_id}")
def get_passage(request: HttpRequest, archive_id: ArchiveId, passage_id: PassageId) -> Json:
    """Return a passage. Ours."""
    return encode_passage(passages.get_passage(request.auth, passage_id, archive_id=archive_id))


@router.patch("/{archive_id}/passages/{passage_id}")
def update_passage(
    request: HttpRequest, archive_id: ArchiveId, passage_id: PassageId, given: PassageUpdate
) -> Json:
    """Change a passage. Ours."""
    passages.get_passage(request.auth, passage_id, archive_id=archive_id)
    changed = passages.update_passage(request.auth, passage_id, **given.model_dump())
    return encode_passage(changed)


@router.delete("/{archive_id}/passages/{passage_id}", response={204: None})
def delete_passage(request: HttpRequest, archive_id: ArchiveId, passage_id: PassageId) -> None:
    passages.get_passage(request.auth, passage_id, archive_id=archive_id)
    passages.delete_passage(request.auth, passage_id)
