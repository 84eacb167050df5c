"""From an ordinary process to one that can reach nothing: order matters, and failing is final."""

import ctypes
import errno
import os
import resource
import signal
import struct
from pathlib import Path
from typing import Any

from agents.sandbox.inside import landlock, seccomp
from agents.sandbox.inside.kernel import libc

# linux/prctl.h
_SET_PDEATHSIG, _SET_DUMPABLE, _SET_KEEPCAPS, _SET_NO_NEW_PRIVS = 1, 4, 8, 38
# linux/capability.h
_CAPSET_VERSION = 0x20080522
_CAP_DAC_READ_SEARCH = 2
MB = 1024 * 1024


def confine(job: dict[str, Any]) -> None:
    """Take from this process all that `job` does not grant. Raises OSError when that fails.

    `job` has "walls": of "landlock", "seccomp", "namespace" (which is around it already); "folder":
    its own; "read", "execute": paths; "network": bool; "ports": of TCP; "user": the id to become
    if it is root; "reads_all": bool; "limits": those of `limit`, and "processes".
    """
    folder = job["folder"]
    own_user = os.geteuid() != 0
    if not own_user:
        _become(job["user"], folder, reads_all=job["reads_all"])
    limit(job["limits"], tasks_of_user=_tasks_of(os.getuid()) if own_user else 0)
    if not job["walls"]:
        return  # something around this process is its wall, or the operator wants none
    _prctl(_SET_PDEATHSIG, signal.SIGKILL)
    _prctl(_SET_NO_NEW_PRIVS, 1)
    _prctl(_SET_DUMPABLE, 0)
    found = 0
    if "landlock" in job["walls"]:
        found = landlock.restrict(_reach(job))
    if "seccomp" in job["walls"]:
        seccomp.install(
            network=job["network"],
            processes=job["limits"]["processes"] > 0,
            signals_scoped=found >= 6 or "namespace" in job["walls"],
        )


def _reach(job: dict[str, Any]) -> landlock.Reach:
    return landlock.Reach(
        read=tuple(job["read"]),
        write=(job["folder"], "/dev/null"),
        execute=tuple(job["execute"]) if job["limits"]["processes"] else (),
        ports=tuple(job["ports"]) if job["network"] else (),
    )


def limit(limits: dict[str, int], *, tasks_of_user: int) -> None:
    """Set the kernel's limits: "cpu_s", "memory_mb", "file_mb", "open_files", "threads".

    The kernel counts the tasks of a user, not of a tool, so what the user has already is added.
    """
    tasks = tasks_of_user + limits["threads"] + limits["processes"]
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, limits["cpu_s"]),
        (resource.RLIMIT_AS, limits["memory_mb"] * MB),
        (resource.RLIMIT_FSIZE, limits["file_mb"] * MB),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_NPROC, tasks),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        hardest = resource.getrlimit(kind)[1]
        if hardest != resource.RLIM_INFINITY:
            most = min(most, hardest)
        resource.setrlimit(kind, (most, most))


def _tasks_of(user: int) -> int:
    """Return how many processes and threads a user has."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if folder.stat().st_uid == user:
                count += (folder / "task").stat().st_nlink - 2
        except OSError:
            continue  # it has ended meanwhile
    return count


def _become(user: int, folder: str, *, reads_all: bool) -> None:
    """Give up being root: another user with a folder of its own, without any capability.

    Where a user cannot be changed (a container that maps one only) the capabilities go all the
    same. Where Python itself lies in a private folder of root's, as with pyenv, one capability
    stays: to read whatever Landlock lets through.
    """
    if reads_all:
        _prctl(_SET_KEEPCAPS, 1)
    try:
        os.chown(folder, user, user)
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EPERM):
            raise
    try:
        _keep_capabilities(1 << _CAP_DAC_READ_SEARCH if reads_all else 0)
    except OSError:
        _keep_capabilities(0)  # this root had none to keep


def _keep_capabilities(mask: int) -> None:
    header = struct.pack("=Ii", _CAPSET_VERSION, 0)
    # Three sets (effective, permitted, inheritable) in their lower halves, then the upper ones.
    sets = struct.pack("=6I", mask, mask, 0, 0, 0, 0)
    if libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "capabilities cannot be given up")


def _prctl(option: int, value: int) -> None:
    if libc.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl {option} failed")
