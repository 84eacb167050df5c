"""Files of the folders that an agent has: opening, searching lines, searching by meaning."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from typing import Any

from agents.models import Agent
from agents.services.file_views import max_files_open
from agents.services.folder_links import folder_ids_of
from agents.services.open_files import names_of, readable_files, to_close, view_of
from agents.tools.base import FILES_CORE, ToolFailure, builtin, integer, string
from agents.tools.builtin.finding import logged, result_count
from agents.types import Json, OpenedFile, ToolContext, ToolOutcome
from letta_site.core.aio import in_db
from memory.logic.grep import BadPattern, Match, OutOfTime, compile_pattern, matches
from memory.models import File, FileChunk
from memory.runtime.queries import with_vector
from memory.services.candidates import SearchQuery
from memory.services.files import texts_of
from memory.services.search import Hit, search

PAGE = 20  # matches that grep shows at once, as the contract has it
GREP_TIMEOUT_S = 20
BYTES_AT_ONCE = 4 * 1024 * 1024
MOST_CONTEXT = 10
NAMES_SHOWN = 20

_REQUEST: Json = {
    "type": "object",
    "properties": {
        "file_name": string("The name of the file as the folders section writes it."),
        "offset": integer("The first line to show, counted from 1."),
        "length": integer("How many lines to show; left out: as many as fit."),
    },
    "required": ["file_name"],
}


@builtin(
    "open_files",
    FILES_CORE,
    "Open files to read them, from the top or from a line on. They stay in front of you until they "
    "are closed; when too many are open, those opened longest ago are closed.",
    {
        "file_requests": {
            "type": "array",
            "items": _REQUEST,
            "description": "The files to open, and which part of each.",
        },
        "close_all_others": {
            "type": "boolean",
            "description": "Close every file that is not named here.",
            "default": False,
        },
    },
    optional=("close_all_others",),
)
async def open_files(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Return the views; the checkpoint puts them into the prompt."""
    requests = arguments["file_requests"]
    close_others = bool(arguments.get("close_all_others"))
    if not requests and not close_others:
        raise ToolFailure("Name at least one file in file_requests.")
    opened, closing = await in_db(_open, context, requests, close_others)
    parts = [f"{name}\n{one.view}" for name, one in opened]
    told = f"Opened {len(opened)} file{'' if len(opened) == 1 else 's'}."
    if closing:
        told += f" Closed: {', '.join(closing)}."
    text = "\n\n".join([told, *parts])
    views = tuple(one for _, one in opened)
    return ToolOutcome(text, opened=views, closes_others=close_others)


def _open(
    context: ToolContext, requests: Sequence[Json], close_others: bool
) -> tuple[list[tuple[str, OpenedFile]], list[str]]:
    agent = Agent.objects.get(pk=context.agent_id)
    most = max_files_open(agent)
    if len(requests) > most:
        raise ToolFailure(f"At most {most} files can be open at once; {len(requests)} were named.")
    files = readable_files(context.agent_id)
    opened: dict[str, tuple[str, OpenedFile]] = {}
    for one in requests:
        file = _find(files, one["file_name"])
        start, length = one.get("offset") or 1, one.get("length")
        opened[file.id] = file.full_name, view_of(agent, file, start=start, length=length)
    closing = to_close(agent, list(opened), close_others=close_others)
    return list(opened.values()), names_of(closing)


def _find(files: Sequence[File], name: str) -> File:
    """Return the file of this name, with or without its folder before it."""
    exact = [file for file in files if file.full_name == name]
    found = exact or [file for file in files if file.name == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise ToolFailure(f"Several files are named {name!r}: {_some(found)}.")
    raise ToolFailure(f"There is no file {name!r}. There are: {_some(files) or 'none'}.")


def _some(files: Sequence[File]) -> str:
    names = [file.full_name for file in files[:NAMES_SHOWN]]
    return ", ".join(names) + (" and more" if len(files) > NAMES_SHOWN else "")


@builtin(
    "grep_files",
    FILES_CORE,
    "Search the lines of all files with a regular expression; case does not matter. "
    f"{PAGE} matches are shown at once.",
    {
        "pattern": string("The regular expression, in the syntax of RE2."),
        "include": string("Only files whose names match this, e.g. *.py or notes/*."),
        "context_lines": integer("How many lines to show before and after a match.", default=1),
        "offset": integer("How many matches to skip, to see the next ones.", default=0),
    },
    optional=("include", "context_lines", "offset"),
)
async def grep_files(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Search files some at a time: texts are read on the database's thread, matched on others."""
    try:
        pattern = compile_pattern(arguments["pattern"])
    except BadPattern as refusal:
        raise ToolFailure(str(refusal)) from None
    files = _included(await in_db(readable_files, context.agent_id), arguments.get("include"))
    skip = max(arguments["offset"], 0)
    around = min(max(arguments["context_lines"], 0), MOST_CONTEXT)
    search_for = _Grep(pattern, around, skip + PAGE + 1, time.monotonic() + GREP_TIMEOUT_S)
    cut_short = False
    try:
        for some in _batches(files):
            texts = await in_db(texts_of, [file.id for file in some])
            if await asyncio.to_thread(search_for.look, some, texts):
                break
    except OutOfTime:
        cut_short = True
    return ToolOutcome(_report(search_for.found, skip, len(files), cut_short))


def _included(files: Sequence[File], include: str | None) -> list[File]:
    if not include:
        return list(files)
    return [
        file for file in files if fnmatch(file.full_name, include) or fnmatch(file.name, include)
    ]


def _batches(files: Sequence[File]) -> Iterator[list[File]]:
    """Split files such that no batch holds much more text than is read at once."""
    batch: list[File] = []
    size = 0
    for file in files:
        batch.append(file)
        size += file.size
        if size >= BYTES_AT_ONCE or len(batch) >= 200:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class _Grep:
    """A search under way: what was found, and how much of it is wanted."""

    def __init__(self, pattern: Any, around: int, wanted: int, deadline: float) -> None:
        self.found: list[tuple[str, Match]] = []
        self._how = (pattern, around, deadline)
        self._wanted = wanted

    def look(self, files: Sequence[File], texts: dict[str, str]) -> bool:
        """Look through files; tell whether enough was found."""
        pattern, around, deadline = self._how
        for file in files:
            text = texts.get(file.id, "")
            for match in matches(text, pattern, context=around, deadline=deadline):
                self.found.append((file.full_name, match))
                if len(self.found) >= self._wanted:
                    return True
        return False


def _report(found: Sequence[tuple[str, Match]], skip: int, files: int, cut_short: bool) -> str:
    page = found[skip : skip + PAGE]
    notes = []
    if len(found) > skip + PAGE:
        notes.append(f"There are more matches: call again with offset={skip + PAGE}.")
    if cut_short:
        notes.append(f"The search was stopped after {GREP_TIMEOUT_S} s; narrow it with include.")
    if not page:
        return " ".join([f"No matches in {files} files.", *notes])
    head = f"Matches {skip + 1} to {skip + len(page)}:"
    return "\n\n".join([head, *(_shown(name, match) for name, match in page), *notes])


def _shown(name: str, match: Match) -> str:
    lines = [
        f"{'>' if match.first + n == match.line else ' '} {match.first + n}: {line}"
        for n, line in enumerate(match.lines)
    ]
    return "\n".join([f"{name}, line {match.line}", *lines])


@builtin(
    "semantic_search_files",
    FILES_CORE,
    "Search what the files say, best passages first. Use it when you do not know the exact words.",
    {
        "query": string("What to look for."),
        "limit": integer("How many passages at most.", default=5),
    },
    optional=("limit",),
)
async def semantic_search_files(arguments: Json, context: ToolContext) -> ToolOutcome:
    """Search the pieces of the files in the agent's folders."""
    query, limit = arguments["query"], result_count(arguments["limit"])
    if not query.strip():
        raise ToolFailure("The query is empty.")
    folders = await in_db(folder_ids_of, context.agent_id)
    wanted = SearchQuery(context.org_id, folders, "file", query, limit=limit)
    wanted, _ = await with_vector(wanted)
    hits, chunks = await in_db(_search, wanted)
    record = logged("files", wanted, hits, {"limit": limit})
    if not chunks:
        return ToolOutcome("Nothing was found.", retrieval=record)
    parts = [f"{one.file.full_name}, from line {one.line}:\n{one.text}" for one in chunks]
    return ToolOutcome("\n\n---\n\n".join(parts), retrieval=record)


def _search(wanted: SearchQuery) -> tuple[list[Hit], list[FileChunk]]:
    hits = search(wanted)
    rows = FileChunk.objects.select_related("file__folder").in_bulk([hit.ref_id for hit in hits])
    return hits, [rows[hit.ref_id] for hit in hits if hit.ref_id in rows]


TOOLS = (open_files, grep_files, semantic_search_files)
