"""Folders and files of an agent, and agents of a folder; in the spellings of both client eras."""

from collections.abc import Callable

from django.http import HttpRequest
from ninja import Query

from agents.api.routers import agents_router as router
from agents.services import agent_files, agent_folders
from agents.types import Json
from agents.wire.agents import encode_agent
from agents.wire.folders import AgentFilePageQuery, encode_agent_files
from agents.wire.ids import AgentId
from letta_site.core.paging import MAX_LIMIT, Page
from memory.api.folders import operation
from memory.wire.folders import encode_folder
from memory.wire.ids import FileId, FolderId


@operation("GET", "/{folder_id}/agents")
def list_agents_for_folder(
    request: HttpRequest, folder_id: FolderId, page: Query[Page]
) -> list[str]:
    query = page.query(limit=50)
    return agent_folders.list_agent_ids_of_folder(request.auth, folder_id, query=query)


def list_folders_of_agent(request: HttpRequest, agent_id: AgentId, page: Query[Page]) -> list[Json]:
    # Clients of the old era cannot page here: nothing said means everything.
    query = page.query(limit=MAX_LIMIT)
    rows = agent_folders.list_agent_folders(request.auth, agent_id, query=query)
    return [encode_folder(row) for row in rows]


def attach_folder(request: HttpRequest, agent_id: AgentId, folder_id: FolderId) -> Json:
    return encode_agent(agent_folders.attach_folder(request.auth, agent_id, folder_id))


def detach_folder(request: HttpRequest, agent_id: AgentId, folder_id: FolderId) -> Json:
    return encode_agent(agent_folders.detach_folder(request.auth, agent_id, folder_id))


VIEWS: dict[tuple[str, str], Callable[..., object]] = {
    ("GET", ""): list_folders_of_agent,
    ("PATCH", "/attach/{folder_id}"): attach_folder,
    ("PATCH", "/detach/{folder_id}"): detach_folder,
}
for era in ("folders", "sources"):
    for (method, path), view in VIEWS.items():
        name = f"{view.__name__}_{era}"
        router.api_operation([method], f"/{{agent_id}}/{era}{path}", operation_id=name)(view)


# One of the old clients lists with PATCH.
@router.api_operation(["GET", "PATCH"], "/{agent_id}/files")
def list_files_of_agent(
    request: HttpRequest, agent_id: AgentId, page: Query[AgentFilePageQuery]
) -> Json:
    found = agent_files.list_agent_files(
        request.auth, agent_id, query=page.files(), is_open=page.is_open
    )
    return encode_agent_files(found)


@router.patch("/{agent_id}/files/close-all")
def close_all_files(request: HttpRequest, agent_id: AgentId) -> list[str]:
    return agent_files.close_all_files(request.auth, agent_id)


@router.patch("/{agent_id}/files/{file_id}/open")
def open_file(request: HttpRequest, agent_id: AgentId, file_id: FileId) -> list[str]:
    return agent_files.open_file(request.auth, agent_id, file_id)


@router.patch("/{agent_id}/files/{file_id}/close")
def close_file(request: HttpRequest, agent_id: AgentId, file_id: FileId) -> None:
    agent_files.close_file(request.auth, agent_id, file_id)
