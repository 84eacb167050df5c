"""Servers of models that were added at run time; those of the environment are not stored."""

from django.db import models

from letta_site.core.ids import maker
from letta_site.core.models.base import Owned, id_field
from letta_site.core.secrets import seal, unseal


class Provider(Owned):
    """An OpenAI-compatible server. `name` is the prefix of its model handles."""

    id = id_field(maker("provider"))
    name = models.CharField(max_length=100)
    provider_type = models.CharField(max_length=40, default="openai")
    base_url = models.CharField(max_length=500, blank=True)
    sealed_key = models.TextField(blank=True, editable=False)
    enabled = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["org", "name"], name="one_provider_a_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def api_key(self) -> str:
        """The key in clear, for the call to the provider only."""
        return unseal(self.sealed_key)

    def set_api_key(self, plain: str) -> None:
        """Store `plain` encrypted."""
        self.sealed_key = seal(plain) if plain else ""
