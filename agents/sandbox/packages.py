"""What tools need from PyPI: installed once for each set of requirements, then only looked up.

Only wheels: building from source would run strangers' code with the rights of this server.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from weakref import WeakValueDictionary

from django.conf import settings

from agents.sandbox.jobs import Json
from letta_site.core.errors import AppError

# PEP 508 names with extras; PEP 440 versions or comma-separated comparisons. Anything else could
# be an option, a path or an address for pip.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._,-]+\])?\Z")
_VERSION = re.compile(r"[0-9][A-Za-z0-9.*+!_-]*\Z")
_COMPARISONS = re.compile(r"((~=|===?|!=|<=?|>=?)\s*[0-9][A-Za-z0-9.*+!_-]*\s*,?\s*)+\Z")
# Where pip finds its index and how it gets there is the operator's; nothing else is handed on.
_HANDED_ON = ("PIP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT")
_SHOWN_CHARS = 2000

_locks: "WeakValueDictionary[str, asyncio.Lock]" = WeakValueDictionary()


class CannotInstall(AppError):
    """The packages of a tool are not there and cannot be had."""

    code = "PACKAGES_MISSING"


def requirement_lines(requirements: Iterable[Json]) -> list[str]:
    """Return {"name", "version"} rows as pip writes them. Raises CannotInstall for odd ones."""
    return sorted({_line(row.get("name") or "", row.get("version") or "") for row in requirements})


def _line(name: str, version: str) -> str:
    name, version = name.strip(), version.strip()
    if not _NAME.match(name):
        raise CannotInstall(f"{name!r} is not the name of a package.")
    if not version:
        return name
    if _VERSION.match(version):
        return f"{name}=={version}"
    if _COMPARISONS.match(version):
        return f"{name}{version}"
    raise CannotInstall(f"{version!r} is not a version of {name}.")


async def provide(requirements: Iterable[Json]) -> tuple[str, ...]:
    """Return the folders in which a tool finds its packages; install them if they are missing.

    Raises CannotInstall when that is not allowed or pip fails, with what pip said.
    """
    lines = requirement_lines(requirements)
    if not lines:
        return ()
    folder = _folder_of(lines)
    if not folder.is_dir():
        _check_allowed(lines)
        lock = _locks.setdefault(str(folder), asyncio.Lock())
        async with lock:
            if not folder.is_dir():
                await _install(lines, folder)
    return (str(folder),)


def _folder_of(lines: list[str]) -> Path:
    facts = [lines, sys.version_info[:2], platform.machine(), sys.platform]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    return Path(settings.LETTA_DIR) / "tool-packages" / digest[:32]


def _check_allowed(lines: list[str]) -> None:
    if not settings.TOOL_INSTALLS:
        raise CannotInstall(
            f"The tool needs {', '.join(lines)}, which this server does not install.",
            todo="The operator allows it with LETTA_TOOL_INSTALLS=1.",
        )


async def _install(lines: list[str], folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="installing-", dir=folder.parent))
    try:
        await _pip(lines, work)
        with contextlib.suppress(FileExistsError):
            (work / "packages").rename(folder)
    finally:
        await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)


async def _pip(lines: list[str], work: Path) -> None:
    """Run pip. Raises CannotInstall with the end of what it printed."""
    options = ["--no-input", "--disable-pip-version-check", "--no-cache-dir", "--quiet"]
    wheels = ["--only-binary", ":all:", "--target", str(work / "packages")]
    command = [sys.executable, "-m", "pip", "install", *options, *wheels, "--", *lines]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=work,
        env=_environment(work),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(settings.TOOL_INSTALL_TIMEOUT_S):
            said, _ = await process.communicate()
    except TimeoutError:
        limit = settings.TOOL_INSTALL_TIMEOUT_S
        raise CannotInstall(f"Installing {', '.join(lines)} took over {limit} s.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        text = said.decode("utf-8", "replace").strip()[-_SHOWN_CHARS:]
        raise CannotInstall(f"pip could not install {', '.join(lines)}: {text}")


def _environment(work: Path) -> dict[str, str]:
    """Return the operator's settings of pip, and nothing else of this server's environment."""
    handed_on = {
        name: value for name, value in os.environ.items() if name.upper().startswith(_HANDED_ON)
    }
    return {**handed_on, "HOME": str(work), "TMPDIR": str(work), "PATH": os.defpath}
