"""Core memory: blocks that agents see and rewrite, and every version they ever had."""

from django.db import models

from letta_site.core.clock import now
from letta_site.core.ids import maker
from letta_site.core.models.base import Owned, id_field

DEFAULT_LIMIT_CHARS = 100_000


class Block(Owned):
    """A labelled text in the prompt. `limit` counts characters; `version` is its current `n`."""

    id = id_field(maker("block"))
    label = models.CharField(max_length=200)
    value = models.TextField(blank=True)
    description = models.TextField(null=True, blank=True)
    limit = models.IntegerField(default=DEFAULT_LIMIT_CHARS)
    read_only = models.BooleanField(default=False)
    hidden = models.BooleanField(null=True, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    tags = models.JSONField(default=list, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)
    template_name = models.CharField(max_length=200, null=True, blank=True)
    is_template = models.BooleanField(default=False)
    template_id = models.CharField(max_length=100, null=True, blank=True)
    base_template_id = models.CharField(max_length=100, null=True, blank=True)
    deployment_id = models.CharField(max_length=100, null=True, blank=True)
    entity_id = models.CharField(max_length=100, null=True, blank=True)
    project_id = models.CharField(max_length=100, null=True, blank=True)
    preserve_on_migration = models.BooleanField(null=True, default=False)

    class Meta:
        indexes = [models.Index(fields=["org", "created_at", "id"], name="block_page")]

    def __str__(self) -> str:
        return f"{self.label} ({self.id})"


class BlockVersion(models.Model):
    """One state of a block and who made it. Ids of agents, runs and steps are plain text because
    this app does not know theirs. `rest` holds what no model sees: metadata, tags, template..."""

    block = models.ForeignKey(Block, models.CASCADE, related_name="versions")
    n = models.PositiveIntegerField()
    parent_n = models.PositiveIntegerField(null=True)
    label = models.CharField(max_length=200)
    value = models.TextField(blank=True)
    description = models.TextField(null=True)
    limit = models.IntegerField()
    read_only = models.BooleanField()
    rest = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=now)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.CharField(max_length=60)
    agent_id = models.CharField(max_length=60, null=True)
    agent_seq = models.BigIntegerField(null=True)
    run_id = models.CharField(max_length=60, null=True)
    step_id = models.CharField(max_length=60, null=True, db_index=True)
    message_id = models.CharField(max_length=60, null=True)
    tool_call_id = models.CharField(max_length=200, null=True)
    tool_name = models.CharField(max_length=64, null=True)

    class Meta:
        ordering = ["-n"]
        constraints = [models.UniqueConstraint(fields=["block", "n"], name="one_version_a_number")]

    def __str__(self) -> str:
        return f"{self.label} v{self.n}"
