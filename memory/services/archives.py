"""Archives: stores of passages."""

from collections.abc import Iterable
from typing import Any

from letta_site.core.aio import write
from letta_site.core.types import Actor
from memory.models import Archive
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
    """Store a new, empty archive."""
    with write():
        return Archive.objects.create(
            org_id=actor.org_id,
            name=storable(name)[:NAME_CHARS],
            description=description,
            embedding=embedding,
            metadata=storable_json(metadata or {}),
            created_by_id=actor.id,
            last_updated_by_id=actor.id,
        )


def delete_archives(actor: Actor, archive_ids: Iterable[str]) -> None:
    """Delete archives with their passages, and make those unfindable."""
    with write():
        rows = Archive.objects.of(actor).filter(pk__in=list(archive_ids))
        drop_scopes(rows.values_list("pk", flat=True))
        rows.delete()
