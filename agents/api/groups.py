"""Groups: /v1/groups, and those of an agent."""

from django.http import HttpRequest
from ninja import Query

from agents.api.routers import agents_router
from agents.api.routers import groups_router as router
from agents.services import groups
from agents.types import Json
from agents.wire.callers import caller_of
from agents.wire.groups import (
    GroupConditions,
    GroupCreate,
    GroupPage,
    GroupUpdate,
    ManagerType,
    encode_group,
)
from agents.wire.ids import AgentId, GroupId
from memory.wire.ids import BlockId


@router.get("/")
def list_groups(
    request: HttpRequest, conditions: Query[GroupConditions], page: Query[GroupPage]
) -> list[Json]:
    query = page.query(limit=50, order="asc")
    filters = conditions.model_dump(exclude_none=True)
    rows = groups.list_groups(request.auth, query=query, filters=filters)
    return [encode_group(row) for row in rows]


@router.get("/count")
def count_groups(request: HttpRequest) -> int:
    return groups.count_groups(request.auth)


@router.post("/")
def create_group(request: HttpRequest, given: GroupCreate) -> Json:
    fields = given.model_dump(include={"description", "project_id", "hidden"})
    fields["project_id"] = fields["project_id"] or caller_of(request.headers).project_id
    draft = groups.GroupDraft(
        agent_ids=tuple(given.agent_ids),
        block_ids=tuple(given.shared_block_ids),
        manager=given.manager_config.model_dump(),
        fields=fields,
    )
    return encode_group(groups.create_group(request.auth, draft))


@router.get("/{group_id}")
def get_group(request: HttpRequest, group_id: GroupId) -> Json:
    return encode_group(groups.get_group(request.auth, group_id))


@router.patch("/{group_id}")
def update_group(request: HttpRequest, group_id: GroupId, given: GroupUpdate) -> Json:
    agent_ids, block_ids, manager = given.agent_ids, given.shared_block_ids, given.manager_config
    draft = groups.GroupDraft(
        agent_ids=None if agent_ids is None else tuple(agent_ids),
        block_ids=None if block_ids is None else tuple(block_ids),
        manager=manager.model_dump(exclude_unset=True) if manager else {},
        fields=given.model_dump(include={"description", "project_id"}),
    )
    return encode_group(groups.update_group(request.auth, group_id, draft))


@router.delete("/{group_id}")
def delete_group(request: HttpRequest, group_id: GroupId) -> Json:
    groups.delete_group(request.auth, group_id)
    return {"message": f"Group id={group_id} successfully deleted"}


@router.patch("/{group_id}/blocks/attach/{block_id}")
def attach_block(request: HttpRequest, group_id: GroupId, block_id: BlockId) -> Json:
    return encode_group(groups.attach_group_block(request.auth, group_id, block_id))


@router.patch("/{group_id}/blocks/detach/{block_id}")
def detach_block(request: HttpRequest, group_id: GroupId, block_id: BlockId) -> Json:
    return encode_group(groups.detach_group_block(request.auth, group_id, block_id))


@router.patch("/{group_id}/reset-messages")
def reset_messages(request: HttpRequest, group_id: GroupId) -> Json:
    groups.reset_group(request.auth, group_id)
    return encode_group(groups.get_group(request.auth, group_id))


@agents_router.get("/{agent_id}/groups")
def list_groups_of_agent(
    request: HttpRequest,
    agent_id: AgentId,
    page: Query[GroupPage],
    manager_type: ManagerType | None = None,
) -> list[Json]:
    query = page.query(limit=100)
    filters = {"manager_type": manager_type} if manager_type else {}
    rows = groups.list_groups(request.auth, query=query, filters=filters, agent_id=agent_id)
    return [encode_group(row) for row in rows]
