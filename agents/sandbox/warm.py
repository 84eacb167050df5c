"""The fork-server as the server sees it: started when it is first needed, and again if it died."""

import contextlib
import os
import socket
import subprocess
import sys
import threading

from agents.sandbox.walls import CODE_ROOT, START


class ForkServer:
    """One for the whole process. Its methods block for a moment; `start` for some 50 ms."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._line: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    @property
    def is_up(self) -> bool:
        """Whether a call would go through without starting anything."""
        process = self._process
        return process is not None and self._owner == os.getpid() and process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process that forks; None when there is none."""
        return self._process.pid if self._process and self.is_up else None

    def start(self) -> None:
        """See that there is a fork-server."""
        with self._guard:
            if self.is_up:
                return
            self._forget()
            ours, theirs = socket.socketpair()
            number = theirs.fileno()
            command = [sys.executable, "-I", "-S", "-B", "-c", START]
            with theirs:
                # An empty environment: what the server knows must not even be in /proc/PID/environ.
                self._process = subprocess.Popen(
                    [*command, str(CODE_ROOT), "forkserver", str(number)],
                    env={},
                    cwd="/",
                    pass_fds=[number],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )
            self._line, self._owner = ours, os.getpid()

    def send(self, descriptors: list[int]) -> None:
        """Hand over the descriptors of one call. Raises OSError when the fork-server is gone."""
        with self._guard:
            if self._line is None:
                raise BrokenPipeError("there is no fork-server")
            socket.send_fds(self._line, [b"."], descriptors)

    def stop(self) -> None:
        """Let the fork-server end; every call that still runs ends with it."""
        with self._guard:
            self._forget()

    def _forget(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._process is not None and self._owner == os.getpid():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(2)
        self._process = None


fork_server = ForkServer()
