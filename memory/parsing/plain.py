"""Files that are text already."""

from bs4.dammit import UnicodeDammit

from memory.parsing.base import Unreadable


def read(data: bytes) -> str:
    """Return a text file's text, whatever its encoding. Raises Unreadable for binary data."""
    if not data:
        return ""
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff"))
    if not marked and b"\x00" in data:
        raise Unreadable("It holds binary data, though its name says that it is text.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        found = UnicodeDammit(data, ["utf-16"] if marked else ["utf-8", "windows-1252"])
    if found.unicode_markup is None:
        raise Unreadable("Its encoding is not known. Save it as UTF-8 and upload it again.")
    return found.unicode_markup
