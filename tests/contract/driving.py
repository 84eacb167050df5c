"""Processes that each hold a published client, called in the words of operations.py."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.contract.operations import SPELLING

ROOT = Path(__file__).resolve().parent.parent.parent
INSTALLED = ROOT / ".clients"
SCRIPTS = Path(__file__).resolve().parent / "clients"
NAMES = ("py1", "npm1", "py0", "npm0")


class ClientError(Exception):
    """The client raised: kind is its class, status and body are what it learned from the server."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['kind']} {error['status']}: {error['text']}")
        self.kind, self.status, self.body = error["kind"], error["status"], error["body"]


def missing(name: str) -> str:
    """Return why the client cannot be used here, or an empty string."""
    if not (INSTALLED / name / ".recipe").exists():
        return f"client {name} is not installed; `make clients` installs it where it may"
    if name.startswith("npm") and shutil.which("node") is None:
        return "node is not installed"
    return ""


def require(name: str) -> None:
    """Skip with the reason where a client is absent; on CI that is a failure."""
    if reason := missing(name):
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


def environment_for(name: str) -> dict[str, str]:
    guard = str(ROOT / "tests" / "guard")
    path = f"{INSTALLED / name}{os.pathsep}{guard}" if name.startswith("py") else guard
    return {**os.environ, "PYTHONPATH": path}


def node_folder(name: str, folder: Path, *scripts: Path) -> Path:
    """Node looks for packages beside the script: put the scripts beside the client."""
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "node_modules"
    if not link.exists():
        link.symlink_to(INSTALLED / name / "node_modules")
    for script in scripts:
        shutil.copy(script, folder)
    return folder


@dataclass
class Client:
    """One published client in a process of its own, called by the words of operations.py."""

    name: str
    base_url: str
    folder: Path
    said: list[str] = field(default_factory=list)
    _process: subprocess.Popen[str] | None = None

    @property
    def is_old(self) -> bool:
        return self.name.endswith("0")

    def start(self) -> Client:
        self._process = subprocess.Popen(
            [*self._command(), self.base_url],
            env=environment_for(self.name),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def stop(self) -> None:
        if self._process and self._process.stdin and self._process.stdout:
            self._process.stdin.close()
            self._process.wait(10)
            self._process.stdout.close()

    def call(self, operation: str, *, first_page: bool = False, **fields: Any) -> Any:
        """Return the client's answer as JSON. Raises ClientError when the client raises."""
        answer = self._exchange({**self._spelled(operation, fields), "first_page": first_page})
        self.said = answer["said"]
        if "error" in answer:
            raise ClientError(answer["error"])
        return answer["result"]

    def _spelled(self, operation: str, fields: dict[str, Any]) -> dict[str, Any]:
        path, _, positions = SPELLING[self.name][operation].rstrip(")").partition("(")
        names = re.findall(r"\w+", positions) if self.name.startswith("npm") else []
        rest = {key: value for key, value in fields.items() if key not in names}
        return {"path": path, "positional": [fields[name] for name in names], "fields": rest}

    def _exchange(self, order: dict[str, Any]) -> dict[str, Any]:
        if not (self._process and self._process.stdin and self._process.stdout):
            raise RuntimeError("the client was not started")
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"client {self.name} ended with {self._process.wait(5)}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _command(self) -> list[str]:
        if self.name.startswith("py"):
            quiet = ["-W", "ignore::DeprecationWarning"]  # of the client's own older methods
            return [sys.executable, *quiet, str(SCRIPTS / "driver.py")]
        scripts = [SCRIPTS / "orders.mjs", SCRIPTS / f"{self.name}.mjs"]
        folder = node_folder(self.name, self.folder, *scripts)
        return ["node", str(folder / f"{self.name}.mjs")]
