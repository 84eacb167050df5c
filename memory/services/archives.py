"""Archives: stores of passages."""

from collections.abc import Iterable
from typing import Any

from letta_site.core.aio import write
from letta_site.core.types import Actor
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
    """Store a new, empty archive. `embedding` is the handle of a known model, or None."""
    with write():
        archive: Archive = Archive.objects.create(
            org_id=actor.org_id,
            name=storable(name)[:NAME_CHARS],
            description=description,
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


def delete_archives(actor: Actor, archive_ids: Iterable[str]) -> None:
    """Delete archives with their passages, and make those unfindable."""
    with write():
        rows = Archive.objects.of(actor).filter(pk__in=list(archive_ids))
        drop_scopes(rows.values_list("pk", flat=True))
        rows.delete()
