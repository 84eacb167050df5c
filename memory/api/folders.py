"""Folders and their files: /v1/folders, and /v1/sources for clients of the old era.

What names an agent is in `agents.api.agent_folders`.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponse
from ninja import File, Query, Router
from ninja.files import UploadedFile

from letta_site.core.paging import Page
from memory.embeddings import catalog
from memory.runtime import ingest
from memory.services import files, folders
from memory.wire.folders import (
    CreateFolder,
    UpdateFolder,
    encode_chunk,
    encode_file,
    encode_files,
    encode_folder,
    encode_stats,
)
from memory.wire.ids import FileId, FolderId

router = Router(tags=["folders"])
sources_router = Router(tags=["sources"])

View = TypeVar("View", bound=Callable[..., Any])


def operation(method: str, path: str) -> Callable[[View], View]:
    """Offer a view under both spellings of a folder."""

    def offer(view: View) -> View:
        name = f"source_{view.__name__}"
        router.api_operation([method], path)(view)
        sources_router.api_operation([method], path, operation_id=name)(view)
        return view

    return offer


@operation("GET", "/count")
def count_folders(request: HttpRequest) -> int:
    return folders.count_folders(request.auth)


@operation("GET", "/metadata")
def get_metadata(
    request: HttpRequest, include_detailed_per_source_metadata: bool = False
) -> dict[str, Any]:
    detailed = include_detailed_per_source_metadata
    return encode_stats(folders.list_stats(request.auth, with_files=detailed))


@operation("GET", "/name/{path:folder_name}")
def get_folder_id(request: HttpRequest, folder_name: str) -> str:
    return folders.get_folder_named(request.auth, folder_name).id


@router.get("/")
def list_folders(
    request: HttpRequest, page: Query[Page], name: str | None = None
) -> list[dict[str, Any]]:
    query = page.query(limit=50, order="asc")
    return [
        encode_folder(row) for row in folders.list_folders(request.auth, query=query, name=name)
    ]


@sources_router.get("/")
def list_sources(request: HttpRequest, page: Query[Page]) -> list[dict[str, Any]]:
    # Clients of the old era cannot page here: nothing said means everything.
    query = page.query(limit=1000, order="asc")
    return [encode_folder(row) for row in folders.list_folders(request.auth, query=query)]


@operation("POST", "/")
def create_folder(request: HttpRequest, given: CreateFolder) -> dict[str, Any]:
    model = catalog.columns(request.auth.org_id, given.embedding, given.config())
    return encode_folder(folders.create_folder(request.auth, **given.fields(), **model))


@operation("GET", "/{folder_id}")
def get_folder(request: HttpRequest, folder_id: FolderId) -> dict[str, Any]:
    return encode_folder(folders.get_folder(request.auth, folder_id))


@operation("PATCH", "/{folder_id}")
def update_folder(request: HttpRequest, folder_id: FolderId, given: UpdateFolder) -> dict[str, Any]:
    model = catalog.columns(request.auth.org_id, None, given.embedding_config)
    row = folders.update_folder(request.auth, folder_id, changes={**given.fields(), **model})
    return encode_folder(row)


@operation("DELETE", "/{folder_id}")
def delete_folder(request: HttpRequest, folder_id: FolderId) -> None:
    folders.delete_folder(request.auth, folder_id)


@operation("POST", "/{folder_id}/upload")
def upload_file(
    request: HttpRequest,
    response: HttpResponse,
    folder_id: FolderId,
    file: File[UploadedFile],
    duplicate_handling: files.Handling = "suffix",
    name: str | None = None,
) -> dict[str, Any]:
    upload = files.Upload(file.name or "", file.content_type or "", file.chunks(), name)
    stored = files.store_upload(request.auth, folder_id, upload, duplicate=duplicate_handling)
    if stored.skipped:
        response["X-Upload-Result"] = "skipped"
    ingest.wake()
    return encode_file(files.get_file(request.auth, folder_id, stored.file.id))


@operation("GET", "/{folder_id}/passages")
def list_passages(
    request: HttpRequest, folder_id: FolderId, page: Query[Page]
) -> list[dict[str, Any]]:
    rows = files.list_chunks(request.auth, folder_id, query=page.query(limit=100))
    return [encode_chunk(row) for row in rows]


@operation("GET", "/{folder_id}/files")
def list_files(
    request: HttpRequest,
    folder_id: FolderId,
    page: Query[Page],
    include_content: bool = False,
) -> list[dict[str, Any]]:
    rows = files.list_files(request.auth, folder_id, query=page.query(limit=1000))
    return encode_files(rows, files.contents_of(rows) if include_content else {})


@operation("GET", "/{folder_id}/files/{file_id}")
def get_file(
    request: HttpRequest, folder_id: FolderId, file_id: FileId, include_content: bool = False
) -> dict[str, Any]:
    row = files.get_file(request.auth, folder_id, file_id)
    text = files.texts_of([file_id]).get(file_id) if include_content else None
    return encode_file(row, content=text)


@operation("DELETE", "/{folder_id}/{file_id}")
def delete_file(request: HttpRequest, folder_id: FolderId, file_id: FileId) -> HttpResponse:
    files.delete_file(request.auth, folder_id, file_id)
    return HttpResponse(status=204)
