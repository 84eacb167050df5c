"""Files of folders: storing what was uploaded, listing, reading, deleting."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from django.conf import settings

from letta_site.core.aio import write
from letta_site.core.errors import Conflict, NotFound, Unsupported
from letta_site.core.ids import new_id
from letta_site.core.paging import page
from letta_site.core.types import Actor, PageQuery
from memory.logic.file_names import numbered_name, safe_name, split_suffix
from memory.models import File, FileChunk, FileText, Folder
from memory.parsing.kinds import FileKind, kind_of, kinds_in_words
from memory.services import originals
from memory.services.folders import get_folder, touch_folder
from memory.services.search import drop

Handling = Literal["skip", "error", "suffix", "replace"]
NEWEST_FIRST = PageQuery(limit=1000)
IDS_AT_ONCE = 500  # SQLite takes a limited number of values in a statement


@dataclass(frozen=True, slots=True)
class Upload:
    """What came in. `wanted` is another name for it; `pieces` are its bytes."""

    name: str
    media_type: str
    pieces: Iterable[bytes]
    wanted: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of the folder. `skipped`: it was there before, and nothing was stored."""

    file: File
    skipped: bool = False


def store_upload(
    actor: Actor, folder_id: str, upload: Upload, *, duplicate: Handling = "suffix"
) -> Stored:
    """Put a file into a folder; what it says is read afterwards, see `ingest`.

    Raises NotFound; Unsupported for a kind that is not read; TooLarge; Conflict for a name that is
    there, with `duplicate` "error".
    """
    get_folder(actor, folder_id)
    name, kind = _name_and_kind(upload)
    if found := _found(folder_id, name, duplicate):
        return Stored(found, skipped=True)
    file = File(
        org_id=actor.org_id,
        id=new_id("file"),
        folder_id=folder_id,
        original_name=name,
        media_type=kind.media_type,
        created_by_id=actor.id,
        last_updated_by_id=actor.id,
    )
    kept = originals.keep(file.id, upload.pieces)
    file.size, file.sha256 = kept.size, kept.sha256
    try:
        return _place(file, duplicate)
    except BaseException:
        originals.path_of(file.id).unlink(missing_ok=True)
        raise


def _place(file: File, duplicate: Handling) -> Stored:
    """Give a file its name in its folder: only here, under the lock, is it certain."""
    with write():
        Folder.objects.select_for_update().filter(pk=file.folder_id).first()
        name = file.original_name
        if found := _found(file.folder_id, name, duplicate):
            originals.forget([file.id])
            return Stored(found, skipped=True)
        if duplicate == "replace":
            _delete(File.objects.filter(folder_id=file.folder_id, name=name))
            touch_folder(file.folder_id)
        file.name = numbered_name(name, _taken(file.folder_id, name))
        file.save(force_insert=True)
    return Stored(file)


def _name_and_kind(upload: Upload) -> tuple[str, FileKind]:
    given = safe_name(upload.name)
    name = safe_name(upload.wanted) if upload.wanted else given
    if not split_suffix(name)[1]:  # a name of the client's choice may lack what tells the kind
        name = safe_name(name + split_suffix(given)[1])
    kind = kind_of(name, upload.media_type)
    if kind is None:
        raise Unsupported(
            f"Unsupported file type: {name!r} is not read here.",
            todo=f"Upload one of: {kinds_in_words()}.",
        )
    return name, kind


def _found(folder_id: str, name: str, duplicate: Handling) -> File | None:
    """Return the file that is skipped for. Raises Conflict when a duplicate is an error."""
    if duplicate not in ("skip", "error"):
        return None
    found: File | None = File.objects.filter(folder_id=folder_id, name=name).first()
    if found and duplicate == "error":
        raise Conflict(
            f"The folder has a file named {name!r} already.",
            todo="Send duplicate_handling=replace, suffix or skip, or another name.",
        )
    return found


def _taken(folder_id: str, name: str) -> set[str]:
    stem, suffix = split_suffix(name)
    alike = File.objects.filter(folder_id=folder_id, name__startswith=stem[:100])
    return set(alike.filter(name__endswith=suffix).values_list("name", flat=True))


def get_file(actor: Actor, folder_id: str, file_id: str) -> File:
    """Return a file of a folder, with the folder. Raises NotFound."""
    rows = File.objects.of(actor).select_related("folder")
    row: File | None = rows.filter(folder_id=folder_id, pk=file_id).first()
    if row is None:
        raise NotFound(f"File with id={file_id} not found.")
    return row


def list_files(actor: Actor, folder_id: str, *, query: PageQuery = NEWEST_FIRST) -> list[File]:
    """Return a page of the files of a folder, with the folder. Raises NotFound."""
    get_folder(actor, folder_id)
    return page(File.objects.of(actor).select_related("folder").filter(folder_id=folder_id), query)


def contents_of(files: Sequence[File]) -> dict[str, str]:
    """Return what files say, by their ids: of a list as much as one file may have."""
    wanted: list[str] = []
    size = 0
    for file in files:
        size += file.size
        if size <= settings.MAX_FILE_BYTES or not wanted:
            wanted.append(file.id)
    return texts_of(wanted)


def texts_of(file_ids: Sequence[str]) -> dict[str, str]:
    """Return what files say, by their ids; those that are not read yet are missing."""
    rows = FileText.objects.filter(file_id__in=file_ids)
    return dict(rows.values_list("file_id", "text"))


def list_chunks(actor: Actor, folder_id: str, *, query: PageQuery) -> list[FileChunk]:
    """Return a page of the pieces of a folder's files, each with its file. Raises NotFound."""
    get_folder(actor, folder_id)
    rows = FileChunk.objects.filter(org_id=actor.org_id, folder_id=folder_id)
    return page(rows.select_related("file__folder"), query)


def delete_file(actor: Actor, folder_id: str, file_id: str) -> None:
    """Delete a file with its bytes and its pieces. Raises NotFound."""
    with write():
        get_file(actor, folder_id, file_id)
        _delete(File.objects.filter(pk=file_id))
        touch_folder(folder_id)


def _delete(rows: "Iterable[File]") -> None:
    for file in rows:
        drop_chunks(file.pk)
        originals.forget([file.pk])
        file.delete()


def drop_chunks(file_id: str) -> None:
    """Remove the pieces of a file, and make them unfindable."""
    ids = list(FileChunk.objects.filter(file_id=file_id).values_list("id", flat=True))
    for at in range(0, len(ids), IDS_AT_ONCE):
        some = ids[at : at + IDS_AT_ONCE]
        drop(some)
        FileChunk.objects.filter(pk__in=some).delete()
