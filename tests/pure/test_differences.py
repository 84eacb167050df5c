"""What changed between two texts can be taken back and forth."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memory.logic.differences import line_changes, unified

texts = st.lists(st.sampled_from(["a", "b", "", "c d"]), max_size=8).map("\n".join)


@given(texts, texts)
def test_the_changes_lead_from_one_text_to_the_other(before: str, after: str) -> None:
    lines = before.split("\n")
    for change in reversed(line_changes(before, after)):
        at = change.old_line - 1
        assert tuple(lines[at : at + len(change.old)]) == change.old
        lines[at : at + len(change.old)] = change.new
    assert "\n".join(lines) == after
    assert bool(unified(before, after, old_name="1", new_name="2")) is (before != after)


def test_many_equal_lines_are_compared_in_reasonable_time() -> None:
    changes = line_changes("x\n" * 40_000, "x\n" * 40_000 + "y")
    assert [one.new for one in changes][-1][-1] == "y"
