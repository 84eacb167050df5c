"""Files of an agent's folders: which there are, which are open, opening and closing them."""

from dataclasses import dataclass, replace

from django.db.models import QuerySet

from agents.models import AgentFile
from agents.services import open_files
from agents.services.agent_blocks import check_agent, follow, locked_agent
from letta_site.core.aio import write
from letta_site.core.errors import Conflict, NotFound
from letta_site.core.paging import MAX_LIMIT, check_limit, page
from letta_site.core.types import Actor, PageQuery
from memory.models import File


@dataclass(frozen=True, slots=True)
class AgentFilePage:
    """Files of an agent, each with what it sees or saw of it; `more` follow."""

    rows: tuple[tuple[File, AgentFile | None], ...]
    more: bool


def list_agent_files(
    actor: Actor, agent_id: str, *, query: PageQuery, is_open: bool | None = None
) -> AgentFilePage:
    """Return a page of the files of an agent's folders. Raises NotFound."""
    check_agent(actor, agent_id)
    views = AgentFile.objects.filter(agent_id=agent_id)
    rows = _files(actor, agent_id)
    if is_open is not None:
        opened = views.filter(is_open=True).values("file")
        rows = rows.filter(pk__in=opened) if is_open else rows.exclude(pk__in=opened)
    limit = min(check_limit(query.limit), MAX_LIMIT - 1)
    found = page(rows, replace(query, limit=limit + 1))
    shown = found[:limit]
    seen = {view.file_id: view for view in views.filter(file__in=shown)}
    return AgentFilePage(tuple((file, seen.get(file.id)) for file in shown), len(found) > limit)


def _files(actor: Actor, agent_id: str) -> "QuerySet[File]":
    rows: QuerySet[File] = File.objects.of(actor).filter(folder__agent_links__agent_id=agent_id)
    return rows.select_related("folder")


def _file(actor: Actor, agent_id: str, file_id: str) -> File:
    file = _files(actor, agent_id).filter(pk=file_id).first()
    if file is None:
        raise NotFound(f"File with id={file_id} not found in the folders of agent {agent_id}.")
    return file


def open_file(actor: Actor, agent_id: str, file_id: str) -> list[str]:
    """Put a file into an agent's prompt; return the names of those that were closed for it.

    Raises NotFound, or Conflict while the file cannot be read.
    """
    with write():
        agent = locked_agent(actor, agent_id)
        file = _file(actor, agent_id, file_id)
        if file.status != "completed":
            why = file.error or "it is still being read"
            raise Conflict(f"{file.name} cannot be opened: {why}", todo="Wait, or upload it again.")
        closed = open_files.show(agent_id, [open_files.view_of(agent, file)])
        follow(actor, agent)
    return open_files.names_of(closed)


def close_file(actor: Actor, agent_id: str, file_id: str) -> None:
    """Take a file out of an agent's prompt. Raises NotFound."""
    with write():
        agent = locked_agent(actor, agent_id)
        _file(actor, agent_id, file_id)
        open_files.close(agent_id, [file_id])
        follow(actor, agent)


def close_all_files(actor: Actor, agent_id: str) -> list[str]:
    """Take all files out of an agent's prompt; return the names of those that were open."""
    with write():
        agent = locked_agent(actor, agent_id)
        closed = open_files.close(agent_id)
        follow(actor, agent)
    return open_files.names_of(closed)
