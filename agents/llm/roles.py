"""Histories for servers that insist on an order of roles. Pure."""

from agents.types import Json

_AFTER_TOOL: Json = {"role": "assistant", "content": "Understood."}
_OPENING: Json = {"role": "user", "content": "(The conversation goes on.)"}


def strict_roles(rows: list[Json]) -> list[Json]:
    """Return a history with one system message, at its head, then user and assistant in turn.

    Later system messages become the user's, neighbouring texts of the user become one, a user is
    never first behind a tool, and the first one to speak is the user.
    """
    ordered: list[Json] = []
    for at, row in enumerate(rows):
        _append(ordered, {**row, "role": "user"} if at and row["role"] == "system" else row)
    if len(ordered) > 1 and ordered[1]["role"] != "user":
        ordered.insert(1, _OPENING)
    return ordered


def _append(ordered: list[Json], row: Json) -> None:
    before = ordered[-1] if ordered else {}
    if row["role"] == "user" and before.get("role") == "tool":
        ordered.append(_AFTER_TOOL)
    elif row["role"] == "user" and before.get("role") == "user":
        ordered[-1] = {**before, "content": _joined(before["content"], row["content"])}
        return
    ordered.append(row)


def _joined(first: str | list[Json], second: str | list[Json]) -> str | list[Json]:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}"
    return [*_parts(first), *_parts(second)]


def _parts(content: str | list[Json]) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
