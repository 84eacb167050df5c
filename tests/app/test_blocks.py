"""/v1/blocks and the core memory of an agent, as a client sees them."""

import pytest

from letta_site.core.models import Organization
from memory.models import Block, BlockVersion
from memory.services.blocks import create_block

NOBODY = "00000000-0000-4000-8000-000000000000"
KEYS = {
    "value", "limit", "project_id", "template_name", "is_template", "template_id",
    "base_template_id", "deployment_id", "entity_id", "preserve_on_migration", "label",
    "read_only", "description", "metadata", "hidden", "id", "created_by_id",
    "last_updated_by_id", "tags",
}  # fmt: skip


@pytest.fixture
def block(api):
    return api.send("POST", "/v1/blocks/", {"label": "human", "value": "Ada", "limit": 10}).json()


def core(agent):
    return f"/v1/agents/{agent['id']}/core-memory"


def test_create_get_and_delete(api, block):
    assert KEYS <= block.keys()
    assert api.get(f"/v1/blocks/{block['id']}").json() == block
    gone = api.delete(f"/v1/blocks/{block['id']}")
    assert (gone.status_code, gone.json()) == (200, None)
    assert api.get(f"/v1/blocks/{block['id']}").status_code == 404


def test_defaults(api):
    made = api.send("POST", "/v1/blocks/", {"label": "x"}).json()
    assert (made["value"], made["limit"], made["description"]) == ("", 100_000, None)
    assert (made["metadata"], made["tags"], made["read_only"]) == ({}, [], False)


@pytest.mark.parametrize("key", ["name", "template_name"])
def test_both_eras_name_a_template(api, key):
    made = api.send("POST", "/v1/blocks/", {"label": "x", key: "mine", "is_template": True}).json()
    assert made["template_name"] == made["name"] == "mine"
    assert [row["id"] for row in api.get("/v1/blocks/", {key: "mine"}).json()] == [made["id"]]
    listed = api.get("/v1/blocks/", {"templates_only": "true"}).json()
    assert [row["id"] for row in listed] == [made["id"]]


def test_patch_leaves_null_and_unknown_keys_alone(api, block):
    changed = api.send(
        "PATCH", f"/v1/blocks/{block['id']}", {"value": None, "description": "d", "nonsense": 1}
    ).json()
    assert (changed["value"], changed["description"]) == ("Ada", "d")


def test_a_patch_is_a_version_by_its_sender(api, owner, block):
    api.send("PATCH", f"/v1/blocks/{block['id']}", {"value": "Bob"})
    assert BlockVersion.objects.get(block_id=block["id"], n=2).actor_id == owner.id


def test_a_limit_out_of_range_is_told_the_range(api):
    for limit in (0, 2**31):
        refused = api.send("POST", "/v1/blocks/", {"label": "human", "limit": limit})
        assert refused.status_code == 422
        assert f"is {limit}; it must be from 1 to 2147483647" in refused.json()["what"]


def test_a_value_over_the_limit_is_422(api, block):
    answer = api.send("PATCH", f"/v1/blocks/{block['id']}", {"value": "x" * 15})
    assert answer.status_code == 422
    body = answer.json()
    assert (body["limit"], body["actual"], body["overage"]) == (10, 15, 5)
    assert "15" in body["detail"] and "10" in body["detail"]
    for bad in ({"limit": 0}, {"limit": -1}, {"value": "x" * 20, "limit": 10}, {"label": ""}):
        made = api.send("POST", "/v1/blocks/", {"label": "x", **bad})
        assert made.status_code == 422, bad


def test_a_stale_expected_version_is_409_with_the_current_value(api, block):
    path = f"/v1/blocks/{block['id']}"
    assert api.send("PATCH", path, {"value": "B", "expected_version": 1}).json()["version"] == 2
    answer = api.send("PATCH", path, {"value": "C", "expected_version": 1})
    assert (answer.status_code, answer["x-should-retry"]) == (409, "false")
    assert (answer.json()["version"], answer.json()["value"]) == (2, "B")
    assert answer.json()["detail"].startswith("CONFLICT: ")


def test_lists_page_in_both_directions(api):
    made = [api.send("POST", "/v1/blocks/", {"label": f"b{n}"}).json()["id"] for n in range(4)]

    def ids(**query):
        return [row["id"] for row in api.get("/v1/blocks/", query).json()]

    assert ids() == made
    assert ids(order="desc") == made[::-1]
    assert ids(limit=2, after=made[0]) == made[1:3]
    assert ids(limit=2, before=made[3], order="desc") == []
    assert ids(limit=1, after=made[3], order="desc") == [made[2]]
    assert ids(after=made[3]) == []
    assert api.get("/v1/blocks/", {"after": f"block-{NOBODY}"}).status_code == 404
    assert api.get("/v1/blocks/", {"limit": "-1"}).status_code == 400
    assert api.get("/v1/blocks/", {"order": "bogus"}).status_code == 422
    assert api.get("/v1/blocks/count").json() == 4
    assert api.get("/v1/blocks/count", {"label": "b1"}).json() == 1


def test_a_list_costs_the_same_at_any_length(api, owner, django_assert_num_queries):
    for n in range(3):
        create_block(owner, label=f"b{n}")
    api.get("/v1/blocks/")  # the first request also asks whether there are accounts
    with django_assert_num_queries(1):
        api.get("/v1/blocks/")
    for n in range(20):
        create_block(owner, label=f"c{n}")
    with django_assert_num_queries(1):
        assert len(api.get("/v1/blocks/").json()) == 23


def test_filters_by_what_agents_have(api, agent):
    alone = api.send("POST", "/v1/blocks/", {"label": "alone"}).json()["id"]
    unused = api.get("/v1/blocks/", {"connected_to_agents_count_lt": 1}).json()
    assert [row["id"] for row in unused] == [alone]
    assert len(api.get("/v1/blocks/", {"connected_to_agents_count_gt": 0}).json()) == 2
    both = api.get("/v1/blocks/?connected_to_agents_count_eq=0&connected_to_agents_count_eq=1")
    assert len(both.json()) == 3


@pytest.mark.parametrize(
    "bad", ["x", "block-1", f"agent-{NOBODY}", "block-" + NOBODY.upper() + "A"]
)
def test_a_malformed_id_is_422_with_an_example(api, bad):
    answer = api.get(f"/v1/blocks/{bad}")
    assert answer.status_code == 422
    assert answer.json()["examples"][0].startswith("block-")
    assert isinstance(answer.json()["detail"], str)


def test_a_stranger_gets_404_everywhere(api, foreign_agent):
    agent, block = foreign_agent, foreign_agent["memory"]["blocks"][0]
    mine = api.send("POST", "/v1/blocks/", {"label": "mine"}).json()["id"]
    links = f"{core(agent)}/blocks"
    for method, path, body in (
        ("GET", f"/v1/blocks/{block['id']}", None),
        ("PATCH", f"/v1/blocks/{block['id']}", {"value": "x"}),
        ("DELETE", f"/v1/blocks/{block['id']}", None),
        ("GET", f"/v1/blocks/{block['id']}/agents", None),
        ("GET", core(agent), None),
        ("GET", links, None),
        ("GET", f"{links}/human", None),
        ("PATCH", f"{links}/human", {"value": "x"}),
        ("PATCH", f"{links}/attach/{mine}", None),
        ("PATCH", f"{links}/detach/{block['id']}", None),
    ):
        assert api.send(method, path, body).status_code == 404, (method, path)
    assert [row["id"] for row in api.get("/v1/blocks/").json()] == [mine]
    assert Block.objects.get(pk=block["id"]).value == block["value"]


def test_a_foreign_block_cannot_be_attached(api, agent, stranger):
    foreign = create_block(stranger, label="theirs")
    path = f"{core(agent)}/blocks/attach/{foreign.id}"
    assert api.send("PATCH", path).status_code == 404
    assert Organization.objects.count() == 2


def test_core_memory(api, agent):
    memory = api.get(core(agent)).json()
    assert {row["label"] for row in memory["blocks"]} == {"human", "persona"}
    listed = api.get(f"{core(agent)}/blocks").json()
    assert {row["label"] for row in listed} == {"human", "persona"}
    assert api.get(f"{core(agent)}/blocks/human").json()["value"] == "Name: Ada"
    assert api.get(f"{core(agent)}/blocks/nope").json()["detail"] == (
        f"No block with label 'nope' found for agent '{agent['id']}'"
    )


def test_a_block_is_changed_by_its_label(api, agent):
    path = f"{core(agent)}/blocks/human"
    assert api.send("PATCH", path, {"value": "Name: Bob"}).json()["value"] == "Name: Bob"
    assert api.send("PATCH", path, {"label": "persona"}).status_code == 409
    assert api.send("PATCH", path, {"label": "a/b"}).json()["label"] == "a/b"
    for spelling in ("a/b", "a%2Fb", "a/b/"):
        assert api.get(f"{core(agent)}/blocks/{spelling}").json()["value"] == "Name: Bob"


def test_the_system_prompt_follows_a_change_by_label(api, agent):
    api.send("PATCH", f"{core(agent)}/blocks/human", {"value": "Name: Grace Hopper"})
    messages = api.get(f"/v1/agents/{agent['id']}/messages").json()
    assert "Grace Hopper" in messages[0]["content"]


def test_attach_and_detach_return_the_agent(api, agent, block):
    links = f"{core(agent)}/blocks"
    assert api.send("PATCH", f"{links}/attach/{block['id']}").status_code == 409  # a second human
    extra = api.send("POST", "/v1/blocks/", {"label": "extra"}).json()["id"]
    state = api.send("PATCH", f"{links}/attach/{extra}").json()
    assert [row["label"] for row in state["memory"]["blocks"]] == ["human", "persona", "extra"]
    again = api.send("PATCH", f"{links}/attach/{extra}").json()
    assert len(again["memory"]["blocks"]) == 3
    holders = api.get(f"/v1/blocks/{extra}/agents").json()
    assert [row["id"] for row in holders] == [agent["id"]]
    state = api.send("PATCH", f"{links}/detach/{extra}").json()
    assert len(state["memory"]["blocks"]) == 2
    assert api.send("PATCH", f"{links}/detach/{extra}").status_code == 404
    assert api.get(f"/v1/blocks/{extra}").status_code == 200
    assert api.send("PATCH", f"{links}/attach/block-{NOBODY}").status_code == 404


def test_lists_of_an_agents_blocks_page(api, agent):
    links = f"{core(agent)}/blocks"
    ascending = [row["id"] for row in api.get(links, {"order": "asc"}).json()]
    assert [row["id"] for row in api.get(links).json()] == ascending[::-1]
    after = api.get(links, {"order": "asc", "after": ascending[0], "limit": 5}).json()
    assert [row["id"] for row in after] == ascending[1:]


def test_the_agents_of_a_block_cost_the_same_at_any_number(
    api, agent, django_assert_max_num_queries
):
    shared = api.send("POST", "/v1/blocks/", {"label": "shared"}).json()["id"]
    for _ in range(4):
        api.send("POST", "/v1/agents/", {"model": "letta/demo", "block_ids": [shared]})
    with django_assert_max_num_queries(10):
        assert len(api.get(f"/v1/blocks/{shared}/agents").json()) == 4
