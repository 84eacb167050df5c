"""Reading uploaded files, step by step: each function is one transaction.

The rows are the queue: a file whose status is not final is work to do, also for the next process.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from letta_site.core.aio import write
from letta_site.core.clock import now
from memory.logic.chunking import Chunk
from memory.logic.views import count_lines
from memory.models import File, FileChunk, FileText
from memory.models.folder import UNFINISHED
from memory.parsing.kinds import FileKind, kind_of
from memory.parsing.reading import Parsed
from memory.services.files import drop_chunks
from memory.services.folder_news import tell_ready
from memory.services.folders import touch_folder
from memory.services.search import Entry, index

MOST_ATTEMPTS = 3
CHUNKS_AT_ONCE = 200
GAVE_UP = (
    "Reading it was begun {n} times, and the server stopped each time. Upload it again, or a "
    "smaller one."
)


@dataclass(frozen=True, slots=True)
class Job:
    """A file to be read."""

    file_id: str
    name: str
    kind: FileKind


def take_next(busy: Collection[str]) -> Job | None:
    """Return the oldest file that is to be read, `busy` ones aside; None when there is none.

    What an earlier try had stored of it is removed. A file that was begun too often ends in error.
    """
    rows = File.objects.filter(status__in=UNFINISHED).exclude(pk__in=list(busy))
    while file := rows.order_by("created_at", "id").first():
        kind = kind_of(file.name, file.media_type)
        with write():
            if kind and file.attempts < MOST_ATTEMPTS:
                _begin(file)
                return Job(file.id, file.name, kind)
        fail(file.id, GAVE_UP.format(n=file.attempts))
    return None


def _begin(file: File) -> None:
    drop_chunks(file.pk)
    FileText.objects.filter(file=file).delete()
    File.objects.filter(pk=file.pk).update(
        status="parsing", attempts=file.attempts + 1, chunks_stored=0, total_chunks=None
    )


def store_text(file_id: str, parsed: Parsed) -> bool:
    """Store what a file says; False when it was deleted meanwhile."""
    with write():
        file = File.objects.select_related("folder").filter(pk=file_id).first()
        if file is None:
            return False
        FileText.objects.create(file=file, text=parsed.text)
        file.total_chunks = len(parsed.chunks)
        file.line_count = count_lines(parsed.text)
        # Nothing is embedded in a folder without a model; its pieces are found by their words.
        file.status = "embedding" if file.folder.embedding else file.status
        file.updated_at = now()
        file.save(update_fields=["total_chunks", "line_count", "status", "updated_at"])
    return True


def store_chunks(file_id: str, text: str, chunks: Sequence[Chunk], *, before: int) -> bool:
    """Store pieces of a file and make them findable; False when it was deleted meanwhile.

    `before` is how many of its pieces were stored earlier.
    """
    with write():
        file = File.objects.filter(pk=file_id).first()
        if file is None:
            return False
        rows = [_row(file, text, one, before + n) for n, one in enumerate(chunks)]
        FileChunk.objects.bulk_create(rows)
        index(_entry(row, before + n) for n, row in enumerate(rows))
        File.objects.filter(pk=file_id).update(chunks_stored=before + len(rows))
    return True


def _row(file: File, text: str, one: Chunk, number: int) -> FileChunk:
    return FileChunk(
        org_id=file.org_id,
        folder_id=file.folder_id,
        file=file,
        text=text[one.start : one.end],
        line=one.line,
        created_at=file.created_at + timedelta(microseconds=number),
    )


def _entry(row: FileChunk, number: int) -> Entry:
    return Entry(
        org_id=row.org_id,
        kind="file",
        ref_id=row.pk,
        scope_id=row.folder_id,
        text=row.text,
        created_at=row.created_at,
        seq=number,
    )


def complete(file_id: str) -> None:
    """Say that a file can be read and found."""
    with write():
        _end(file_id, "completed", None)
        if file := File.objects.select_related("folder").filter(pk=file_id).first():
            touch_folder(file.folder_id)
            tell_ready(file)


def fail(file_id: str, why: str) -> None:
    """Say why a file cannot be read; nothing else is touched by it."""
    with write():
        drop_chunks(file_id)
        _end(file_id, "error", why)


def _end(file_id: str, status: str, error: str | None) -> None:
    File.objects.filter(pk=file_id).update(status=status, error=error, updated_at=now())
