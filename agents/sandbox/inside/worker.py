"""The process of one call: it reads the job, gives up everything, runs the tool, and answers."""

import io
import os
import socket
import sys
import tempfile
from typing import Any, NoReturn

from agents.sandbox.inside import calling, frames
from agents.sandbox.inside.confine import confine


def get_ready() -> None:
    """Do all that needs no job yet: a worker waits for its call, and the call not for this."""
    os.umask(0o077)
    sys.argv = ["tool"]
    sys.stdout = _text_on(1)
    sys.stderr = _text_on(2)
    # What brought this code here must not be found by the tool's own imports.
    for name in [name for name in sys.modules if name.split(".")[0] == "agents"]:
        del sys.modules[name]
    idle = {"source": "def idle(x: int) -> int:\n    return x\n", "function": "idle"}
    # The memory that running touches is this process's own from now on.
    calling.run({**idle, "args": {"x": 1}, "agent": None, "client": False}, None)


def start(channel: int) -> NoReturn:
    """Be a worker that nothing has prepared, as bubblewrap starts it."""
    get_ready()
    main(channel)


def main(channel: int) -> NoReturn:
    """Do the job that comes through `channel`, and end this process."""
    line, code = socket.socket(fileno=channel), 1
    try:
        job = frames.read(line)
        answer = _answer(job, line)
        _end_output()
        line.sendall(_packed(answer, job["limits"]["result_bytes"]))
        code = 0
    finally:
        os._exit(code)


def _answer(job: dict[str, Any], line: socket.socket) -> dict[str, Any]:
    try:
        _settle(job)
    except (OSError, ValueError) as error:  # such as a variable that no process can have
        return {"error": {"type": type(error).__name__, "text": str(error)}}
    try:
        confine(job)
    except (OSError, ValueError) as error:
        return {"unconfined": str(error)}
    return calling.run(job, line)


def _settle(job: dict[str, Any]) -> None:
    """Make this process's surroundings those of the tool: folder, variables, modules."""
    os.environ.clear()
    os.environ.update(job["env"])
    os.chdir(job["folder"])
    tempfile.tempdir = job["folder"]
    sys.path[:] = [path for path in sys.path if path != job["code_root"]] + job["packages"]


def _text_on(descriptor: int) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True
    )


def _end_output() -> None:
    """Write what is still held back, and let the server see the end of it before the answer."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue  # the tool closed or replaced it: there is nothing to write
    os.closerange(1, 3)


def _packed(answer: dict[str, Any], limit_bytes: int) -> bytes:
    try:
        frame = frames.pack(answer, default=calling.plain)
    except (TypeError, ValueError, RecursionError, MemoryError) as error:
        return frames.pack({"error": {"type": type(error).__name__, "text": _UNSAYABLE}})
    if len(frame) > limit_bytes:
        text = f"The result has {len(frame)} bytes as JSON; it may have {limit_bytes}."
        return frames.pack({"error": {"type": "ValueError", "text": text}})
    return frame


_UNSAYABLE = "The result cannot be written as JSON."
