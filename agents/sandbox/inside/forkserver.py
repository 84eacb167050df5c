"""The warm process: it has imported what tools often need, and forks a pair for every call.

A pair is a keeper and its worker, and one is always there before it is needed. The idle keeper
waits on the server's line for the four descriptors of a call: leash, channel, stdout, stderr. It
hands the last three to its worker and holds on to the leash. When the server lets go of the other
end, or the worker ends, the keeper kills whatever is left and says how it went.
"""

import contextlib
import fcntl
import gc
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import NoReturn

from agents.sandbox.inside import frames, seccomp, worker
from agents.sandbox.inside.kernel import libc

# What most tools import. Everything here is copied, page by page, into each fork that touches it:
# with a longer list (decimal, statistics, zoneinfo, ...) a trivial call took 4 ms more.
PRELOADED = (
    "collections contextlib dataclasses datetime itertools json math random re typing".split()
)
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h
_SWEEP_S = 2.0
_LOOK_S = 1.0
_SHORT_S, _NICENESS = 0.1, 10  # what takes longer than that leaves the server the right of way
_DESCRIPTORS = 4
_TAKEN, _OVER = b"t", b"o"


def start(control: int) -> None:
    """Keep an idle pair ready until the server closes its end of `control`."""
    for name in PRELOADED:
        __import__(name)
    if sys.platform == "linux":
        seccomp.prepare()
        libc.mallopt(_ARENA_MAX, 2)  # each thread's own would count 64 MB against the limit
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the server, which closes the line
    line = socket.socket(fileno=control)
    heard, told = os.pipe()
    gc.collect()
    gc.freeze()
    idle = 0
    while True:
        idle = idle or _fork_pair(line, heard, told)
        ready, _, _ = select.select([heard], [], [], _LOOK_S)
        if ready:
            if os.read(heard, 1) == _OVER:
                return
            idle = 0
        if idle in _ended():
            idle = 0  # nobody took it, so something killed it


def _ended() -> dict[int, int]:
    """Return the children that have ended, with their status."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = status


def _fork_pair(line: socket.socket, heard: int, told: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        os.close(heard)
        _keep(line, told)
    except (OSError, EOFError):
        pass  # the server is gone, and with it whoever would want to know
    finally:
        os._exit(0)


def _keep(line: socket.socket, told: int) -> None:
    """Be the keeper: wait for a call, see it through, clean up after it."""
    _adopt_orphans()
    signal.signal(signal.SIGCHLD, lambda *_: None)
    awake, alarm = socket.socketpair()
    alarm.setblocking(False)
    signal.set_wakeup_fd(alarm.fileno(), warn_on_full_buffer=False)
    ours, theirs = socket.socketpair()
    started = os.fork()
    if started == 0:
        signal.set_wakeup_fd(-1)
        for end in (line, awake, alarm, ours):
            end.close()
        os.close(told)
        _work(theirs)
    theirs.close()
    word, given, _, _ = socket.recv_fds(line, 1, _DESCRIPTORS)
    with contextlib.suppress(BrokenPipeError):  # the call can be served all the same
        os.write(told, _TAKEN if word else _OVER)
    line.close()
    if len(given) != _DESCRIPTORS:
        return  # the worker sees the end of its line, and ends
    leash = socket.socket(fileno=given[0])
    socket.send_fds(ours, [b"."], given[1:])
    ours.sendall(frames.pack(frames.read(leash)))
    for one in given[1:]:
        os.close(one)
    ended = _wait(leash, awake, started)
    leash.sendall(frames.pack(_sweep(started, ended)))


def _adopt_orphans() -> None:
    """Become the parent of what the worker's children leave behind, so that it can be killed."""
    if sys.platform == "linux":
        libc.prctl(_SUBREAPER, 1, 0, 0, 0)


def _work(line: socket.socket) -> NoReturn:
    """Be the worker, or become the command that is one: 0 nothing, 1, 2 output, 3 the channel."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.setsid()
        worker.get_ready()
        _, given, _, _ = socket.recv_fds(line, 1, _DESCRIPTORS - 1)
        command: list[str] | None = frames.read(line)["command"]
        high = [fcntl.fcntl(one, fcntl.F_DUPFD, 64) for one in given]
        nothing = fcntl.fcntl(os.open(os.devnull, os.O_RDONLY), fcntl.F_DUPFD, 64)
        for number, one in ((0, nothing), (1, high[1]), (2, high[2]), (3, high[0])):
            os.dup2(one, number)
        os.closerange(4, os.sysconf("SC_OPEN_MAX"))
        if command:
            os.execve(command[0], command, {})
        worker.main(3)
    except (OSError, EOFError, ValueError):
        pass  # no call came before the end
    finally:
        os._exit(1)


def _wait(leash: socket.socket, awake: socket.socket, worker_id: int) -> int | None:
    """Return how the worker ended, None when the server let go of it first."""
    patience: float | None = _SHORT_S
    while True:
        ready, _, _ = select.select([leash, awake], [], [], patience)
        if not ready:
            os.setpriority(os.PRIO_PROCESS, worker_id, _NICENESS)
            patience = None
        if awake in ready:
            awake.recv(64)
            ended = _ended()
            if worker_id in ended:
                return ended[worker_id]
        if leash in ready:
            return None


def _sweep(worker_id: int, ended: int | None) -> dict[str, int]:
    """Kill all that is left of a call; return how its worker ended."""
    until = time.monotonic() + _SWEEP_S
    while time.monotonic() < until:
        for pid in _children() or ([] if ended is not None else [worker_id]):
            os.kill(pid, signal.SIGKILL)
        try:
            pid, status = os.waitpid(-1, 0)
        except ChildProcessError:
            break
        if pid == worker_id:
            ended = status
    status = ended or 0
    return {
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0,
    }


def _children() -> list[int]:
    """Return the processes whose parent this one is, also by adoption."""
    try:
        listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
        return [int(word) for word in listed.split()]
    except OSError:
        return []
