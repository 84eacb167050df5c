"""Python runs this at start when the folder is on PYTHONPATH: the guard for server processes."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).parent.parent / "network.py"))["block_network"]()
