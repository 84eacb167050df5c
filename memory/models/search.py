"""The one search index, over passages, messages and files alike."""

from django.db import models


class SearchEntry(models.Model):
    """A text that can be found. `scope_id` is the agent of a message, the archive of a passage,
    the folder of a piece of a file.

    `thread_id` is what it is told in, "" if it stands alone: there `seq` orders its neighbours.
    `terms` is what it is found by (memory.logic.words), `speaker` the terms of who said it. The
    index of `terms` is made by migration 0002: FTS5 on SQLite, tsvector on PostgreSQL.
    """

    org = models.ForeignKey("core.Organization", models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10)
    ref_id = models.CharField(max_length=60, unique=True)
    scope_id = models.CharField(max_length=60)
    thread_id = models.CharField(max_length=60, blank=True)
    role = models.CharField(max_length=20, blank=True)
    speaker = models.CharField(max_length=200, blank=True)
    seq = models.BigIntegerField(default=0)
    text = models.TextField()
    terms = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["scope_id", "created_at"], name="search_scope"),
            models.Index(fields=["thread_id", "seq"], name="search_thread"),
        ]
