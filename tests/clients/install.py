"""Put what the tests need beyond pip in place: published clients in .clients/, the rest from apt.

What is absent and cannot be installed makes tests skip with a reason; with CI set it is an error.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

RECIPES = Path(__file__).resolve().parent
TARGET = RECIPES.parent.parent / ".clients"
APT_PACKAGES = {"chromium": "chromium", "node": "nodejs", "npm": "npm", "bwrap": "bubblewrap"}


class Unavailable(Exception):
    """It cannot be installed here, for the reason given."""


def fingerprint(*files: Path) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def run(command: list[str], cwd: Path | None = None) -> None:
    try:
        subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"{' '.join(command[:3])} failed: {error}") from error


def install_once(name: str, mark: str, build: Callable[[Path], None]) -> None:
    """Build into a fresh folder unless the stamp there says this very recipe was used."""
    folder = TARGET / name
    stamp = folder / ".recipe"
    if stamp.exists() and stamp.read_text() == mark:
        return
    print(f"Installing test client {name} ...", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    build(folder)
    stamp.write_text(mark)


def install_python_client(name: str) -> None:
    lock = RECIPES / f"{name}.lock"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--no-input", "--require-hashes", "--no-deps"]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    install_once(
        name,
        f"{fingerprint(lock)} {version}",
        lambda folder: run([*pip, *options, "--target", str(folder), "-r", str(lock)]),
    )


def install_node_client(name: str) -> None:
    recipe = [RECIPES / name / "package.json", RECIPES / name / "package-lock.json"]

    def build(folder: Path) -> None:
        for file in recipe:
            shutil.copy(file, folder)
        run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder)

    require_program("node")
    require_program("npm")
    install_once(name, fingerprint(*recipe), build)


def may_use_apt() -> list[str] | None:
    """Return the words to put in front of apt-get, or None when there is no right to."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return []
    allowed = shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True)
    return ["sudo", "-n"] if allowed and allowed.returncode == 0 else None


def require_program(name: str) -> None:
    if shutil.which(name):
        return
    prefix = may_use_apt()
    if prefix is None:
        raise Unavailable(f"{name} is not installed and there is no right to run apt-get")
    print(f"Installing {name} with apt-get ...", flush=True)
    run([*prefix, "apt-get", "update", "-qq"])
    options = ["install", "-y", "-qq", "--no-install-recommends"]
    run([*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *options, APT_PACKAGES[name]])


STEPS: dict[str, Callable[[], None]] = {
    "py1": lambda: install_python_client("py1"),
    "py0": lambda: install_python_client("py0"),
    "npm1": lambda: install_node_client("npm1"),
    "npm0": lambda: install_node_client("npm0"),
    "chromium": lambda: require_program("chromium"),
    "bwrap": lambda: require_program("bwrap"),
}


def main() -> int:
    failures = 0
    for name, step in STEPS.items():
        try:
            step()
        except Unavailable as reason:
            failures += 1
            print(f"{name}: {reason}; tests that need it will be skipped.", file=sys.stderr)
    return 1 if failures and os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
