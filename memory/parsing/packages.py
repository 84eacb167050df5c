"""Office files are zip archives of XML: what must hold before a library opens one."""

import zipfile
from io import BytesIO

from memory.parsing.base import Unreadable

MAX_UNPACKED_BYTES = 200 * 1024 * 1024
MAX_PARTS = 10_000
MAX_RATIO = 200  # real documents pack 5 to 20 times; a bomb 1,000 times
RATIO_FROM_BYTES = 10 * 1024 * 1024
_ENTITIES = b"<!DOCTYPE"


def check_package(data: bytes) -> None:
    """Raise Unreadable for what is no package, a bomb, or declares entities in its XML."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as package:
            parts = package.infolist()
            _check_sizes(parts, len(data))
            for part in parts:
                if part.filename.endswith((".xml", ".rels")):
                    _check_part(package, part)
    except (zipfile.BadZipFile, NotImplementedError, OSError, RuntimeError, EOFError):
        raise Unreadable("It is damaged, or not the kind of file its name says.") from None


def _check_sizes(parts: list[zipfile.ZipInfo], packed: int) -> None:
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > MAX_PARTS or unpacked > MAX_UNPACKED_BYTES:
        raise Unreadable("It unpacks to more than this server opens. Split it.")
    if unpacked > RATIO_FROM_BYTES and unpacked > MAX_RATIO * packed:
        raise Unreadable("It unpacks to hundreds of times its size, as zip bombs do.")


def _check_part(package: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """No office program writes a DOCTYPE; entities that expand begin with one."""
    with package.open(part) as stream:
        head = stream.read(4096)
    if _ENTITIES in head.replace(b"\x00", b"").upper():
        raise Unreadable("Its XML declares a document type, which office files never do.")
