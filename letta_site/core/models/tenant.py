"""Organisations and the people in them."""

from django.contrib.auth.models import AbstractUser
from django.db import models

from letta_site.core.clock import now
from letta_site.core.ids import DEFAULT_ORG_ID, maker
from letta_site.core.models.base import id_field


class Organization(models.Model):
    """The owner of everything. A server with one owner has the default row only."""

    id = id_field(maker("org"))
    name = models.CharField(max_length=200, default="default_org")
    created_at = models.DateTimeField(default=now, editable=False)

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """A person who may sign in. `letta_id` is what the API shows."""

    letta_id = models.CharField(max_length=60, unique=True, default=maker("user"), editable=False)
    org = models.ForeignKey(
        Organization, models.PROTECT, default=DEFAULT_ORG_ID, related_name="users"
    )
