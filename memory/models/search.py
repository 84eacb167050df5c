"""The one search index, over passages and messages alike."""

from django.db import models


class SearchEntry(models.Model):
    """A text that can be found. `scope_id` is the agent of a message, the archive of a passage,
    the folder of a piece of a file.

    The full-text index beside it is made by migration 0002: FTS5 on SQLite, tsvector on
    PostgreSQL.
    """

    org = models.ForeignKey("core.Organization", models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10)
    ref_id = models.CharField(max_length=60, unique=True)
    scope_id = models.CharField(max_length=60)
    role = models.CharField(max_length=20, blank=True)
    seq = models.BigIntegerField(default=0)
    text = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["scope_id", "created_at"], name="search_scope")]
