"""numpy, loaded on first use: who embeds nothing never needs it."""

import importlib
import os
from functools import cache
from typing import Any

from letta_site.core.errors import Invalid


@cache
def numpy() -> Any:
    """Return the numpy package, told to leave the other core alone. Raises Invalid without it."""
    # On two busy cores, two threads of BLAS took ten times as long as one for 6,000 vectors.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        return importlib.import_module("numpy")
    except ImportError as error:
        raise Invalid(
            "Comparing vectors needs numpy, which is not installed.",
            todo="Run `pip install numpy`, or use PostgreSQL with pgvector.",
        ) from error
