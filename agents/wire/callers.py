"""Who is calling, read from the headers of the published clients in this one place."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """What matters of a client. `old`: of the 0.1 line; `resends`: this is a repetition.

    `idempotency_key` is what the caller itself named the request.
    """

    old: bool = False
    resends: bool = False
    idempotency_key: str | None = None
    project_id: str | None = None


def caller_of(headers: Mapping[str, str]) -> Caller:
    """Return who is calling."""
    retries = headers.get("X-Stainless-Retry-Count", "0")
    return Caller(
        old=any(name.lower().startswith("x-fern-") for name in headers),
        resends=retries.isdigit() and int(retries) > 0,
        idempotency_key=headers.get("Idempotency-Key", "")[:255] or None,
        project_id=headers.get("X-Project-Id"),
    )
