"""Checks of values before they reach the database, where a bad one would be a crash."""

from django.db import models

from agents.types import Json
from letta_site.core.errors import Invalid

MAX_INTEGER = 2_147_483_647


def check_columns(model: type[models.Model], values: Json) -> Json:
    """Return `values` unchanged. Raises Invalid when one does not fit its column of `model`."""
    for name, value in values.items():
        column = model._meta.get_field(name.removesuffix("_id") if name == "org_id" else name)
        longest = getattr(column, "max_length", None)
        if isinstance(value, str) and longest and len(value) > longest:
            raise Invalid(f"{name} has {len(value)} characters; it may have {longest}.")
        if isinstance(column, models.IntegerField) and isinstance(value, int):
            _check_integer(name, value)
    return values


def _check_integer(name: str, value: int) -> None:
    if abs(value) > MAX_INTEGER:
        raise Invalid(f"{name} is {value}; it must be a number of at most {MAX_INTEGER}.")
