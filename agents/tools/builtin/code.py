"""Code that a model wrote, run once in the sandbox."""

import shutil
from dataclasses import replace

from agents.sandbox.jobs import Done, Job, limits_from_settings
from agents.sandbox.running import run
from agents.sandbox.walls import PROGRAMS
from agents.tools.base import BUILTIN_TYPE, ToolFailure, builtin, string
from agents.types import Json, ToolContext, ToolOutcome
from memory.services.storable import storable_json

# Node has threads of its own, and is a program that the sandbox's Python starts.
_NODE_PROCESSES = 64
_NODE = """
import subprocess

def start(code):
    return subprocess.run(["node", "-"], input=code, text=True).returncode
"""


@builtin(
    "run_code",
    BUILTIN_TYPE,
    "Run a program, alone and without network, and see what it printed. Nothing of it is kept.",
    {
        "code": string("The whole program. Only what it prints is seen."),
        "language": string("What it is written in.", choices=("python", "js", "ts", "r", "java")),
    },
)
async def run_code(arguments: Json, _context: ToolContext) -> ToolOutcome:
    """Run the program in the sandbox."""
    done = await run(_job(arguments["code"], arguments["language"].lower()))
    return _outcome(done)


def _job(code: str, language: str) -> Job:
    if language == "python":
        return Job(source=code)
    if language not in ("js", "javascript"):
        raise ToolFailure(f"This server does not run {language}. It runs python and js.")
    if not shutil.which("node", path=":".join(PROGRAMS)):
        raise ToolFailure("This server has no node, so it does not run js. It runs python.")
    limits = replace(limits_from_settings(), processes=_NODE_PROCESSES)
    return Job(source=_NODE, function="start", args={"code": code}, limits=limits)


def _outcome(done: Done) -> ToolOutcome:
    stdout, stderr = storable_json(done.stdout), storable_json(done.stderr)
    text = "\n".join(part.rstrip("\n") for part in (stdout, stderr) if part.strip())
    failed = done.how != "returned" or done.value not in (None, 0)
    if failed:
        why = storable_json(done.trace or done.why)
        text = "\n".join(part for part in ("Error: the program failed.", why, text) if part)
    shown = text or "The program ended and printed nothing. Print what you want to see."
    return ToolOutcome(
        shown,
        "error" if failed else "success",
        stdout=tuple(filter(None, (stdout,))),
        stderr=tuple(filter(None, (stderr,))),
    )


TOOLS = (run_code,)
