"""What runs in the parser's own process: a file comes in on stdin, its text goes out on stdout.

The first line out is JSON, about the text that follows it, or with the key `error`.
"""

import json
import sys
from typing import BinaryIO

from memory.parsing.base import Unreadable
from memory.parsing.reading import parse

MAX_OUTPUT_BYTES = 128 * 1024 * 1024


def restrict(cpu_s: int, memory_bytes: int) -> None:
    """Limit this process for good: time, memory, what it writes, and no further process."""
    try:
        import resource
    except ImportError:  # not a Unix: the parent's clock is the only limit
        return
    limits = {
        "RLIMIT_AS": memory_bytes,
        "RLIMIT_CPU": cpu_s,
        "RLIMIT_FSIZE": MAX_OUTPUT_BYTES,
        "RLIMIT_CORE": 0,
        "RLIMIT_NPROC": 0,
    }
    for name, value in limits.items():
        try:
            resource.setrlimit(getattr(resource, name), (value, value))
        except (AttributeError, ValueError, OSError):  # this system has no such limit
            continue


def answer(reader: str, cutting: str, source: BinaryIO, target: BinaryIO) -> None:
    """Read a file and write what it says."""
    try:
        parsed = parse(source.read(), reader, cutting)  # type: ignore[arg-type]
    except Unreadable as refusal:
        target.write(json.dumps({"error": str(refusal)}).encode())
        return
    except MemoryError:
        target.write(json.dumps({"error": "Reading it takes more memory than allowed."}).encode())
        return
    target.write(json.dumps(parsed.header()).encode() + b"\n")
    target.write(parsed.text.encode())


if __name__ == "__main__":
    restrict(int(sys.argv[3]), int(sys.argv[4]))
    answer(sys.argv[1], sys.argv[2], sys.stdin.buffer, sys.stdout.buffer)
