"""Conditions on columns that hold a JSON list, the same on both databases."""

import json
from typing import Any

from django.db import connection
from django.db.models import BooleanField, Model
from django.db.models.expressions import RawSQL


def has_item(model: type[Model], column: str, item: str) -> Any:
    """Return the condition that the list in a column of `model` has a text among its items."""
    quote = connection.ops.quote_name
    place = f"{quote(model._meta.db_table)}.{quote(column)}"
    # Django has no `contains` for JSON on SQLite.
    if connection.vendor == "sqlite":
        sql = f"EXISTS (SELECT 1 FROM json_each({place}) WHERE value = %s)"
        return RawSQL(sql, [item], output_field=BooleanField())
    return RawSQL(f"{place} @> %s::jsonb", [json.dumps([item])], output_field=BooleanField())
