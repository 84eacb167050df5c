"""Carry out calls on the published Python client that is on the path: one JSON line in, one out.

Runs in a process of its own, so that both generations of the client can be tried side by side.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from letta_client import Letta


def plain(value: Any) -> Any:
    """Turn what the client returned into JSON, reading streams and following pages to the end."""
    if hasattr(value, "model_dump") and not is_page(value):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [plain(item) for item in value]
    return value


def is_page(value: Any) -> bool:
    return hasattr(value, "get_next_page")


def given(value: Any) -> Any:
    """Return a field as the client takes it: a file comes as {"$file": [name, text]}."""
    if isinstance(value, dict) and "$file" in value:
        name, text = value["$file"]
        return name, text.encode()
    return value


def carry_out(client: Letta, order: dict[str, Any]) -> Any:
    fields = {name: given(value) for name, value in order["fields"].items()}
    result = attrgetter(order["path"])(client)(**fields)
    if order["first_page"] and is_page(result):
        return plain(result.items)
    return plain(result)


def described(error: Exception) -> dict[str, Any]:
    status, body = getattr(error, "status_code", None), getattr(error, "body", None)
    return {"kind": type(error).__name__, "status": status, "body": body, "text": str(error)}


def main(base_url: str) -> None:
    client = Letta(base_url=base_url)
    for line in sys.stdin:
        try:
            outcome = {"result": carry_out(client, json.loads(line))}
        except Exception as error:  # noqa: BLE001 - whatever the client raises is what is looked at
            outcome = {"error": described(error)}
        print(json.dumps({**outcome, "said": []}, default=str), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
