"""Edits of blocks, patches, and how blocks are shown."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.logic.edits import BlockEdit, BlockView, EditError, apply_edit, edited_views
from memory.logic.patches import patch_edits
from memory.logic.render import numbered, render_blocks


def view(value: str = "", **fields: object) -> BlockView:
    return BlockView("block-1", "human", value, **fields)  # type: ignore[arg-type]


def edit(op: str, **args: object) -> BlockEdit:
    return BlockEdit(op, "human", args)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "change", "after"),
    [
        ("", edit("append", content="a"), "a"),
        ("a", edit("append", content="b"), "a\nb"),
        ("x y x", edit("replace_all", old="x", new="z"), "z y z"),
        ("x y", edit("replace_once", old="y", new=""), "x "),
        ("a\nb", edit("insert_line", text="0", line=0), "0\na\nb"),
        ("a\nb", edit("insert_line", text="m", line=1), "a\nm\nb"),
        ("a\nb", edit("insert_line", text="c", line=-1), "a\nb\nc"),
        ("", edit("insert_line", text="a", line=-1), "a"),
        ("", edit("insert_line", text="a", line=0), "a"),
        ("old", edit("rewrite", value="new", description="d"), "new"),
        ("", edit("create", value="first"), "first"),
        ("kept", edit("rename", new_label="person"), "kept"),
        ("kept", edit("delete"), "kept"),
    ],
)
def test_edit_gives_the_new_value(value: str, change: BlockEdit, after: str) -> None:
    assert apply_edit(view(value), change) == after


@pytest.mark.parametrize(
    ("block", "change", "told"),
    [
        (view("a"), edit("replace_once", old="z", new=""), "'z' is not in the block 'human'"),
        (view("a\nb\na"), edit("replace_once", old="a", new=""), "2 times .* lines 1, 3"),
        (view("a"), edit("replace_all", old="", new="x"), "is empty"),
        (view("a"), edit("insert_line", text="x", line=2), "no line 2 .* to 1"),
        (view("a"), edit("insert_line", text="x", line=-2), "no line -2"),
        (view("a", read_only=True), edit("rewrite", value="b"), "read-only"),
        (view("a", read_only=True), edit("delete"), "read-only"),
        (view("a"), edit("replace_once", old="1→ a", new="b"), "line numbers"),
        (view("12345", limit=8), edit("append", content="789"), "hold 8 .* 9: 1 too many"),
    ],
)
def test_impossible_edit_tells_the_model_why(
    block: BlockView, change: BlockEdit, told: str
) -> None:
    with pytest.raises(EditError, match=told):
        apply_edit(block, change)


def test_block_over_its_limit_may_be_shortened_but_not_changed_otherwise() -> None:
    block = view("1234567890", limit=5)
    assert apply_edit(block, edit("replace_once", old="890", new="")) == "1234567"
    with pytest.raises(EditError, match="5 too many"):
        apply_edit(block, edit("replace_once", old="1", new="x"))


@settings(max_examples=60)
@given(value=st.text("ab\n", max_size=30), old=st.text("ab\n", min_size=1, max_size=3))
def test_replace_once_changes_exactly_one_place(value: str, old: str) -> None:
    change = edit("replace_once", old=old, new="#")
    if value.count(old) == 1:
        assert apply_edit(view(value), change).count("#") == 1
    else:
        with pytest.raises(EditError):
            apply_edit(view(value), change)


@settings(max_examples=60)
@given(value=st.text("ab\n", max_size=20), line=st.integers(-1, 5), text=st.text("xy", min_size=1))
def test_inserted_line_can_be_read_back_where_it_was_put(value: str, line: int, text: str) -> None:
    lines = value.split("\n") if value else []
    if line > len(lines):
        return
    after = apply_edit(view(value), edit("insert_line", text=text, line=line)).split("\n")
    assert after[line if line >= 0 else -1] == text
    assert len(after) == len(lines) + 1


@settings(max_examples=60)
@given(value=st.text("ab", max_size=9), content=st.text("ab", max_size=9), limit=st.integers(0, 12))
def test_growing_edit_never_passes_the_limit(value: str, content: str, limit: int) -> None:
    try:
        after = apply_edit(view(value, limit=limit), edit("append", content=content))
    except EditError:
        return
    assert len(after) <= limit


def patched(value: str, patch: str) -> str:
    block = view(value)
    for one in patch_edits(block, patch):
        block = view(apply_edit(block, one))
    return block.value


@pytest.mark.parametrize(
    ("value", "patch", "after"),
    [
        (
            "Name: Ada\nCity: Rome",
            "@@\n Name: Ada\n-City: Rome\n+City: Oslo",
            "Name: Ada\nCity: Oslo",
        ),
        ("a\nb\nc", "--- old\n+++ new\n@@ -2 +2 @@\n-b", "a\nc"),
        ("a\nb", "-b", "a"),
        ("a", "+b", "a\nb"),
        ("a\nb\nc", "@@\n-a\n+1\n@@\n-c\n+3\n\\ No newline at end of file", "1\nb\n3"),
    ],
)
def test_patch_is_applied(value: str, patch: str, after: str) -> None:
    assert patched(value, patch) == after


@pytest.mark.parametrize(
    ("patch", "told"), [(" a\n b", "changes nothing"), ("@@\nnonsense", "starts with none of")]
)
def test_bad_patch_is_refused(patch: str, told: str) -> None:
    with pytest.raises(EditError, match=told):
        patch_edits(view("a\nb"), patch)


def test_blocks_are_shown_with_description_and_sizes() -> None:
    shown = render_blocks(
        [view("Name: Ada", description="About the user."), view("x", read_only=True, limit=7)],
        line_numbers=False,
    )
    assert shown.startswith("<memory_blocks>") and shown.endswith("</memory_blocks>")
    assert (
        "<human>\n<description>\nAbout the user.\n</description>\n<metadata>\n"
        "- chars_current=9\n- chars_limit=100000\n</metadata>\n"
        "<value>\nName: Ada\n</value>\n</human>\n\n<human>"
    ) in shown
    assert "- read_only=true\n- chars_current=1\n- chars_limit=7" in shown


def test_line_numbers_come_with_a_warning() -> None:
    shown = render_blocks([view("a\nb")], line_numbers=True)
    assert "1→ a\n2→ b" in shown and "<warning>" in shown
    assert numbered("") == ""


def test_no_blocks_no_section() -> None:
    assert render_blocks([], line_numbers=True) == ""


def test_later_edits_of_a_step_see_the_earlier_ones() -> None:
    views = (BlockView("block-1", "human", "Bob"),)
    views = edited_views(views, BlockEdit("append", "human", {"content": "Oslo"}))
    views = edited_views(views, BlockEdit("create", "notes", {"value": "n"}))
    views = edited_views(views, BlockEdit("rename", "notes", {"new_label": "plans"}))
    views = edited_views(views, BlockEdit("replace_once", "human", {"old": "no", "new": "x"}))
    assert [(view.label, view.value) for view in views] == [("human", "Bob\nOslo"), ("plans", "n")]
    assert edited_views(views, BlockEdit("delete", "plans")) == views[:1]
