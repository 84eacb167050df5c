"""Text that every database can keep."""

import re
from typing import Any

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """Return `text` without NUL characters, lone surrogates replaced by U+FFFD.

    PostgreSQL refuses both, and no UTF-8 encoder takes the second.
    """
    if not _UNSTORABLE.search(text):
        return text
    return _UNSTORABLE.sub(lambda found: "" if found[0] == "\x00" else "\ufffd", text)


def storable_json(value: Any) -> Any:
    """Return a JSON value with every string and key in it made storable."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [storable_json(one) for one in value]
    if isinstance(value, dict):
        return {storable(str(key)): storable_json(one) for key, one in value.items()}
    return value
