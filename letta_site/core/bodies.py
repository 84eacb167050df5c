"""How large the body of a request may be: files may be larger than everything else."""

import re

from django.conf import settings

FORM_BYTES = 64 * 1024  # what a multipart form adds to the file in it
_UPLOAD = re.compile(r"/(?:v1|latest)/(?:folders|sources)/[^/]+/upload/?\Z")


def body_limit(path: str) -> int:
    """Return how many bytes the body of a request to `path` may have."""
    if _UPLOAD.search(path):
        return max(settings.MAX_FILE_BYTES + FORM_BYTES, settings.MAX_BODY_BYTES)
    limit: int = settings.MAX_BODY_BYTES
    return limit


def limit_variable(path: str) -> str:
    """Return the name of the setting that `body_limit` of this path follows."""
    return "LETTA_MAX_FILE_MB" if _UPLOAD.search(path) else "LETTA_MAX_BODY_MB"
