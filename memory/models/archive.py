"""Archival memory: passages in archives, and what was asked of them."""

from django.db import models

from letta_site.core.clock import now
from letta_site.core.ids import maker
from letta_site.core.models.base import Owned, id_field


class Archive(Owned):
    """A store of passages that one agent, or several, may search."""

    id = id_field(maker("archive"))
    name = models.CharField(max_length=200)
    description = models.TextField(null=True, blank=True)
    embedding = models.CharField(max_length=200, null=True, blank=True)
    metadata = models.JSONField(default=dict, blank=True)

    def __str__(self) -> str:
        return self.name


class Passage(Owned):
    """A piece of text to be found again. It needs no embedding to be searchable."""

    id = id_field(maker("passage"))
    archive = models.ForeignKey(Archive, models.CASCADE, related_name="passages")
    text = models.TextField()
    tags = models.JSONField(default=list, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    agent_id = models.CharField(max_length=60, null=True)
    run_id = models.CharField(max_length=60, null=True)
    step_id = models.CharField(max_length=60, null=True)
    tool_call_id = models.CharField(max_length=200, null=True)

    class Meta:
        indexes = [models.Index(fields=["archive", "created_at", "id"], name="passage_page")]

    def __str__(self) -> str:
        return self.text[:60]


class PassageTag(models.Model):
    """A tag as a row, so that a search can filter by it before it limits."""

    passage = models.ForeignKey(Passage, models.CASCADE, related_name="tag_rows")
    archive = models.ForeignKey(Archive, models.CASCADE, related_name="+")
    tag = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["passage", "tag"], name="one_tag_once")]
        indexes = [models.Index(fields=["archive", "tag"], name="passage_tag")]


class Retrieval(models.Model):
    """A search by an agent: what it asked, in which way, and what came back with which score."""

    org = models.ForeignKey("core.Organization", models.CASCADE, related_name="+")
    agent_id = models.CharField(max_length=60, db_index=True)
    agent_seq = models.BigIntegerField(null=True)
    run_id = models.CharField(max_length=60, null=True)
    step_id = models.CharField(max_length=60, null=True, db_index=True)
    tool_call_id = models.CharField(max_length=200, null=True)
    kind = models.CharField(max_length=20)
    query = models.TextField(blank=True)
    filters = models.JSONField(default=dict)
    mode = models.CharField(max_length=20, default="lexical")
    hits = models.JSONField(default=list)
    created_at = models.DateTimeField(default=now)
