"""Typed readers of the environment; a wrong value stops the start with a sentence."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def text(*names: str, default: str = "") -> str:
    """Return the first non-empty variable of `names`, else the content of its _FILE twin."""
    for name in names:
        if value := os.environ.get(name, "").strip():
            return value
        if path := os.environ.get(f"{name}_FILE", "").strip():
            return Path(path).read_text(encoding="utf-8").strip()
    return default


def flag(name: str, *, default: bool = False) -> bool:
    """Return a boolean variable. Raises ImproperlyConfigured on anything unclear."""
    value = text(name).lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name}={value!r}: write true or false.")


def whole(name: str, *, default: int, least: int = 0) -> int:
    """Return an integer variable of at least `least`. Raises ImproperlyConfigured."""
    value = text(name)
    if not value:
        return default
    if not value.isdigit() or int(value) < least:
        raise ImproperlyConfigured(f"{name}={value!r}: write a whole number of at least {least}.")
    return int(value)


def one_of(name: str, *choices: str) -> str:
    """Return a variable that is one of `choices`, the first by default.

    Raises ImproperlyConfigured.
    """
    value = text(name, default=choices[0]).lower()
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r}: write one of {', '.join(choices)}.")
    return value


def ports(name: str, *, default: str) -> list[int]:
    """Return a comma-separated variable of port numbers. Raises ImproperlyConfigured."""
    given = [word.strip() for word in text(name, default=default).split(",")]
    if not all(word.isdigit() and 0 < int(word) < 65536 for word in given):
        raise ImproperlyConfigured(f"{name}={','.join(given)!r}: write port numbers, as in 80,443.")
    return [int(word) for word in given]


def words(name: str) -> list[str]:
    """Return a comma-separated variable as a list without blanks."""
    return [word.strip() for word in text(name).split(",") if word.strip()]


def ending_with(*suffixes: str) -> dict[str, str]:
    """Return all variables whose names end so, read like `text`; for providers' keys and URLs."""
    names = {name.removesuffix("_FILE") for name in os.environ}
    return {name: value for name in names if name.endswith(suffixes) and (value := text(name))}
