"""Ids are `prefix-uuid4` in lower case; made and checked in this one place."""

import re
import uuid
from functools import partial

from letta_site.core.errors import Malformed

_UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_PATTERN = re.compile(rf"^(?P<prefix>[a-z_-]+?)-{_UUID4}\Z")

DEFAULT_ORG_ID = "org-00000000-0000-4000-8000-000000000000"
DEFAULT_USER_ID = "user-00000000-0000-4000-8000-000000000000"


def new_id(prefix: str) -> str:
    """Return a fresh id, e.g. `agent-43f8e098-1021-4545-9395-446f788d7389`."""
    return f"{prefix}-{uuid.uuid4()}"


def maker(prefix: str) -> "partial[str]":
    """Return a default factory that Django's migrations can write down."""
    return partial(new_id, prefix)


def is_id(value: str, *prefixes: str) -> bool:
    """Tell whether `value` is well formed and carries one of `prefixes`."""
    match = _PATTERN.match(value)
    return match is not None and match["prefix"] in prefixes


def check_id(value: str, *prefixes: str) -> str:
    """Return `value` unchanged. Raises Malformed when it is not an id with one of `prefixes`."""
    if is_id(value, *prefixes):
        return value
    shape = f"{prefixes[0]}-123e4567-e89b-42d3-8456-426614174000"
    raise Malformed(f"{value!r} is not a valid id here; ids look like {shape}.", example=shape)


def derived_otid(message_id: str, index: int) -> str:
    """Return the offline id of part `index` of a message: its uuid with the low 7 bits replaced.

    Source: the wire contract, semantics of `otid`. Raises ValueError if index is not 0..127.
    """
    if not 0 <= index < 128:
        raise ValueError(f"part index {index} is not in 0..127")
    number = uuid.UUID(message_id.removeprefix("message-")).int
    return str(uuid.UUID(int=(number & ~0x7F) | index))
