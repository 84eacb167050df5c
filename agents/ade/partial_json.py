"""Text inside JSON that is still being written."""

import json
import re

_ESCAPE_AT_END = re.compile(r"\\(u[0-9a-fA-F]{0,3})?$")


def text_so_far(arguments: str, key: str) -> str:
    """Return as much of the string at `key` as has arrived."""
    start = re.search(rf'"{re.escape(key)}"\s*:\s*"', arguments)
    if not start:
        return ""
    body = _until_quote(arguments[start.end() :])
    try:
        text: str = json.loads(f'"{body}"', strict=False)
    except ValueError:
        return ""
    half_a_pair = "\ud800" <= text[-1:] <= "\udbff"
    return text[:-1] if half_a_pair else text


def _until_quote(rest: str) -> str:
    escaped = False
    for at, char in enumerate(rest):
        if char == '"' and not escaped:
            return rest[:at]
        escaped = char == "\\" and not escaped
    return _cut_escape(rest, escaped)


def _cut_escape(rest: str, escaped: bool) -> str:
    """Drop an escape of which only the beginning is there."""
    if escaped:
        return rest[:-1]
    found = _ESCAPE_AT_END.search(rest)
    return rest[: found.start()] if found and found.group(1) else rest
