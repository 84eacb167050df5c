"""A request body cut into labelled pieces that together are its bytes. PURE."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agents.types import Json

_SYSTEM_MARKS = (
    ("memory", "<memory_blocks>", "</memory_blocks>"),
    ("tool_rules", "<tool_usage_rules>", "</tool_usage_rules>"),
    ("directories", "<directories>", "</directories>"),
    ("metadata", "<memory_metadata>", "</memory_metadata>"),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the body as it goes over the wire.

    `kind`: frame (braces and keys), instructions, memory, block, tool_rules, directories,
    metadata, summary, message, tool, parameters. `name` tells which one: the label of a block, the
    name of a tool, the role of a message. `content` is what it says, without JSON's own marks.
    """

    kind: str
    text: str
    name: str = ""
    content: str = ""
    message_id: str | None = None


def split_body(
    body: Json, *, origins: Sequence[str] | None = None, labels: Sequence[str] = ()
) -> list[Piece]:
    """Return the pieces of a body, in the order of its bytes: their texts make up the whole.

    `origins` are the ids of the messages behind the rows after the system message, if they are
    known; `labels` those of the blocks to look for in the system message.
    """
    pieces: list[Piece] = [Piece("frame", "{")]
    for at, (key, value) in enumerate(body.items()):
        lead = f"{',' if at else ''}{_dump(key)}:"
        if key == "messages":
            pieces += [Piece("frame", lead), *_messages(value, origins or (), labels)]
        elif key == "tools":
            pieces += [Piece("frame", lead), *_tools(value)]
        else:
            kind = "frame" if key == "model" else "parameters"
            pieces.append(Piece(kind, lead + _dump(value), key, str(value)))
    return [*pieces, Piece("frame", "}")]


def _dump(value: Any) -> str:
    # As `llm.to_openai.encode` writes it.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _messages(
    rows: Sequence[Json], origins: Sequence[str], labels: Sequence[str]
) -> Iterator[Piece]:
    known = origins if len(origins) == len(rows) - 1 else ()
    yield Piece("frame", "[")
    for at, row in enumerate(rows):
        if at:
            yield Piece("frame", ",")
        if at == 0 and row.get("role") == "system" and isinstance(row.get("content"), str):
            yield from _system(row, labels)
        else:
            origin = known[at - 1] if known and at else None
            yield Piece("message", _dump(row), row["role"], _dump(row), origin)
    yield Piece("frame", "]")


def _tools(rows: Sequence[Json]) -> Iterator[Piece]:
    yield Piece("frame", "[")
    for at, row in enumerate(rows):
        if at:
            yield Piece("frame", ",")
        yield Piece("tool", _dump(row), row["function"]["name"], _dump(row["function"]))
    yield Piece("frame", "]")


def _system(row: Json, labels: Sequence[str]) -> Iterator[Piece]:
    for at, (key, value) in enumerate(row.items()):
        lead = f"{',' if at else '{'}{_dump(key)}:"
        if key != "content":
            yield Piece("frame", lead + _dump(value))
            continue
        yield Piece("frame", f'{lead}"')
        for kind, name, text in _parts(value, labels):
            yield Piece(kind, _dump(text)[1:-1], name, text)
        yield Piece("frame", '"')
    yield Piece("frame", "}")


def _parts(text: str, labels: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Yield (kind, name, text) of the sections of a system message; the rest is instructions."""
    done = 0
    for start, end, kind in sorted(_sections(text)):
        if start < done:
            continue
        if start > done:
            yield "instructions", "", text[done:start]
        whole = text[start:end]
        yield from _blocks(whole, labels) if kind == "memory" else [(kind, "", whole)]
        done = end
    if done < len(text):
        yield "instructions", "", text[done:]


def _sections(text: str) -> Iterator[tuple[int, int, str]]:
    for kind, opening, closing in _SYSTEM_MARKS:
        # What we write stands behind what others may have put into the instructions.
        start = text.find(opening) if kind == "memory" else text.rfind(opening)
        end = text.rfind(closing)
        if 0 <= start < end:
            yield start, end + len(closing), kind


def _blocks(text: str, labels: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    done = 0
    for label in labels:
        start = text.find(f"<{label}>\n<description>", done)
        closing = f"</value>\n</{label}>"
        end = text.find(closing, start)
        if start < 0 or end < 0:
            continue
        if start > done:
            yield "memory", "", text[done:start]
        done = end + len(closing)
        yield "block", label, text[start:done]
    yield "memory", "", text[done:]


def mark_summary(pieces: Sequence[Piece], summary_id: str | None) -> list[Piece]:
    """Return the pieces with the row of the summary called so."""
    return [
        replace(one, kind="summary") if summary_id and one.message_id == summary_id else one
        for one in pieces
    ]


@dataclass(frozen=True, slots=True)
class Break:
    """Where two requests part: `at` counts the pieces that a model reads, `chars` into it."""

    at: int
    chars: int


def read_order(pieces: Sequence[Piece]) -> list[Piece]:
    """Return the pieces that are part of the prompt, tools first, as providers lay it out.

    Source: OpenAI's and Anthropic's pages on prompt caching: tools precede the messages.
    """
    tools = [one for one in pieces if one.kind == "tool"]
    rest = [one for one in pieces if one.kind not in ("tool", "frame", "parameters")]
    return [*tools, *rest]


def find_break(before: Sequence[Piece], after: Sequence[Piece]) -> Break | None:
    """Return where `after` stops being a continuation of `before`, both in reading order.

    None: everything of `before` stands at the beginning of `after` unchanged.
    """
    for at, old in enumerate(before):
        new = after[at].text if at < len(after) else ""
        if new != old.text:
            same = next(
                (n for n, (a, b) in enumerate(zip(old.text, new, strict=False)) if a != b),
                min(len(old.text), len(new)),
            )
            return Break(at, same)
    return None
