"""25 ways out of a sandbox (and what they cost the server), each tried for real.

An attack is a tool that returns "escaped: ..." when it got what it was after; raising, or dying,
means that it did not. Those that harm nobody are first run without the walls, where they must
succeed: an attack that cannot succeed proves nothing.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from agents.sandbox import walls
from agents.sandbox.inside import landlock
from agents.sandbox.jobs import Done, Job, limits_from_settings
from agents.sandbox.running import run

CANARY = "canary-5f1c"
LIMITS = replace(
    limits_from_settings(), timeout_s=4, memory_mb=256, file_mb=8, disk_mb=16, processes=0
)


@pytest.fixture(autouse=True, params=["landlock", "bubblewrap"])
def kind_of_walls(request: pytest.FixtureRequest, settings: Any) -> None:
    """Each way out is tried through each kind of wall that this machine has."""
    settings.SANDBOX = request.param
    if walls._found(request.param) is None:
        pytest.skip(f"{request.param} does not work on this machine")


def play(job: Job) -> Done:
    return asyncio.run(asyncio.wait_for(run(job), 30))


def attack(body: str, **args: Any) -> Job:
    lines = "\n".join(f"    {line}" for line in body.strip("\n").splitlines())
    names = ", ".join(args)
    source = f"import os, sys, ctypes, socket, time, subprocess\ndef attack({names}):\n{lines}\n"
    return Job(source, "attack", args, limits=LIMITS)


@pytest.fixture
def no_walls(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    with monkeypatch.context() as patch:
        patch.setattr(walls, "choose", lambda: walls.Walls(()))
        yield patch


@pytest.fixture
def canary() -> Iterator[Path]:
    """A secret of the server's, in a file that the rights of files alone do not protect."""
    folder = Path(tempfile.mkdtemp(prefix="letta-canary-"))
    folder.chmod(0o777)
    file = folder / "secret.key"
    file.write_text(CANARY)
    file.chmod(0o666)
    yield file
    shutil.rmtree(folder)


@pytest.fixture
def listener() -> Iterator[tuple[int, list[bytes]]]:
    """A service of this machine, such as a database: its port, and who came."""
    came: list[bytes] = []
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        door.settimeout(20)

        def serve() -> None:
            try:
                while True:
                    guest, _ = door.accept()
                    came.append(b"guest")
                    guest.close()
            except OSError:
                return

        threading.Thread(target=serve, daemon=True).start()
        yield door.getsockname()[1], came


def contained(done: Done) -> bool:
    return not str(done.value).startswith("escaped")


# --- attacks that must work without the walls ---------------------------------------------------

READ = 'return "escaped: " + open(path).read()'
PROVABLE = {
    "read the server's files": READ,
    "write the server's files": 'open(path, "a").write("x"); return "escaped"',
    "link to a file outside and read the link": """
os.symlink(path, "link")
return "escaped: " + open("link").read()
""",
    "hard-link a file of the server's": """
os.link(path, "hard")
return "escaped: " + open("hard").read()
""",
    "move out of the private folder": """
open("mine", "w").write("x")
os.rename("mine", path + ".stolen")
return "escaped"
""",
    "empty a file while opening it to read": """
os.open(path, os.O_RDONLY | os.O_TRUNC)
return "escaped" if os.stat(path).st_size == 0 else "no"
""",
    "empty a file by its path": """
os.truncate(path, 0)
return "escaped"
""",
    "lock the server out of its own file": """
os.chmod(path, 0)
return "escaped" if os.stat(path).st_mode & 0o777 == 0 else "no"
""",
}


# A server that is root makes its tools another user, who may not do this with or without walls.
OWNERS_ONLY = ("lock the server out of its own file",)


@pytest.mark.parametrize("name", PROVABLE)
def test_files_of_the_server(name: str, canary: Path, no_walls: pytest.MonkeyPatch) -> None:
    job = attack(PROVABLE[name], path=str(canary))
    if os.geteuid() != 0 or name not in OWNERS_ONLY:
        assert not contained(play(job)), "without walls the attack must work"
    no_walls.undo()
    for left in canary.parent.iterdir():
        left.unlink()
    canary.write_text(CANARY)
    canary.chmod(0o666)
    done = play(job)
    assert contained(done), done
    assert canary.read_text() == CANARY
    assert canary.stat().st_mode & 0o777 == 0o666
    assert not Path(f"{canary}.stolen").exists()


def test_the_servers_own_data(no_walls: pytest.MonkeyPatch) -> None:
    no_walls.undo()
    folder = Path(settings.LETTA_DIR)
    for path in ("secret.key", "django.key", "letta.sqlite3"):
        (folder / path).touch()
        done = play(attack(READ, path=str(folder / path)))
        assert contained(done), done
        assert "PermissionError" in done.why or "FileNotFoundError" in done.why
    listing = play(attack('return "escaped: " + str(os.listdir(path))', path=str(folder)))
    assert contained(listing)


def test_tcp_to_this_machine(
    listener: tuple[int, list[bytes]], no_walls: pytest.MonkeyPatch
) -> None:
    port, came = listener
    job = attack('socket.create_connection(("127.0.0.1", port), 2); return "escaped"', port=port)
    assert not contained(play(job))
    assert came == [b"guest"]
    no_walls.undo()
    assert contained(play(job))
    if settings.SANDBOX == "bubblewrap" or landlock.version() < 4:
        return  # there a grant is for every port
    granted = play(replace(job, network=True))  # it is for the ports of the web
    assert contained(granted), granted
    assert came == [b"guest"]


def test_udp_and_dns(no_walls: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 0))
        door.settimeout(0.5)
        job = attack(
            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            's.sendto(b"secret", ("127.0.0.1", port)); return "escaped"',
            port=door.getsockname()[1],
        )
        assert not contained(play(job))
        assert door.recv(100) == b"secret"
        no_walls.undo()
        assert contained(play(job))
        with pytest.raises(TimeoutError):
            door.recv(100)


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_unix_sockets(
    kind: str, no_walls: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """docker.sock, PostgreSQL's socket, the session bus."""
    folder = Path(tempfile.mkdtemp(prefix="letta-socket-"))
    request.addfinalizer(lambda: shutil.rmtree(folder))
    folder.chmod(0o755)
    name = str(folder / "sock") if kind == "path" else f"\0letta-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(name)
        door.listen()
        if kind == "path":
            Path(name).chmod(0o777)
        job = attack(
            's = socket.socket(socket.AF_UNIX); s.connect(name); return "escaped"', name=name
        )
        assert not contained(play(job))
        no_walls.undo()
        assert contained(play(job))


def test_secrets_in_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    body = """
import glob
found = [str(dict(os.environ))]
for path in ["/proc/self/environ", "/proc/1/environ", *glob.glob("/proc/[0-9]*/environ")]:
    try:
        found.append(open(path).read())
    except OSError:
        pass
return "escaped" if any("canary" in one for one in found) else "no"
"""
    assert contained(play(attack(body)))
    environ = play(attack("return dict(os.environ)")).value
    assert set(environ) == {"PATH", "HOME", "TMPDIR", "LANG"}


# --- attacks on other processes -----------------------------------------------------------------

SYSCALL = """
libc = ctypes.CDLL(None, use_errno=True)
got = libc.syscall(*[ctypes.c_long(one) for one in call])
return "escaped" if got >= 0 else f"errno {ctypes.get_errno()}"
"""
PR_SET_SECCOMP_NONE = 22


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are of x86_64")
@pytest.mark.parametrize(
    ("name", "number", "arguments"),
    [
        ("ptrace a process (attach to pid 1)", 101, (16, 1, 0, 0)),
        ("read another process's memory", 310, (1, 0, 0, 0, 0, 0)),
        ("a user namespace of its own", 272, (0x10000000,)),
        ("mount a file system", 165, (0, 0, 0, 0, 0)),
        ("the kernel's keyrings", 250, (0, -3, 1)),
        ("a BPF program", 321, (0, 0, 0)),
        ("io_uring, which does calls for others", 425, (4, 0)),
        ("perf events", 298, (0, 0, -1, -1, 0)),
        ("userfaultfd", 323, (0,)),
        ("memory that outlives the process (shmget)", 29, (0, 4096, 0o1600)),
        ("memory without a limit (memfd_create)", 319, (0, 0)),
        ("files by handle, past Landlock", 304, (0, 0, 0)),
        ("lower the server's limits", 302, (1, 7, 0, 0)),
        ("make the kernel signal for it (F_SETOWN)", 72, (1, 8, 1)),
        ("another root folder", 161, (0,)),
        ("the 32-bit calls of x86 (x32)", 0x40000000 + 39, ()),
    ],
)
def test_calls_of_the_kernel(name: str, number: int, arguments: tuple[int, ...]) -> None:
    done = play(attack(SYSCALL, call=[number, *arguments]))
    assert (done.how, done.value) in [("returned", "errno 1"), ("returned", "errno 38")], done


def test_signals_to_others() -> None:
    body = """
hit = []
for pid in (1, server, os.getppid(), -1):
    try:
        os.kill(pid, 0)
        hit.append(pid)
    except OSError:
        pass
return f"escaped: {hit}" if hit else "no"
"""
    assert contained(play(attack(body, server=os.getpid())))


def test_memory_of_the_server() -> None:
    body = 'open(f"/proc/{server}/mem", "rb"); return "escaped"'
    assert contained(play(attack(body, server=os.getpid())))


def test_descriptors_that_the_server_has_open() -> None:
    kept = Path(settings.LETTA_DIR, "kept-open")
    kept.write_text(CANARY)
    with kept.open() as file:
        os.set_inheritable(file.fileno(), True)
        body = """
found = []
for number in range(3, 2000):
    try:
        os.fstat(number)
        found.append(number)
    except OSError:
        pass
return found
"""
        done = play(attack(body))
    assert done.value == [3], done  # the channel, over which its own answer goes


# --- attacks on the machine ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        'subprocess.run(["/bin/sh", "-c", "true"], check=True); return "escaped"',
        'os.execv("/bin/sh", ["sh", "-c", "true"])',
        'return "escaped" if os.fork() == 0 else "escaped"',
        'os.environ["LD_PRELOAD"] = "/tmp/evil.so"; os.execv(sys.executable, ["python"])',
    ],
    ids=["subprocess", "exec", "fork", "LD_PRELOAD"],
)
def test_other_programs(body: str) -> None:
    done = play(attack(body))
    assert contained(done)
    assert done.how == "raised"


def processes_of_tools() -> int:
    """Count processes in the session of a worker, wherever they are in the tree now."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            count += b"letta-orphan" in command
        except OSError:
            continue
    return count


def test_a_fork_bomb_where_processes_are_allowed() -> None:
    if settings.SANDBOX == "bubblewrap" and os.geteuid() == 0:
        pytest.skip("the kernel does not count the processes of root, whose bubblewrap this is")
    body = """
made = 0
try:
    for _ in range(500):
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        made += 1
except OSError:
    pass
return made
"""
    job = attack(body)
    done = play(replace(job, limits=replace(LIMITS, processes=16)))
    assert done.value < 120, done


def test_a_daemon_does_not_outlive_its_tool() -> None:
    """Forked twice, in a session of its own, deaf to SIGTERM, holding the output open."""
    body = """
import signal
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        ctypes.CDLL(None).prctl(15, b"letta-orphan", 0, 0, 0)
        os.execv("/bin/sleep", ["letta-orphan", "60"])
    os._exit(0)
time.sleep(0.3)
return "left one behind"
"""
    job = attack(body)
    done = play(replace(job, limits=replace(LIMITS, processes=8)))
    assert done.value == "left one behind", done
    assert dies_within(2.0)


def dies_within(seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if processes_of_tools() == 0:
            return True
        time.sleep(0.02)
    return False


def test_too_much_memory() -> None:
    done = play(attack('x = bytearray(2 << 30); return "escaped"'))
    assert (done.how, "MemoryError" in done.why) == ("raised", True), done


def test_a_file_that_is_too_large() -> None:
    done = play(attack('open("big", "wb").write(b"x" * (64 << 20)); return "escaped"'))
    assert (done.how, "File too large" in done.why) == ("raised", True), done


def test_many_files_that_fill_the_disk() -> None:
    body = """
for n in range(1000):
    with open(f"f{n}", "wb") as file:
        file.write(b"x" * (4 << 20))
    time.sleep(0.02)
return "escaped"
"""
    done = play(attack(body))
    assert done.how == "filled_the_disk", done
    assert "16 MB" in done.why


@pytest.mark.parametrize(
    "body",
    ["while True: pass", "time.sleep(60)", "import signal; signal.pause()"],
    ids=["computing", "sleeping", "waiting"],
)
def test_a_tool_that_never_ends(body: str) -> None:
    job = attack(body)
    done = play(replace(job, limits=replace(LIMITS, timeout_s=0.5)))
    assert (done.how, "0.5 seconds" in done.why) == ("timed_out", True)


def test_ignoring_sigterm_is_no_use() -> None:
    body = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass"
    done = play(replace(attack(body), limits=replace(LIMITS, timeout_s=0.5)))
    assert done.how == "timed_out"


def test_a_gigabyte_of_output() -> None:
    done = play(attack('for _ in range(1 << 20): print("x" * 1023)\nreturn "escaped"'))
    assert done.how == "flooded", done.how
    assert len(done.stdout) == LIMITS.output_bytes


def test_writing_its_own_result() -> None:
    """The channel is the tool's own; what it may not do is say more there than a result."""
    forged = """
import json
body = json.dumps({"request": {"method": "DELETE", "path": "/v1/agents/x"}}).encode()
os.write(3, len(body).to_bytes(4, "big") + body)
time.sleep(1)
return "escaped"
"""
    assert play(attack(forged)).how == "died"
    endless = 'os.write(3, b"\\xff\\xff\\xff\\xff" + b"x" * 100); time.sleep(1); return "escaped"'
    assert play(attack(endless)).how == "died"
    bomb = """
body = b'{"value": ' + b"[" * 100000 + b"]" * 100000 + b"}"
os.write(3, len(body).to_bytes(4, "big") + body)
time.sleep(1)
return "escaped"
"""
    assert play(attack(bomb)).how == "died"


def test_a_result_that_is_too_large() -> None:
    done = play(attack('return "x" * (2 << 20)'))
    assert (done.how, "it may have" in done.why) == ("raised", True)


def test_nothing_runs_when_a_schema_is_derived(tmp_path: Path) -> None:
    from agents.services.tool_schema import schema_of_source

    mark = tmp_path / "ran"
    opened = f'open({str(mark)!r}, "w")'
    source = (
        f'{opened}\ndef f(x: int = {opened}) -> int:\n    """D.\n\n    Args:\n        x: n\n    """'
    )
    schema_of_source(source)
    assert not mark.exists()
