"""Servers of tools that speak the Model Context Protocol."""

import json
from typing import Any

from django.db import models

from letta_site.core.ids import maker
from letta_site.core.models.base import Owned, id_field
from letta_site.core.secrets import seal, unseal


class McpServer(Owned):
    """A server that somebody added. `kind` is stdio, sse or streamable_http.

    `secrets` are {"auth_header", "auth_token", "custom_headers", "env"}, stored encrypted.
    `refused` are [{"name", "reasons"}]: tools it offers that no model's server would take.
    """

    id = id_field(maker("mcp_server"))
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=20)
    url = models.CharField(max_length=2083, blank=True)
    command = models.CharField(max_length=500, blank=True)
    args = models.JSONField(default=list, blank=True)
    sealed_secrets = models.TextField(blank=True, editable=False)
    refused = models.JSONField(default=list, blank=True, editable=False)
    last_success_at = models.DateTimeField(null=True, editable=False)
    last_error_at = models.DateTimeField(null=True, editable=False)
    last_error = models.TextField(blank=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["org", "name"], name="one_mcp_server_a_name")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def secrets(self) -> dict[str, Any]:
        """The plaintext."""
        found: dict[str, Any] = json.loads(unseal(self.sealed_secrets) or "{}")
        return found

    @secrets.setter
    def secrets(self, plain: dict[str, Any]) -> None:
        self.sealed_secrets = seal(json.dumps(plain))


class McpSignIn(Owned):
    """What an authorization server gave us for an MCP server, by its address. Stored encrypted."""

    id = id_field(maker("mcp-oauth"))
    url = models.CharField(max_length=2083)
    sealed = models.TextField(editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["org", "url"], name="one_sign_in_an_mcp_address")
        ]

    @property
    def content(self) -> dict[str, Any]:
        """The plaintext."""
        found: dict[str, Any] = json.loads(unseal(self.sealed))
        return found

    @content.setter
    def content(self, plain: dict[str, Any]) -> None:
        self.sealed = seal(json.dumps(plain))
