"""Names of files, made safe to show, to store and to compare. PURE."""

import re
import unicodedata

MAX_NAME_CHARS = 200
NAMELESS = "file"
_SEPARATORS = re.compile(r"[/\\]")
_FORBIDDEN = re.compile(r'[<>:"|?*]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|\Z)", re.IGNORECASE)
_MAX_SUFFIX_CHARS = 20


def safe_name(given: str) -> str:
    """Return the last part of a path as a name without traps, at most 200 characters long.

    Look-alikes of slashes and dots count as what they look like; control characters, those that
    turn the direction of writing, and leading or trailing dots and blanks are dropped.
    """
    plain = unicodedata.normalize("NFKC", given)
    last = _SEPARATORS.split(plain.rstrip("/\\"))[-1]
    seen = "".join(one for one in last if unicodedata.category(one)[0] != "C")
    name = _FORBIDDEN.sub("_", " ".join(seen.split())).strip(". ")
    if _RESERVED.match(name):
        name = f"_{name}"
    return _shortened(name) or NAMELESS


def _shortened(name: str) -> str:
    stem, suffix = split_suffix(name)
    return stem[: MAX_NAME_CHARS - len(suffix)] + suffix


def split_suffix(name: str) -> tuple[str, str]:
    """Return a name and its suffix with the dot; what is long after a dot is none."""
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix) > _MAX_SUFFIX_CHARS:
        return name, ""
    return stem, dot + suffix


def numbered_name(name: str, taken: set[str]) -> str:
    """Return `name`, or `name_(1)`, `name_(2)` ... before its suffix: the first not `taken`."""
    stem, suffix = split_suffix(name)
    found, n = name, 0
    while found in taken:
        n += 1
        found = f"{stem[: MAX_NAME_CHARS - len(suffix) - 8]}_({n}){suffix}"
    return found
