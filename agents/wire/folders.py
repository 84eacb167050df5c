"""Folders and files of an agent on the wire."""

from collections.abc import Sequence
from typing import Any, Protocol

from agents.models import AgentFile
from agents.types import Json
from agents.wire.moments import stamp
from letta_site.core.paging import Page
from letta_site.core.types import PageQuery
from memory.models import File

PREFIX = "file_agent-"
DEFAULT_LIMIT = 100


class AgentFilePageQuery(Page):
    """A page of an agent's files. `cursor` is what clients of the old era call `after`."""

    cursor: str | None = None
    is_open: bool | None = None

    def files(self) -> PageQuery:
        """Return the page in ids of files, which are the cursors with another prefix."""
        asked = Page(
            limit=self.limit,
            before=_file_id(self.before),
            after=_file_id(self.after or self.cursor),
            order=self.order,
        )
        return asked.query(limit=DEFAULT_LIMIT)


def _file_id(cursor: str | None) -> str | None:
    return cursor.replace(PREFIX, "file-", 1) if cursor else None


class Files(Protocol):
    """A page of files with what the agent sees of them."""

    @property
    def rows(self) -> Sequence[tuple[File, AgentFile | None]]: ...
    @property
    def more(self) -> bool: ...


def encode_agent_files(page: Files) -> Json:
    """Return a page of an agent's files. An attachment's id is the file's with another prefix."""
    files = [_attachment(file, view) for file, view in page.rows]
    return {
        "files": files,
        "next_cursor": files[-1]["id"] if files and page.more else None,
        "has_more": page.more,
    }


def _attachment(file: File, view: AgentFile | None) -> Json:
    is_open = view is not None and view.is_open
    return {
        "id": file.id.replace("file-", PREFIX, 1),
        "file_id": file.id,
        "file_name": file.full_name,
        "folder_id": file.folder_id,
        "folder_name": file.folder.name,
        "is_open": is_open,
        "last_accessed_at": stamp(view.accessed_at) if view else None,
        "visible_content": view.view if view and is_open else None,
        "start_line": view.start_line if view and is_open else None,
        "end_line": view.end_line if view and is_open else None,
    }


def encode_file_block(view: AgentFile, limit: int | None) -> Json:
    """Return a file that an agent has or had open as a block, as the contract has it."""
    nothing: dict[str, Any] = dict.fromkeys(
        ("project_id", "template_name", "template_id", "base_template_id", "deployment_id")
    )
    return {
        **nothing,
        "id": view.file_id.replace("file-", "block-", 1),
        "label": view.file.full_name,
        "value": view.view,
        "limit": limit,
        "description": None,
        "metadata": {},
        "tags": [],
        "read_only": True,
        "hidden": None,
        "is_template": False,
        "entity_id": None,
        "preserve_on_migration": False,
        "created_by_id": view.file.created_by_id,
        "last_updated_by_id": view.file.last_updated_by_id,
        "file_id": view.file_id,
        "source_id": view.file.folder_id,
        "folder_id": view.file.folder_id,
        "is_open": view.is_open,
        "last_accessed_at": stamp(view.accessed_at),
    }
