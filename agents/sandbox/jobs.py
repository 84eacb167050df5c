"""What is asked of the sandbox, and what comes out of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from django.conf import settings

from letta_site.core.errors import AppError

Json = dict[str, Any]
Ask = Callable[[Json], Awaitable[Json]]


class NoSandbox(AppError):
    """This machine cannot keep a tool apart, so it is not run."""

    code = "NO_SANDBOX"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may use up. `disk_mb` is all files together, `file_mb` a single one."""

    timeout_s: float
    memory_mb: int
    processes: int
    file_mb: int
    disk_mb: int
    output_bytes: int
    result_bytes: int
    threads: int = 64
    open_files: int = 128


def limits_from_settings() -> Limits:
    """Return what the operator has set."""
    return Limits(
        timeout_s=settings.TOOL_TIMEOUT_S,
        memory_mb=settings.SANDBOX_MEMORY_MB,
        processes=settings.SANDBOX_PROCESSES,
        file_mb=settings.SANDBOX_FILE_MB,
        disk_mb=settings.SANDBOX_DISK_MB,
        output_bytes=settings.SANDBOX_OUTPUT_KB * 1024,
        result_bytes=settings.SANDBOX_RESULT_KB * 1024,
    )


@dataclass(frozen=True, slots=True)
class Job:
    """Python source to run.

    `function`: call it with `args` and return its value; None: only run the source, as a script.
    `env` is all that os.environ holds beside HOME, TMPDIR, PATH and LANG. `packages` are folders
    that imports find things in. `agent` is {"id", "name", ..., "blocks": [..]} if one is lent.
    `network` grants TCP to the ports of LETTA_SANDBOX_PORTS, and UDP. `ask` answers the requests
    that the tool makes of this server with its `client`; None: it has none.
    """

    source: str
    function: str | None = None
    args: Json = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    agent: Json | None = None
    network: bool = False
    ask: Ask | None = None
    limits: Limits = field(default_factory=limits_from_settings)


How = Literal["returned", "raised", "timed_out", "flooded", "filled_the_disk", "died"]


@dataclass(frozen=True, slots=True)
class Done:
    """How a job went.

    `why` is a sentence when `how` is not "returned"; `trace` the traceback of what was raised.
    `value` is what the function returned, as JSON; `memory` the values of the lent agent's blocks
    afterwards, by label. `stdout` and `stderr` are as much as the limits allow.
    """

    how: How
    value: Any = None
    why: str = ""
    trace: str = ""
    memory: dict[str, str] = field(default_factory=dict)
    stdout: str = ""
    stderr: str = ""
