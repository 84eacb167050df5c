"""Reading one file to its end: text, pieces, and what stands in the way."""

import re
from dataclasses import asdict, dataclass
from importlib import import_module

from memory.logic.chunking import Chunk, Kind, chunk
from memory.parsing.base import Unreadable

MAX_TEXT_BYTES = 32 * 1024 * 1024
_NEWLINES = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a file says, and the pieces that its text is cut into."""

    text: str
    chunks: tuple[Chunk, ...]

    def header(self) -> dict[str, object]:
        """Return what is said of the text beside it, as JSON values."""
        return {"chunks": [list(asdict(one).values()) for one in self.chunks]}


def parse(data: bytes, reader: str, cutting: Kind) -> Parsed:
    """Return the text of a file. Raises Unreadable, with a sentence for whoever uploaded it."""
    raw: str = import_module(f"memory.parsing.{reader}").read(data)
    text = _UNSTORABLE.sub("", _NEWLINES.sub("\n", raw))
    if len(text) > MAX_TEXT_BYTES or len(text.encode()) > MAX_TEXT_BYTES:
        most = MAX_TEXT_BYTES // 1024 // 1024
        raise Unreadable(f"Its text is larger than {most} MB. Split it into several files.")
    return Parsed(text, tuple(chunk(text, cutting)))
