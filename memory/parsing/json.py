"""JSON, laid out so that it can be read and pointed at line by line."""

import json

from memory.parsing import plain


def read(data: bytes) -> str:
    """Return JSON with indentation; what is not quite JSON stays as it is."""
    text = plain.read(data)
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
