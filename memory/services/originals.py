"""The bytes of uploaded files, on the disk. Names there are our own ids, never a client's."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import transaction

from letta_site.core.errors import TooLarge
from memory.models import File


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes on the disk, with their number and their digest."""

    size: int
    sha256: str


def path_of(file_id: str) -> Path:
    """Return where the bytes of a file are."""
    return Path(settings.FILES_DIR) / file_id


def keep(file_id: str, pieces: Iterable[bytes]) -> Kept:
    """Write the bytes of a file; afterwards they are there whole or not at all. Raises TooLarge."""
    target = path_of(file_id)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = target.with_suffix(".part")
    digest, size = hashlib.sha256(), 0
    try:
        with unfinished.open("xb") as out:
            for piece in pieces:
                size += len(piece)
                _check_size(size)
                digest.update(piece)
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return Kept(size, digest.hexdigest())


def _check_size(size: int) -> None:
    if size > settings.MAX_FILE_BYTES:
        limit = settings.MAX_FILE_BYTES // 1024 // 1024
        raise TooLarge(
            f"The file is larger than {limit} MB.",
            todo="Split it, or raise LETTA_MAX_FILE_MB.",
        )


def forget(file_ids: Iterable[str]) -> None:
    """Remove the bytes of files once the current transaction has committed."""
    for file_id in file_ids:
        transaction.on_commit(partial(path_of(file_id).unlink, missing_ok=True))


def sweep() -> int:
    """Remove bytes that no file owns any more, as a crash can leave them; return how many."""
    folder = Path(settings.FILES_DIR)
    if not folder.is_dir():
        return 0
    there = {path.name for path in folder.iterdir()}
    owned = set(File.objects.values_list("id", flat=True)) if there else set()
    for name in there - owned:
        (folder / name).unlink(missing_ok=True)
    return len(there - owned)
