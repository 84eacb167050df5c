"""Folders: sets of files."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Prefetch, Sum

from letta_site.core.aio import write
from letta_site.core.errors import Conflict, Invalid, NotFound
from letta_site.core.paging import page
from letta_site.core.types import Actor, PageQuery
from memory.models import File, Folder
from memory.services import folder_news, originals
from memory.services.embedding_scopes import set_embedding
from memory.services.search import drop_scopes
from memory.services.storable import storable, storable_json

NAME_CHARS = 200
_TEXTS = ("name", "description", "instructions", "embedding")
OLDEST_FIRST = PageQuery(order="asc")


def create_folder(actor: Actor, *, name: str, **fields: Any) -> Folder:
    """Store a new, empty folder. Raises Invalid, or Conflict when the name is taken."""
    with write():
        _check_name(actor, name)
        folder: Folder = Folder.objects.create(
            org_id=actor.org_id,
            created_by_id=actor.id,
            last_updated_by_id=actor.id,
            **_cleaned({"name": name, **fields}),
        )
        if folder.embedding:
            set_embedding(actor, [folder.pk], folder.embedding)
    return folder


def get_folder(actor: Actor, folder_id: str) -> Folder:
    """Return a folder. Raises NotFound."""
    row: Folder | None = Folder.objects.of(actor).filter(pk=folder_id).first()
    if row is None:
        raise NotFound(f"Folder with id={folder_id} not found.")
    return row


def get_folder_named(actor: Actor, name: str) -> Folder:
    """Return the folder of this name. Raises NotFound."""
    row: Folder | None = Folder.objects.of(actor).filter(name=storable(name)).first()
    if row is None:
        raise NotFound(f"Folder with name={name} not found.")
    return row


def list_folders(
    actor: Actor, *, query: PageQuery = OLDEST_FIRST, name: str | None = None
) -> list[Folder]:
    """Return a page of folders; those of this name if one is given."""
    rows = Folder.objects.of(actor)
    return page(rows.filter(name=storable(name)) if name else rows, query)


def count_folders(actor: Actor) -> int:
    """Return how many folders there are."""
    return int(Folder.objects.of(actor).count())


def update_folder(actor: Actor, folder_id: str, *, changes: dict[str, Any]) -> Folder:
    """Change a folder; None leaves a field as it is. Raises NotFound, Invalid, Conflict."""
    columns = _cleaned(changes)
    with write():
        folder = get_folder(actor, folder_id)
        if columns.get("name", folder.name) != folder.name:
            _check_name(actor, columns["name"])
        for key, value in columns.items():
            setattr(folder, key, value)
        folder.version = F("version") + 1
        folder.touch(actor, "version", *columns)
        folder.refresh_from_db(fields=["version"])
        if "embedding" in columns:
            set_embedding(actor, [folder.pk], folder.embedding)
    return folder


def delete_folder(actor: Actor, folder_id: str) -> None:
    """Delete a folder with its files; agents lose it. Raises NotFound."""
    with write():
        folder = get_folder(actor, folder_id)
        folder_news.tell_leaving(folder)
        drop_scopes([folder.pk])
        originals.forget(list(folder.files.values_list("id", flat=True)))
        folder.delete()


@dataclass(frozen=True, slots=True)
class FolderStats:
    """What is in a folder. `files` are loaded on the folder when they were asked for."""

    folder: Folder
    file_count: int
    total_size: int
    files: tuple[File, ...]


def list_stats(actor: Actor, *, with_files: bool) -> list[FolderStats]:
    """Return the size of every folder, with its files if `with_files`."""
    rows = Folder.objects.of(actor).order_by("created_at", "id")
    counted = rows.annotate(file_count=Count("files"), total_size=Sum("files__size"))
    if with_files:
        counted = counted.prefetch_related(Prefetch("files", File.objects.order_by("name")))
    return [
        FolderStats(
            row,
            row.file_count,
            row.total_size or 0,
            tuple(row.files.all()) if with_files else (),
        )
        for row in counted
    ]


def touch_folder(folder_id: str) -> None:
    """Note that what agents see of a folder has changed."""
    Folder.objects.filter(pk=folder_id).update(version=F("version") + 1)


def _cleaned(fields: dict[str, Any]) -> dict[str, Any]:
    given = {key: value for key, value in fields.items() if value is not None}
    return {k: storable(v) if k in _TEXTS else storable_json(v) for k, v in given.items()}


def _check_name(actor: Actor, name: str) -> None:
    if not name.strip() or len(name) > NAME_CHARS:
        raise Invalid(f"The name of a folder has 1 to {NAME_CHARS} characters.")
    if Folder.objects.of(actor).filter(name=storable(name)).exists():
        raise Conflict(
            f"There is a folder named {name!r} already.", todo="Choose another name, or use it."
        )
