"""What every stored row has."""

from typing import Any, Self

from django.db import models

from letta_site.core.clock import now
from letta_site.core.types import Actor


class OwnedQuerySet(models.QuerySet[Any]):
    """A queryset that starts with `.of(actor)`: rows of the actor's organisation only."""

    def of(self, actor: Actor) -> Self:
        """Keep the rows that `actor` may see."""
        return self.filter(org_id=actor.org_id)


class Owned(models.Model):
    """A row that belongs to an organisation. `id` is `prefix-uuid4`; subclasses set the default."""

    org = models.ForeignKey("core.Organization", models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(default=now, editable=False)
    created_by_id = models.CharField(max_length=60, null=True, blank=True, editable=False)
    last_updated_by_id = models.CharField(max_length=60, null=True, blank=True, editable=False)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        abstract = True

    def touch(self, actor: Actor, *fields: str) -> None:
        """Save only `fields`, and who changed them when."""
        self.updated_at = now()
        self.last_updated_by_id = actor.id
        self.save(update_fields=[*fields, "updated_at", "last_updated_by_id"])


def id_field(default: Any) -> "models.CharField[str, str]":
    """Return the primary key column that every prefixed-id model uses."""
    return models.CharField(max_length=60, primary_key=True, default=default, editable=False)
