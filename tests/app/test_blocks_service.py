"""Blocks: versions, limits, conflicts, edits of agents."""

import pytest

from letta_site.core.aio import write
from letta_site.core.errors import Conflict, Invalid, Malformed, NotFound
from letta_site.core.types import Actor, Origin, PageQuery
from memory.logic.edits import BlockEdit
from memory.models import Block, BlockVersion
from memory.services import block_versions, blocks

AGENT = Actor("org-00000000-0000-4000-8000-000000000000", "agent-x", "agent")
STEP = Origin(agent_id="agent-x", agent_seq=7, run_id="run-x", step_id="step-x", tool_name="memory")


@pytest.fixture
def human(owner):
    return blocks.create_block(owner, label="human", value="Name: Ada", limit=20)


def edit(op, label="human", **args):
    return (BlockEdit(op, label, args), STEP)


def apply(*edits, **rows):
    with write():
        return blocks.apply_edits(AGENT, edits=list(edits), blocks=rows)


def test_a_new_block_has_its_first_version(owner, human):
    version = block_versions.get_version(owner, human.id, 1)
    assert (version.value, version.parent_n, version.actor_id) == ("Name: Ada", None, owner.id)


def test_well_known_labels_get_a_description(owner, human):
    assert human.description == blocks.DESCRIPTIONS["human"]
    assert blocks.create_block(owner, label="diary").description is None


def test_an_update_writes_a_version_with_its_author(owner, mate, human):
    blocks.update_block(mate, human.id, changes={"value": "Name: Bob"})
    newest, first = block_versions.list_versions(owner, human.id)
    assert (newest.n, newest.parent_n) == (2, 1)
    assert (newest.value, newest.actor_id) == ("Name: Bob", mate.id)
    assert first.value == "Name: Ada"
    assert block_versions.list_versions(owner, human.id, after=2) == [first]


def test_an_update_that_changes_nothing_writes_nothing(owner, human):
    blocks.update_block(owner, human.id, changes={"value": "Name: Ada"})
    assert BlockVersion.objects.filter(block=human).count() == 1


def test_what_no_model_sees_is_versioned_too(owner, human):
    row = blocks.update_block(owner, human.id, changes={"metadata": {"a": 1}, "tags": ["t"]})
    assert (row.version, row.metadata, row.tags) == (2, {"a": 1}, ["t"])
    with pytest.raises(Conflict):
        blocks.update_block(owner, human.id, changes={"metadata": {}}, expected_version=1)
    back = block_versions.restore_version(owner, human.id, 1)
    assert (back.version, back.metadata, back.tags) == (3, {}, [])


def test_a_stale_version_is_refused_with_the_current_value(owner, human):
    blocks.update_block(owner, human.id, changes={"value": "first"}, expected_version=1)
    with pytest.raises(Conflict) as refusal:
        blocks.update_block(owner, human.id, changes={"value": "second"}, expected_version=1)
    assert refusal.value.extra == {"version": 2, "value": "first"}
    assert blocks.get_block(owner, human.id).value == "first"


@pytest.mark.parametrize("changes", [{"value": "x" * 21}, {"limit": 3}, {"limit": 0}])
def test_the_limit_holds_on_write(owner, human, changes):
    with pytest.raises(Malformed):
        blocks.update_block(owner, human.id, changes=changes)
    assert blocks.get_block(owner, human.id).version == 1


def test_the_refusal_names_limit_size_and_overage(owner):
    with pytest.raises(Malformed) as refusal:
        blocks.create_block(owner, label="x", value="a" * 30, limit=10)
    assert refusal.value.extra == {"limit": 10, "actual": 30, "overage": 20}


def test_a_block_that_is_too_long_already_may_be_described(owner, human):
    Block.objects.filter(pk=human.pk).update(value="y" * 50)
    assert blocks.update_block(owner, human.id, changes={"description": "d"}).description == "d"


def test_text_that_no_database_keeps_is_cleaned(owner):
    row = blocks.create_block(owner, label="x", value="a\x00b\ud800c")
    assert blocks.get_block(owner, row.id).value == "ab\ufffdc"


def test_an_unknown_field_is_refused(owner, human):
    with pytest.raises(Invalid):
        blocks.update_block(owner, human.id, changes={"org_id": "org-other"})


def test_a_stranger_sees_no_block(stranger, human):
    for call in (
        lambda: blocks.get_block(stranger, human.id),
        lambda: blocks.update_block(stranger, human.id, changes={"value": ""}),
        lambda: blocks.delete_block(stranger, human.id),
        lambda: block_versions.list_versions(stranger, human.id),
        lambda: block_versions.get_version(stranger, human.id, 1),
    ):
        with pytest.raises(NotFound):
            call()
    assert blocks.list_blocks(stranger) == []


def test_lists_filter(owner, human):
    diary = blocks.create_block(
        owner, label="diary", value="50% off", description="Days", tags=["a", "b\u00e9"]
    )
    found = {
        "label": blocks.list_blocks(owner, label="diary"),
        "label_search": blocks.list_blocks(owner, label_search="IAR"),
        "description_search": blocks.list_blocks(owner, description_search="days"),
        "value_search": blocks.list_blocks(owner, value_search="0% o"),
        "any tag": blocks.list_blocks(owner, tags=["b\u00e9", "z"]),
        "all tags": blocks.list_blocks(owner, tags=["a", "b\u00e9"], match_all_tags=True),
        "order": blocks.list_blocks(owner, query=PageQuery(limit=1, order="desc")),
        "after": blocks.list_blocks(owner, query=PageQuery(after=human.id, order="asc")),
    }
    assert found == {name: [diary] for name in found}
    assert blocks.list_blocks(owner, tags=["a", "z"], match_all_tags=True) == []
    assert blocks.list_blocks(owner, identity_id="identity-x") == []
    assert set(blocks.list_blocks(owner, agents_lt=1)) == {human, diary}
    assert blocks.list_blocks(owner, agents_gt=0) == []
    assert set(blocks.list_blocks(owner, agents_eq=[0, 5])) == {human, diary}
    assert blocks.count_blocks(owner, label="diary") == 1


def test_an_agents_edits_build_on_each_other_and_are_recorded(owner, human):
    first, second = apply(edit("append", content="a"), edit("append", content="b"), human=human)
    assert (first.view.value, second.view.value) == ("Name: Ada\na", "Name: Ada\na\nb")
    newest = block_versions.get_version(owner, human.id, 3)
    assert (newest.actor_kind, newest.step_id, newest.agent_seq) == ("agent", "step-x", 7)
    assert newest.tool_name == "memory"


def test_an_edit_meets_the_row_as_it_is_now(owner, human):
    stale = Block.objects.get(pk=human.pk)
    blocks.update_block(owner, human.id, changes={"value": "Changed"})
    missed, added = apply(
        edit("replace_once", old="Ada", new="Bob"), edit("append", content="!"), human=stale
    )
    assert "Ada" in missed.error and missed.view is None
    assert added.view.value == "Changed\n!"


def test_an_edit_over_the_limit_is_refused(owner, human):
    (result,) = apply(edit("append", content="x" * 50), human=human)
    assert result.error
    assert blocks.get_block(owner, human.id).value == "Name: Ada"


def test_an_edit_of_a_read_only_block_is_refused_but_a_person_may(owner, human):
    row = blocks.update_block(owner, human.id, changes={"read_only": True})
    (result,) = apply(edit("rewrite", value="mine"), human=row)
    assert result.error
    assert blocks.update_block(owner, human.id, changes={"value": "ours"}).value == "ours"


def test_an_agent_creates_renames_and_detaches(owner, human):
    made, renamed, gone, missing = apply(
        edit("create", "diary", value="Monday", description="Days"),
        edit("rename", "diary", new_label="journal"),
        edit("delete", "human"),
        edit("append", "human", content="x"),
        human=human,
    )
    assert made.created.description == "Days"
    assert renamed.view.label == "journal"
    assert gone.detached_id == human.id and gone.view is None
    assert "journal" in missing.error
    assert Block.objects.filter(pk=human.pk).exists()
    assert block_versions.get_version(owner, made.created.id, 2).label == "journal"


def test_an_agent_cannot_make_a_label_twice(owner, human):
    other = blocks.create_block(owner, label="diary")
    twice, renamed = apply(
        edit("create", "human", value="x"),
        edit("rename", "human", new_label="diary"),
        human=human,
        diary=other,
    )
    assert "exists" in twice.error and "exists" in renamed.error
