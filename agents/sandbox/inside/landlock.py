"""Landlock: which files and ports a process may reach, for itself and all it starts.

Sources: linux/landlock.h, Documentation/userspace-api/landlock.rst. Their system calls have the
same numbers on every machine.
"""

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from agents.sandbox.inside.kernel import libc

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH, _NET_PORT = 1, 2

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
# All rights by version: 13 bits, then REFER (2), TRUNCATE (3), IOCTL_DEV (5).
_KNOWN_BITS = {1: 13, 2: 14, 3: 15, 4: 15}
_ALL_BITS = 16
_CONNECT_TCP, _BIND_AND_CONNECT_TCP = 1 << 1, 0b11
_SCOPE_SOCKETS_AND_SIGNALS = 0b11
# Nobody needs these in a folder of their own: devices, sockets and pipes with a name.
_NEVER_MADE = 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be reached: paths by what may be done there, and TCP ports (None: any)."""

    read: tuple[str, ...]
    write: tuple[str, ...]
    execute: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()


def version() -> int:
    """Return the kernel's version of Landlock, 0 when it has none."""
    try:
        return max(int(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)), 0)
    except AttributeError:
        return 0  # no such function: not Linux


def restrict(reach: Reach) -> int:
    """Restrict this process to `reach`; return the version. Raises OSError without Landlock.

    Paths that do not exist are left out. Needs PR_SET_NO_NEW_PRIVS.
    """
    found = version()
    if not found:
        raise OSError(errno.ENOSYS, "the kernel has no Landlock")
    handled = (1 << _KNOWN_BITS.get(found, _ALL_BITS)) - 1
    rules = _ruleset(found, handled)
    read = _READ_FILE | _READ_DIR
    write = handled & ~_EXECUTE & ~_IOCTL_DEV & ~_NEVER_MADE
    _allow(rules, reach.read, read)
    _allow(rules, reach.execute, read | _EXECUTE)
    _allow(rules, reach.write, write)
    for port in reach.ports if found >= 4 else ():
        _call(_ADD_RULE, rules, _NET_PORT, struct.pack("=QQ", _CONNECT_TCP, port), 0)
    _call(_RESTRICT_SELF, rules, 0)
    os.close(rules)
    return found


def _ruleset(found: int, handled: int) -> int:
    fields = [handled]
    if found >= 4:
        fields.append(_BIND_AND_CONNECT_TCP)
    if found >= 6:
        fields.append(_SCOPE_SOCKETS_AND_SIGNALS)
    packed = struct.pack(f"={len(fields)}Q", *fields)
    return _call(_CREATE_RULESET, packed, ctypes.c_size_t(len(packed)), 0)


def _allow(rules: int, paths: Iterable[str], access: int) -> None:
    for path in paths:
        try:
            folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            is_folder = stat.S_ISDIR(os.fstat(folder).st_mode)
            granted = access if is_folder else access & _OF_FILES
            _call(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", granted, folder), 0)
        finally:
            os.close(folder)


def _call(number: int, *arguments: object) -> int:
    got = int(libc.syscall(number, *arguments))
    if got < 0:
        raise OSError(ctypes.get_errno(), f"Landlock refused call {number}")
    return got
