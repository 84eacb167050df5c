"""The sandbox as its users in this server see it: speed of the others, cancelling, refusing."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from agents.sandbox import folders, packages, walls
from agents.sandbox.jobs import Done, Job, NoSandbox, limits_from_settings
from agents.sandbox.running import run
from agents.sandbox.warm import fork_server

pytestmark = pytest.mark.skipif(walls._found("auto") is None, reason="there is no sandbox here")

ADD = "def add(a, b):\n    return a + b\n"
SLEEP = "import time\ndef f():\n    time.sleep(60)\n"
PRINT = "def f():\n    while True:\n        print('x' * 4096)\n"


def play(job: Job) -> Done:
    return asyncio.run(asyncio.wait_for(run(job), 30))


def add() -> Done:
    return play(Job(ADD, "add", {"a": 1, "b": 2}))


def working_in(folder: Path) -> list[int]:
    """Return the processes whose working directory is `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                found.append(int(process.name))
        except OSError:
            continue
    return found


async def until(condition: Callable[[], Any], seconds: float = 2.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        await asyncio.sleep(0.01)
    return found


def test_a_function_is_called_and_its_value_comes_back() -> None:
    done = add()
    assert (done.how, done.value, done.stdout, done.stderr) == ("returned", 3, "", "")


def test_source_without_a_function_runs_as_a_script() -> None:
    done = play(Job("import sys\nprint(__name__)\nprint('bad', file=sys.stderr)"))
    assert (done.how, done.value) == ("returned", None)
    assert (done.stdout, done.stderr) == ("__main__\n", "bad\n")


def test_output_that_comes_before_an_error_is_kept() -> None:
    done = play(Job("print('so far')\nraise SystemExit(3)"))
    assert (done.how, done.why, done.stdout) == ("raised", "SystemExit: 3", "so far\n")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import os\nos._exit(7)", "exit code 7"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
    ],
)
def test_how_a_process_died_is_told(code: str, told: str) -> None:
    done = play(Job(code))
    assert (done.how, told in done.why) == ("died", True), done


def test_more_calls_than_the_limit_wait_for_their_turn(settings: Any) -> None:
    settings.SANDBOX_PARALLEL = 3
    job = Job("def f(n):\n    return n\n", "f")

    async def many() -> list[Done]:
        return await asyncio.gather(*(run(replace(job, args={"n": n})) for n in range(12)))

    done = asyncio.run(asyncio.wait_for(many(), 30))
    assert [one.value for one in done] == list(range(12))


def test_cancelling_kills_the_tool_and_removes_its_files() -> None:
    async def cancelled() -> tuple[Any, Any]:
        base = Path(folders.base())
        task = asyncio.create_task(run(Job(SLEEP, "f")))
        folder = await until(lambda: next(base.iterdir(), None))
        (folder / "left").write_text("x")
        busy = await until(lambda: working_in(folder), 10)
        assert busy
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        dead = await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in busy))
        return dead, await until(lambda: not folder.exists())

    assert asyncio.run(asyncio.wait_for(cancelled(), 30)) == (True, True)


def test_the_server_goes_on_while_a_tool_prints_without_end() -> None:
    """The loop gets its turn again and again; how soon is a matter for the benchmark."""

    async def watched() -> tuple[str, int]:
        turns, task = 0, asyncio.create_task(run(Job(PRINT, "f")))
        while not task.done():
            await asyncio.sleep(0)
            turns += 1
        return task.result().how, turns

    how, turns = asyncio.run(asyncio.wait_for(watched(), 30))
    assert how == "flooded"
    assert turns > 20


def test_the_fork_server_is_replaced_when_it_dies() -> None:
    add()
    first = fork_server.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert add().value == 3  # by the pair that it had left ready
    assert add().value == 3
    assert fork_server.pid not in (None, first)


def test_the_fork_server_has_an_empty_environment() -> None:
    add()
    assert Path(f"/proc/{fork_server.pid}/environ").read_bytes() == b""


def test_files_are_private_to_a_call_and_gone_after_it() -> None:
    code = "import os\ndef f():\n    open('x', 'w').write('1')\n    return os.getcwd()\n"
    folder = Path(play(Job(code, "f")).value)
    assert play(Job("import os\ndef f():\n    return os.listdir('.')\n", "f")).value == []
    assert asyncio.run(until(lambda: not folder.exists()))


def test_a_machine_without_walls_refuses(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(walls, "_found", lambda _: None)
    with pytest.raises(NoSandbox, match="do not run on this machine") as refused:
        add()
    assert "LETTA_UNSAFE_TOOLS" in refused.value.todo
    assert not walls.are_missing()
    settings.UNSAFE_TOOLS = True
    assert walls.are_missing()
    assert add().value == 3


def test_data_that_lie_among_the_libraries_are_not_risked(settings: Any) -> None:
    settings.LETTA_DIR = Path(walls.installed()[0]) / "letta"
    with pytest.raises(NoSandbox, match="LETTA_DIR"):
        add()


def test_a_variable_that_no_process_can_have() -> None:
    done = play(Job(ADD, "add", {"a": 1, "b": 2}, env={"A=B": "x"}))
    assert (done.how, "illegal" in done.why) == ("raised", True), done


def test_walls_that_cannot_be_built_are_not_gone_without() -> None:
    job = Job(
        ADD, "add", {"a": 1, "b": 2}, limits=replace(limits_from_settings(), threads=-(2**63))
    )
    with pytest.raises(NoSandbox, match="was not run"):
        play(job)


# --- packages -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ({"name": "httpx"}, "httpx"),
        ({"name": "httpx[http2]", "version": "0.28"}, "httpx[http2]==0.28"),
        ({"name": "httpx", "version": ">=0.27, <1"}, "httpx>=0.27, <1"),
    ],
)
def test_requirements(row: Any, line: str) -> None:
    assert packages.requirement_lines([row]) == [line]


@pytest.mark.parametrize(
    "row",
    [
        {"name": "--index-url=http://evil"},
        {"name": "git+https://evil/x"},
        {"name": "../x"},
        {"name": "x @ http://evil"},
        {"name": ""},
        {"name": "x", "version": "1 --pre"},
        {"name": "x", "version": "@ http://evil"},
    ],
)
def test_requirements_that_are_something_else(row: Any) -> None:
    with pytest.raises(packages.CannotInstall):
        packages.requirement_lines([row])


def test_packages_are_not_installed_unless_the_operator_allows_it() -> None:
    with pytest.raises(packages.CannotInstall) as refused:
        asyncio.run(packages.provide([{"name": "nothing-like-it"}]))
    assert "LETTA_TOOL_INSTALLS" in refused.value.todo


def write_wheel(folder: Path) -> None:
    """Write the wheel of a package of one module, as the format has it (PEP 427)."""
    info = "pebble-1.0.dist-info"
    with ZipFile(folder / "pebble-1.0-py3-none-any.whl", "w") as file:
        file.writestr("pebble.py", "SIZE = 3\n")
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: pebble\nVersion: 1.0\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")


def test_packages_are_installed_once(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TOOL_INSTALLS, settings.LETTA_DIR = True, tmp_path / "data"
    write_wheel(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    wanted = [{"name": "pebble", "version": "1.0"}]

    async def twice() -> list[tuple[str, ...]]:
        return await asyncio.gather(packages.provide(wanted), packages.provide(wanted))

    first, second = asyncio.run(twice())
    assert first == second
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
    assert asyncio.run(packages.provide(wanted)) == first
    job = Job("import pebble\ndef f():\n    return pebble.SIZE\n", "f", packages=first)
    assert play(job).value == 3
    with pytest.raises(packages.CannotInstall, match="pip could not install absent"):
        asyncio.run(packages.provide([{"name": "absent"}]))
