"""Folders of files: what was uploaded, what it says, and the pieces by which it is found."""

from django.db import models

from letta_site.core.ids import maker
from letta_site.core.models.base import Owned, id_field

UNFINISHED = ("pending", "parsing", "embedding")


class Folder(Owned):
    """A set of files that agents may be given. Clients of the old era call it a source.

    `version` is raised by whatever changes what an agent sees of the folder in its prompt.
    """

    id = id_field(maker("source"))
    name = models.CharField(max_length=200)
    description = models.TextField(null=True, blank=True)
    instructions = models.TextField(null=True, blank=True)
    metadata = models.JSONField(null=True, blank=True)
    embedding = models.CharField(max_length=200, null=True, blank=True)
    embedding_config = models.JSONField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        indexes = [models.Index(fields=["org", "created_at", "id"], name="folder_page")]
        constraints = [models.UniqueConstraint(fields=["org", "name"], name="one_folder_a_name")]

    def __str__(self) -> str:
        return self.name


class File(Owned):
    """An uploaded file. Its bytes are on the disk under its id, `sha256` is their digest.

    `status` is what is being done with it: a row that is not completed and without error is work
    to do, also after a restart; `attempts` counts how often that was begun.
    """

    id = id_field(maker("file"))
    folder = models.ForeignKey(Folder, models.CASCADE, related_name="files")
    name = models.CharField(max_length=255)
    original_name = models.CharField(max_length=255)
    media_type = models.CharField(max_length=200)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    status = models.CharField(max_length=20, default="parsing")
    error = models.TextField(null=True, blank=True)
    total_chunks = models.PositiveIntegerField(null=True)
    chunks_stored = models.PositiveIntegerField(default=0)
    line_count = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["folder", "created_at", "id"], name="file_page"),
            models.Index(
                fields=["created_at"],
                name="file_unfinished",
                condition=models.Q(status__in=UNFINISHED),
            ),
        ]
        constraints = [models.UniqueConstraint(fields=["folder", "name"], name="one_file_a_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def full_name(self) -> str:
        """The name by which clients and agents know it: its folder's, a slash, its own."""
        return f"{self.folder.name}/{self.name}"


class FileText(models.Model):
    """What a file says, apart from its row: lists of files must not carry it."""

    file = models.OneToOneField(File, models.CASCADE, primary_key=True, related_name="content")
    text = models.TextField()


class FileChunk(models.Model):
    """A piece of a file, findable by its id. `line` is its first one, counted from 1.

    `created_at` grows by a microsecond from piece to piece, which keeps their order in lists.
    """

    id = id_field(maker("passage"))
    org = models.ForeignKey("core.Organization", models.CASCADE, related_name="+")
    folder = models.ForeignKey(Folder, models.CASCADE, related_name="chunks")
    file = models.ForeignKey(File, models.CASCADE, related_name="chunks")
    text = models.TextField()
    line = models.PositiveIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["folder", "created_at", "id"], name="file_chunk_page")]

    def __str__(self) -> str:
        return self.text[:60]
