"""A seccomp filter in classic BPF: what is not allowed fails, and cannot be allowed again.

Sources: linux/seccomp.h, linux/bpf_common.h, Documentation/userspace-api/seccomp_filter.rst.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from functools import cache

from agents.sandbox.inside.kernel import libc
from agents.sandbox.inside.syscalls import AUDIT_ARCH, OF_PROCESSES, PRETENDED, numbers

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16  # in struct seccomp_data
_REFUSED = _ERRNO | errno.EPERM
_UNKNOWN = _ERRNO | errno.ENOSYS  # libraries then use the older call, which is judged
_PRETENDED = _ERRNO  # the call "fails" with error 0, which is to say that it worked
_FIRST_UNIFIED = 424  # from here on numbers are the same everywhere, and newer than any library

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_CLONE_THREAD = 0x00010000
_CLONE_NEW = 0x7E020000  # any namespace of its own: NS, CGROUP, UTS, IPC, USER, PID, NET
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_OWN_ID = 0x7EADBEEF  # stands for the id of the process that installs the filter
_O_ACCMODE, _O_TRUNC = 0o3, 0o1000
# fcntl: F_SETOWN, F_SETSIG, F_SETOWN_EX; ioctl: FIOSETOWN, SIOCSPGRP. They make the kernel send
# signals to any process of the same user. ioctl TIOCSTI, TIOCLINUX: typing into a terminal.
_OWNER_COMMANDS = (8, 10, 15)
_OWNER_IOCTLS = (0x8901, 0x8902, 0x5412, 0x541C)

Op = tuple[int, int, int, int]


def prepare() -> None:
    """Build the usual filters now, so that processes forked from this one need not."""
    for scoped in (False, True):
        _program(network=False, processes=False, signals_scoped=scoped)
        _program(network=True, processes=False, signals_scoped=scoped)


def install(*, network: bool, processes: bool, signals_scoped: bool) -> None:
    """Filter this process and all it will ever start. Raises OSError where that cannot be had.

    `signals_scoped`: Landlock keeps signals inside, so they may be sent.
    """
    program = _program(network=network, processes=processes, signals_scoped=signals_scoped)
    program = program.replace(_packed(_OWN_ID), _packed(os.getpid()))
    buffer = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: unsigned short len, padding, pointer
    header = struct.pack("@HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.c_char_p(header), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp is not available")


@cache
def _program(*, network: bool, processes: bool, signals_scoped: bool) -> bytes:
    machine = os.uname().machine
    table = numbers(machine)
    if not table:
        raise OSError(errno.ENOSYS, f"no table of system calls for {machine}")
    rules = _Rules(table, network=network, processes=processes, signals_scoped=signals_scoped)
    return b"".join(struct.pack("=HBBI", *op) for op in rules.program(AUDIT_ARCH[machine]))


def _packed(number: int) -> bytes:
    return struct.pack("=I", number)


class _Rules:
    """The filter: first the calls whose arguments are judged, then the list."""

    def __init__(
        self, table: dict[str, int], *, network: bool, processes: bool, signals_scoped: bool
    ) -> None:
        self.table = table
        self.network = network
        self.processes = processes
        self.signals_scoped = signals_scoped

    def program(self, arch: int) -> list[Op]:
        """Return the instructions."""
        ops: list[Op] = [
            (_LOAD, 0, 0, _ARCH_AT),
            (_JUMP_EQUAL, 1, 0, arch),
            (_RETURN, 0, 0, _KILL_PROCESS),
            (_LOAD, 0, 0, _NUMBER_AT),
        ]
        judged = self._judged()
        for name, body in judged.items():
            if name in self.table:
                ops += [(_JUMP_EQUAL, 0, len(body), self.table[name]), *body]
        for name, number in self.table.items():
            if name not in judged:
                ops += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, self._verdict(name))]
        ops += [(_JUMP_AT_LEAST, 0, 1, _FIRST_UNIFIED), (_RETURN, 0, 0, _UNKNOWN)]
        return [*ops, (_RETURN, 0, 0, _REFUSED)]

    def _verdict(self, name: str) -> int:
        if name in PRETENDED:
            return _PRETENDED
        if name in OF_PROCESSES and not self.processes:
            return _REFUSED
        return _ALLOW

    def _judged(self) -> dict[str, list[Op]]:
        own = _OWN_ID
        may_signal = self.processes and self.signals_scoped
        kill = [(_RETURN, 0, 0, _ALLOW)] if may_signal else _only(0, own)
        return {
            "socket": _only(0, _AF_INET, _AF_INET6)
            if self.network
            else [(_RETURN, 0, 0, _REFUSED)],
            "socketpair": _only(0, _AF_UNIX),
            "clone": self._clone(),
            "clone3": [(_RETURN, 0, 0, _UNKNOWN)],  # its flags are behind a pointer
            "kill": kill,
            "tgkill": kill,
            "tkill": [(_RETURN, 0, 0, _ALLOW if may_signal else _REFUSED)],
            "prlimit64": _only(0, 0, own),
            "fcntl": _all_but(1, _OWNER_COMMANDS),
            "ioctl": _all_but(1, _OWNER_IOCTLS),
            # Opening to read and emptying at once: Landlock before 6.2 lets it pass.
            "open": _no_sly_truncation(1),
            "openat": _no_sly_truncation(2),
        }

    def _clone(self) -> list[Op]:
        refuse, allow = (_RETURN, 0, 0, _REFUSED), (_RETURN, 0, 0, _ALLOW)
        if self.processes:
            return [_argument(0), (_JUMP_BITS, 0, 1, _CLONE_NEW), refuse, allow]
        return [_argument(0), (_JUMP_BITS, 0, 1, _CLONE_THREAD), allow, refuse]


def _argument(index: int) -> Op:
    return (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * index)


def _only(index: int, *values: int) -> list[Op]:
    return [_argument(index), *_answers(values, _ALLOW), (_RETURN, 0, 0, _REFUSED)]


def _all_but(index: int, values: tuple[int, ...]) -> list[Op]:
    return [_argument(index), *_answers(values, _REFUSED), (_RETURN, 0, 0, _ALLOW)]


def _answers(values: tuple[int, ...], verdict: int) -> Iterator[Op]:
    for value in values:
        yield (_JUMP_EQUAL, 0, 1, value)
        yield (_RETURN, 0, 0, verdict)


def _no_sly_truncation(index: int) -> list[Op]:
    return [
        _argument(index),
        (_AND, 0, 0, _O_TRUNC | _O_ACCMODE),
        (_JUMP_EQUAL, 0, 1, _O_TRUNC | os.O_RDONLY),
        (_RETURN, 0, 0, _REFUSED),
        (_RETURN, 0, 0, _ALLOW),
    ]
