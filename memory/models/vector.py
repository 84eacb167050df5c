"""Vectors of findable texts, and what makes them: one row a scope says which model, and how far."""

from django.db import models

from letta_site.core.clock import now
from memory.models.search import SearchEntry


class EmbeddingScope(models.Model):
    """Which model embeds the texts of a scope: an agent's messages, an archive, a folder.

    Queries are compared with the vectors of `searched_model`. That is the model before while
    `model`, the one wanted now, is not through all texts. Both None: words are searched only.
    """

    WAITING, WORKING, DONE, FAILED = "waiting", "working", "done", "failed"

    scope_id = models.CharField(max_length=60, primary_key=True)
    org = models.ForeignKey("core.Organization", models.CASCADE, related_name="+")
    model = models.CharField(max_length=200, null=True)
    searched_model = models.CharField(max_length=200, null=True)
    dim = models.PositiveIntegerField(null=True)
    state = models.CharField(max_length=10, default=WAITING)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    retry_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)

    class Meta:
        indexes = [models.Index(fields=["org", "scope_id"], name="embedding_page")]

    def __str__(self) -> str:
        return f"{self.scope_id}: {self.model}"

    def vectors_refused(self) -> "models.QuerySet[Vector]":
        """Return the rows of texts that the model did not take."""
        rows = Vector.objects.filter(scope_id=self.scope_id, model=self.model or "")
        return rows.exclude(refusal="")


class Vector(models.Model):
    """What one model makes of one text: a direction, `data` in float16, its length 1.

    A row goes when its text goes or changes: triggers of migration 0004 see to that. Where
    PostgreSQL has pgvector there is a column `embedding` besides, and `data` stays empty.
    `data` None without that column: the model refuses this text, see `refusal`.
    """

    entry = models.ForeignKey(
        SearchEntry, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="vectors"
    )
    scope_id = models.CharField(max_length=60)
    model = models.CharField(max_length=200)
    dim = models.PositiveIntegerField()
    data = models.BinaryField(null=True)
    refusal = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["entry", "model"], name="one_vector_a_text")]
        indexes = [models.Index(fields=["scope_id", "model", "id"], name="vector_scope")]
