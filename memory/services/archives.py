"""Archives: stores of passages."""

from collections.abc import Iterable
from typing import Any

from letta_site.core.aio import write
from letta_site.core.errors import Malformed, NotFound
from letta_site.core.paging import page
from letta_site.core.types import Actor, PageQuery
from memory.models import Archive
from memory.services.embedding_scopes import set_embedding
from memory.services.search import drop_scopes
from memory.services.storable import storable, storable_json

NAME_CHARS = 200


def create_archive(
    actor: Actor,
    *,
    name: str,
    description: str | None = None,
    embedding: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> Archive:
    """Store a new, empty archive. `embedding` is the handle of a known model, or None.

    Raises Malformed.
    """
    with write():
        archive: Archive = Archive.objects.create(
            org_id=actor.org_id,
            name=_checked_name(name),
            description=storable_json(description),
            embedding=embedding,
            metadata=storable_json(metadata or {}),
            created_by_id=actor.id,
            last_updated_by_id=actor.id,
        )
        if embedding:
            set_embedding(actor, [archive.pk], embedding)
    return archive


def set_archive_embedding(actor: Actor, archive: Archive, model: str | None) -> None:
    """Have the passages of an archive embedded by another model; None: by none."""
    with write():
        archive.embedding = model
        archive.touch(actor, "embedding")
        set_embedding(actor, [archive.pk], model)


def get_archive(actor: Actor, archive_id: str) -> Archive:
    """Return an archive. Raises NotFound."""
    row: Archive | None = Archive.objects.of(actor).filter(pk=archive_id).first()
    if row is None:
        raise NotFound(f"Archive with id '{archive_id}' not found")
    return row


def list_archives(
    actor: Actor, *, query: PageQuery, name: str | None = None, agent_id: str | None = None
) -> list[Archive]:
    """Return a page of archives: those called `name`, those that an agent searches."""
    rows = Archive.objects.of(actor)
    if name is not None:
        rows = rows.filter(name=name)
    if agent_id is not None:
        # By way of the links that another app declares.
        rows = rows.filter(agent_links__agent_id=agent_id)
    return page(rows, query)


def update_archive(actor: Actor, archive_id: str, *, changes: dict[str, Any]) -> Archive:
    """Change name, description, metadata or the known model of an archive.

    Raises Malformed, NotFound.
    """
    with write():
        row = get_archive(actor, archive_id)
        for field, value in changes.items():
            setattr(row, field, _checked_name(value) if field == "name" else storable_json(value))
        row.touch(actor, *changes)
        if "embedding" in changes:
            set_embedding(actor, [row.pk], row.embedding)
    return row


def delete_archive(actor: Actor, archive_id: str) -> None:
    """Delete an archive with its passages; agents that searched it lose it. Raises NotFound."""
    delete_archives(actor, [get_archive(actor, archive_id).pk])


def delete_archives(actor: Actor, archive_ids: Iterable[str]) -> None:
    """Delete archives with their passages, and make those unfindable."""
    with write():
        rows = Archive.objects.of(actor).filter(pk__in=list(archive_ids))
        drop_scopes(rows.values_list("pk", flat=True))
        rows.delete()


def _checked_name(name: str) -> str:
    cleaned = storable(name).strip()
    if not 0 < len(cleaned) <= NAME_CHARS:
        raise Malformed(f"The name of an archive must have from 1 to {NAME_CHARS} characters.")
    return cleaned
