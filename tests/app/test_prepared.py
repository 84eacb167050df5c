"""Queries that are written once: other ids, other numbers of ids, values as Django reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from letta_site.core.prepared import Prepared
from letta_site.core.types import Actor
from memory.models import Block


def _of(ids: Sequence[str]) -> Any:
    return Block.objects.filter(label__in=ids).order_by("label").values_list("label", "tags")


def test_any_number_of_ids_and_always_what_is_stored_now(owner: Actor) -> None:
    query = Prepared(_of)
    for label in ("a", "b", "c"):
        Block.objects.create(org_id=owner.org_id, label=label, value="", tags=[label])
    for wanted in ([], ["a"], ["b", "c"], ["a", "b", "c"], ["c"], ["x", "a"]):
        assert [list(row) for row in query.rows(wanted)] == [list(r) for r in _of(wanted)]
    Block.objects.filter(label="a").update(tags=["new"])
    assert [list(row) for row in query.rows(["a"])] == [["a", ["new"]]]
