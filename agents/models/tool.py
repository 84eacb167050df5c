"""Tools that agents can call."""

from django.db import models

from letta_site.core.clock import now
from letta_site.core.ids import maker
from letta_site.core.models.base import Owned, id_field

DEFAULT_RETURN_LIMIT_CHARS = 50_000


class Tool(Owned):
    """A callable with a JSON schema. Built-in ones carry their code in this project."""

    id = id_field(maker("tool"))
    name = models.CharField(max_length=64)
    tool_type = models.CharField(max_length=40, default="custom")
    description = models.TextField(null=True, blank=True)
    source_type = models.CharField(max_length=20, null=True, default="python")
    source_code = models.TextField(null=True, blank=True)
    json_schema = models.JSONField(null=True, blank=True)
    args_json_schema = models.JSONField(null=True, blank=True)
    tags = models.JSONField(default=list, blank=True)
    return_char_limit = models.IntegerField(default=DEFAULT_RETURN_LIMIT_CHARS)
    pip_requirements = models.JSONField(null=True, blank=True)
    npm_requirements = models.JSONField(null=True, blank=True)
    default_requires_approval = models.BooleanField(null=True, blank=True)
    enable_parallel_execution = models.BooleanField(null=True, default=False)
    metadata = models.JSONField(null=True, default=dict, blank=True)
    project_id = models.CharField(max_length=100, null=True, blank=True)
    mcp_server = models.ForeignKey(
        "agents.McpServer", models.CASCADE, null=True, blank=True, related_name="tools"
    )
    # The server's own name for it; `name` is another one where that was taken, or not a name.
    mcp_name = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["org", "name"], name="one_tool_a_name")]
        indexes = [models.Index(fields=["org", "created_at", "id"], name="tool_page")]

    def __str__(self) -> str:
        return self.name


class ToolVersion(models.Model):
    """A custom tool as it was after a change. `content` holds its columns by name."""

    tool = models.ForeignKey(Tool, models.CASCADE, related_name="versions")
    n = models.PositiveIntegerField()
    content = models.JSONField()
    created_at = models.DateTimeField(default=now)
    created_by_id = models.CharField(max_length=60, null=True)

    class Meta:
        ordering = ["-n"]
        constraints = [
            models.UniqueConstraint(fields=["tool", "n"], name="one_tool_version_a_number")
        ]

    def __str__(self) -> str:
        return f"{self.tool_id} v{self.n}"
