"""Parsing behind a wall: every file but short plain text is read in a process of its own."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import IO

from django.conf import settings

from memory.logic.chunking import Chunk
from memory.parsing.base import Unreadable
from memory.parsing.kinds import FileKind
from memory.parsing.reading import Parsed, parse

ROOT = Path(__file__).resolve().parent.parent.parent
# Decoding and cutting is all that happens to plain text; a process costs 50 ms more.
TRUSTED_BYTES = 256 * 1024
_START = (
    "import runpy, sys; sys.path[:0] = [sys.argv.pop(1)]; runpy.run_module(%r, run_name='__main__')"
)


async def read_file(path: Path, kind: FileKind) -> Parsed:
    """Return what a file says. Raises Unreadable, or FileNotFoundError."""
    if kind.reader == "plain" and path.stat().st_size <= TRUSTED_BYTES:
        return await asyncio.to_thread(_parse_here, path, kind)
    with path.open("rb") as source, tempfile.TemporaryFile() as target:
        code = await _run(kind, source, target)
        target.seek(0)
        return await asyncio.to_thread(_read_answer, target, code)


def _parse_here(path: Path, kind: FileKind) -> Parsed:
    return parse(path.read_bytes(), kind.reader, kind.cutting)


async def _run(kind: FileKind, source: IO[bytes], target: IO[bytes]) -> int:
    limits = [str(settings.PARSE_TIMEOUT_S), str(settings.PARSE_MEMORY_BYTES)]
    program = [sys.executable, "-I", "-c", _START % "memory.parsing.child", str(ROOT)]
    process = await asyncio.create_subprocess_exec(
        *[*program, kind.reader, kind.cutting, *limits],
        stdin=source,
        stdout=target,
        stderr=asyncio.subprocess.DEVNULL,
        env={},  # nothing of the server's keys and passwords
    )
    try:
        return await asyncio.wait_for(process.wait(), settings.PARSE_TIMEOUT_S)
    except TimeoutError:
        raise Unreadable(
            f"Reading it was stopped after {settings.PARSE_TIMEOUT_S} seconds. Split it, or raise "
            "LETTA_PARSE_TIMEOUT_S."
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _read_answer(target: IO[bytes], code: int) -> Parsed:
    head, _, text = target.read().partition(b"\n")
    if code != 0 or not head:
        raise Unreadable(
            "Reading it took more time or memory than allowed, or it is damaged. Try a smaller or "
            "repaired file, or save it as text."
        )
    said = json.loads(head)
    if "error" in said:
        raise Unreadable(said["error"])
    return Parsed(text.decode(), tuple(Chunk(*one) for one in said["chunks"]))
