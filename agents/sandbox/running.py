"""Running a job in the sandbox: `await run(job)`. The event loop only waits for sockets here."""

import asyncio
import contextlib
import itertools
import json
import signal
import socket
from dataclasses import asdict, dataclass, field, replace
from weakref import WeakKeyDictionary

from django.conf import settings

from agents.sandbox import folders, walls
from agents.sandbox.inside.frames import HEADER_BYTES, pack
from agents.sandbox.jobs import Done, How, Job, Json, NoSandbox
from agents.sandbox.warm import fork_server

_PIECE_BYTES = 64 * 1024
_LOOK_AT_DISK_S = 0.25
_END_S = 2.0
_STARTS = 2
# Users that systemd sets aside for services without an account, and hardly anybody else has.
_FIRST_USER, _USERS = 61184, 4336

_numbers = itertools.count()
_slots: "WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]" = WeakKeyDictionary()


async def run(job: Job) -> Done:
    """Run a job and return how it went; whatever it started is dead then.

    Raises NoSandbox when this machine cannot keep it apart. Cancelling kills it.
    """
    async with _slot():
        around = await asyncio.to_thread(walls.choose)
        folder = folders.make()
        call = _Call(job, folder)
        try:
            await call.start()
            return await call.converse(around)
        finally:
            call.close()
            folders.remove_soon(folder, getattr(call, "leash", None))


def _slot() -> asyncio.Semaphore:
    loop = asyncio.get_running_loop()
    return _slots.setdefault(loop, asyncio.Semaphore(settings.SANDBOX_PARALLEL))


@dataclass(slots=True)
class _Call:
    """One job on its way. `how` is set by whatever ends it early."""

    job: Job
    folder: str
    how: How | None = None
    leash: socket.socket = field(init=False)
    channel: socket.socket = field(init=False)
    out: socket.socket = field(init=False)
    err: socket.socket = field(init=False)

    async def start(self) -> None:
        """Get a worker."""
        pairs = [socket.socketpair() for _ in range(4)]
        self.leash, self.channel, self.out, self.err = (ours for ours, _ in pairs)
        try:
            await _send([theirs.fileno() for _, theirs in pairs])
        finally:
            for ours, theirs in pairs:
                theirs.close()
                ours.setblocking(False)

    async def _hand_over(self, around: walls.Walls) -> None:
        """Tell the keeper what the worker is to be, and the worker what to do."""
        user = _FIRST_USER + next(_numbers) % _USERS
        command = None
        if around.command:
            command = walls.bubblewrap_command(
                around.command,
                self.folder,
                user,
                self.job.packages,
                network=self.job.network,
                programs=self.job.limits.processes > 0,
            )
        loop, order = asyncio.get_running_loop(), pack(self._order(around, user))
        with contextlib.suppress(ConnectionError):  # it died at once; reading will tell
            await loop.sock_sendall(self.leash, pack({"command": command}))
            await loop.sock_sendall(self.channel, order)

    def _order(self, around: walls.Walls, user: int) -> Json:
        job, limits = self.job, self.job.limits
        code_root = "/letta" if around.command else str(walls.CODE_ROOT)
        home = {"HOME": self.folder, "TMPDIR": self.folder, "LANG": "C.UTF-8"}
        return {
            "walls": around.names,
            "code_root": code_root,
            "folder": self.folder,
            "user": user,
            "reads_all": walls.needs_reading_rights(job.packages),
            "read": [*walls.readable(), *job.packages],
            "execute": walls.EXECUTABLE,
            "network": job.network,
            "ports": settings.SANDBOX_PORTS,
            "limits": {**asdict(limits), "cpu_s": int(limits.timeout_s) + 1},
            "packages": [*job.packages, *walls.installed()],
            "env": {"PATH": ":".join(walls.PROGRAMS), **home, **job.env},
            "source": job.source,
            "function": job.function,
            "args": job.args,
            "agent": job.agent,
            "client": job.ask is not None,
        }

    async def converse(self, around: walls.Walls) -> Done:
        """Have a worker behind these walls do the job; take what comes until it is dead."""
        watch = asyncio.create_task(self._watch_the_disk())
        outputs = [asyncio.create_task(self._collect(one)) for one in (self.out, self.err)]
        try:
            answer = await self._answer_in_time(around)
            self.let_go()
            # A good answer is not kept waiting for the funeral, which takes some milliseconds.
            report = {} if answer else await self._report()
            texts = [await _within(output, default=b"") for output in outputs]
        finally:
            for task in (watch, *outputs):
                task.cancel()
        done = self._judge(answer, report)
        stdout, stderr = (text.decode("utf-8", "replace") for text in texts)
        return replace(done, stdout=stdout, stderr=stderr)

    async def _answer_in_time(self, around: walls.Walls) -> Json | None:
        try:
            async with asyncio.timeout(self.job.limits.timeout_s):
                await self._hand_over(around)
                while True:
                    said = await self._read_frame()
                    if said is None or "request" not in said:
                        return said
                    await self._serve(said["request"])
        except TimeoutError:
            self.how = "timed_out"
        except (OSError, ValueError, RecursionError):
            self.how = "died"
        return None

    async def _read_frame(self) -> Json | None:
        head = await self._exactly(HEADER_BYTES)
        size = int.from_bytes(head or b"", "big")
        if size > self.job.limits.result_bytes + _PIECE_BYTES:
            raise ValueError(f"a frame of {size} bytes")
        body = await self._exactly(size) if head else None
        said = json.loads(body, parse_constant=str) if body else None
        return said if isinstance(said, dict) else None

    async def _exactly(self, size: int) -> bytes | None:
        loop, got = asyncio.get_running_loop(), bytearray()
        while len(got) < size:
            piece = await loop.sock_recv(self.channel, min(size - len(got), _PIECE_BYTES))
            if not piece:
                return None
            got += piece
        return bytes(got)

    async def _serve(self, request: Json) -> None:
        if self.job.ask is None:
            raise ValueError("a request without being allowed one")
        answer = await self.job.ask(request)
        await asyncio.get_running_loop().sock_sendall(self.channel, pack(answer))

    async def _collect(self, stream: socket.socket) -> bytes:
        """Return what is written, up to the limit; who writes more than that is stopped."""
        loop, got, most = asyncio.get_running_loop(), bytearray(), self.job.limits.output_bytes
        while piece := await loop.sock_recv(stream, _PIECE_BYTES):
            got += piece
            if len(got) > most:
                self.how = self.how or "flooded"
                self.let_go()
                break
        return bytes(got[:most])

    async def _watch_the_disk(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_AT_DISK_S)
            used = await asyncio.to_thread(folders.bytes_in, self.folder)
            if used > self.job.limits.disk_mb * 1024 * 1024:
                self.how = self.how or "filled_the_disk"
                self.let_go()
                return

    def let_go(self) -> None:
        """Have the keeper kill whatever runs."""
        with contextlib.suppress(OSError):
            self.leash.shutdown(socket.SHUT_WR)

    async def _report(self) -> Json:
        """Return what the keeper says of the end; empty when it said nothing."""
        loop, got = asyncio.get_running_loop(), bytearray()
        try:
            async with asyncio.timeout(_END_S):
                while piece := await loop.sock_recv(self.leash, 1024):
                    got += piece
        except (TimeoutError, OSError):
            return {}
        return dict(json.loads(got[HEADER_BYTES:])) if len(got) > HEADER_BYTES else {}

    def _judge(self, answer: Json | None, report: Json) -> Done:
        if answer is None:
            how = self.how or "died"
            return Done(how, why=_WHY[how].format(self.job.limits, _ending(report)))
        if "unconfined" in answer:
            raise NoSandbox(f"The tool was not run: its sandbox failed ({answer['unconfined']}).")
        memory = {str(key): str(text) for key, text in dict(answer.get("memory") or {}).items()}
        error = answer.get("error")
        if not isinstance(error, dict):
            return Done("returned", answer.get("value"), memory=memory)
        why = f"{error.get('type')}: {error.get('text')}"
        return Done("raised", why=why, trace=str(error.get("trace", "")), memory=memory)

    def close(self) -> None:
        """Close our ends. Closing the leash kills what still runs."""
        for name in ("channel", "out", "err"):
            with contextlib.suppress(AttributeError):
                getattr(self, name).close()
        with contextlib.suppress(AttributeError):
            self.let_go()


_WHY: dict[How, str] = {
    "timed_out": "it was stopped after {0.timeout_s:g} seconds without a result",
    "flooded": "it was stopped because it printed more than {0.output_bytes} bytes",
    "filled_the_disk": "it was stopped because its files took more than {0.disk_mb} MB",
    "died": "its process ended without a result ({1})",
}


def _ending(report: Json) -> str:
    number = report.get("signal", 0)
    if number == signal.SIGKILL:
        return "killed, perhaps for want of memory"
    if number == signal.SIGXCPU:
        return "it used up its processor time"
    if number:
        return signal.Signals(number).name
    return f"exit code {report.get('code', 'unknown')}"


async def _send(descriptors: list[int]) -> None:
    for again in range(_STARTS):
        if again or not fork_server.is_up:
            await asyncio.to_thread(fork_server.start)
        with contextlib.suppress(BrokenPipeError, ConnectionError):
            fork_server.send(descriptors)
            return
    raise NoSandbox("The process that starts tools cannot be started.")


async def _within(task: "asyncio.Task[bytes]", *, default: bytes) -> bytes:
    """Return what a task gives. The output ends when the last process that had it is dead."""
    try:
        return await asyncio.wait_for(task, _END_S)
    except TimeoutError:
        return default
