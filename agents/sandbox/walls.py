"""Which walls this machine can put around a tool. Found out once; settings may insist on one."""

import ctypes
import errno
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings

from agents.sandbox.inside import landlock
from agents.sandbox.inside.syscalls import numbers
from agents.sandbox.jobs import NoSandbox

CODE_ROOT = Path(__file__).resolve().parents[2]
INSIDE = Path(__file__).resolve().parent / "inside"
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_TRIAL_S = 10

# What libraries read to find hosts, certificates, time zones and other libraries. No secrets:
# /etc/ssl/private, /etc/passwd and the like are not among them.
_OF_THE_SYSTEM = (
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/lib",
    "/lib64",
    "/usr/share/zoneinfo",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/protocols",
    "/etc/services",
    "/etc/mime.types",
    "/dev/null",
    "/dev/zero",
    "/dev/random",
    "/dev/urandom",
)
PROGRAMS = ("/usr/bin", "/bin", "/usr/local/bin")
# Programs are started by the loader, which lies among the libraries.
EXECUTABLE = (*PROGRAMS, "/usr/lib", "/usr/lib64", "/lib", "/lib64")


@dataclass(frozen=True, slots=True)
class Walls:
    """`names` as `confine` knows them; `command`: a program builds the first of them."""

    names: tuple[str, ...]
    command: str | None = None


def choose() -> Walls:
    """Return the walls for a tool. Raises NoSandbox when there are none and none is no choice.

    May take a moment the first time.
    """
    found = _found(settings.SANDBOX)
    if found is not None:
        _check_data_folder(str(settings.LETTA_DIR))
        return found
    if settings.UNSAFE_TOOLS:
        return Walls(())
    raise NoSandbox(
        "Tools with code of their own do not run on this machine: it has neither Landlock with "
        "seccomp (Linux 5.13 or later) nor a bubblewrap that works.",
        todo="Install bubblewrap, or, if you trust every tool, set LETTA_UNSAFE_TOOLS=1.",
    )


@cache
def _check_data_folder(folder: str) -> None:
    """Raise NoSandbox when the server's data lie where every tool may read."""
    data = Path(folder).resolve()
    for path in readable():
        if data.is_relative_to(Path(path).resolve()):
            raise NoSandbox(
                f"Tools may read {path}, and LETTA_DIR ({data}) lies in it; they are not run.",
                todo="Move LETTA_DIR elsewhere.",
            )


def are_missing() -> bool:
    """Tell whether tools run without walls, because the operator said so."""
    return bool(settings.UNSAFE_TOOLS) and _found(settings.SANDBOX) is None


@cache
def _found(wanted: str) -> Walls | None:
    if wanted in ("auto", "landlock") and landlock.version() and _has_seccomp():
        return Walls(("landlock", "seccomp"))
    bwrap = shutil.which("bwrap") if wanted in ("auto", "bubblewrap") else None
    if bwrap and _works(bwrap):
        names = ("namespace", "seccomp") if _has_seccomp() else ("namespace",)
        return Walls(names, bwrap)
    return None


def _has_seccomp() -> bool:
    """Ask for a filter at address 0: a kernel that knows filters finds fault with the address."""
    if sys.platform != "linux" or not numbers(os.uname().machine):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, None, 0, 0)
    return ctypes.get_errno() in (errno.EFAULT, errno.EACCES)


def _works(bwrap: str) -> bool:
    trial = [bwrap, "--unshare-all", "--ro-bind", "/", "/", "/bin/true"]
    try:
        done = subprocess.run(trial, env={}, capture_output=True, timeout=_TRIAL_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@cache
def readable() -> tuple[str, ...]:
    """Return what tools may read: the system's libraries, Python's, and the installed packages."""
    prefix = Path(sys.base_prefix)
    paths = [*_OF_THE_SYSTEM, str(prefix / "lib"), str(prefix / "lib64")]
    paths += [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), *installed()]
    return tuple(dict.fromkeys(path for path in paths if Path(path).exists()))


@cache
def needs_reading_rights(packages: tuple[str, ...]) -> bool:
    """Tell whether what tools read lies below a folder that is private, as pyenv's is for root."""
    return os.geteuid() == 0 and not all(
        _is_public(Path(path)) for path in (*readable(), *packages)
    )


def _is_public(path: Path) -> bool:
    real = path.resolve()
    if not real.stat().st_mode & 0o004:
        return False
    return all(folder.stat().st_mode & 0o001 for folder in real.parents)


@cache
def installed() -> tuple[str, ...]:
    """Return the folders of installed packages, which tools may import too."""
    return tuple(dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib")))


def bubblewrap_command(
    program: str,
    folder: str,
    user: int,
    packages: tuple[str, ...],
    *,
    network: bool,
    programs: bool,
) -> list[str]:
    """Return the command that starts a worker in namespaces of its own.

    `network`: in the host's, all of it; `programs`: with the host's. There is no /proc, so that no
    environment can be read there. bwrap itself is started with an empty one.
    """
    python = str(Path(sys.executable).resolve())
    command = [program, "--unshare-all", "--unshare-user", "--disable-userns"]
    command += ["--uid", str(user), "--gid", str(user)]
    command += ["--share-net"] if network else []
    command += ["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--dev", "/dev"]
    for path in (*readable(), *packages, *(PROGRAMS if programs else ())):
        command += _mount(path)
    command += ["--ro-bind", python, python]
    command += ["--ro-bind", str(INSIDE), f"/letta/{INSIDE.relative_to(CODE_ROOT)}"]
    command += ["--bind", folder, folder, "--chdir", folder]
    return [*command, python, "-I", "-S", "-B", "-c", START, "/letta", "worker", "3"]


def _mount(path: str) -> list[str]:
    if path.startswith("/dev/"):
        return []
    top = Path("/", *Path(path).parts[1:2])
    if top.is_symlink() and str(top) == path:
        return ["--symlink", str(top.readlink()), path]
    return [] if top.is_symlink() else ["--ro-bind", path, path]


# Nothing of the server's is on the path but the folder above `inside`, and that only for the start.
START = (
    "import importlib, sys; sys.path.insert(0, sys.argv[1]); "
    "importlib.import_module('agents.sandbox.inside.' + sys.argv[2]).start(int(sys.argv[3]))"
)
