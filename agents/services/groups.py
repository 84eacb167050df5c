"""Groups of agents: making, finding, changing, deleting them, and their shared blocks."""

from dataclasses import dataclass, field

from django.db.models import Q, QuerySet

from agents.models import Agent, AgentBlock, AgentTool, Group, GroupBlock, GroupMember, Tool
from agents.services import sleeptime
from agents.services.agent_blocks import attach_block, detach_block
from agents.services.agent_boot import reset_messages
from agents.services.agent_relations import whole_groups
from agents.services.agent_rules import distinct_rules
from agents.services.columns import check_columns
from agents.services.tool_seed import ensure_base_tools
from agents.types import Json
from letta_site.core.aio import write
from letta_site.core.errors import Invalid, NotFound
from letta_site.core.paging import page
from letta_site.core.types import Actor, PageQuery
from memory.services.storable import storable_json

DEFAULT_TOKEN = "DONE!"
# What the manager of such a group is given to lead it with, and whether a call ends its turn.
MANAGER_TOOLS = {
    "supervisor": ("send_message_to_all_agents_in_group", "continue_loop"),
    "dynamic": ("choose_next_participant", "exit_loop"),
}
_WITHOUT_MANAGER = "round_robin"


@dataclass(frozen=True, slots=True)
class GroupDraft:
    """A group to be, or what to change of one; None: nothing said. `manager` as on the wire."""

    agent_ids: tuple[str, ...] | None = None
    block_ids: tuple[str, ...] | None = None
    manager: Json = field(default_factory=dict)
    fields: Json = field(default_factory=dict)


def create_group(actor: Actor, draft: GroupDraft) -> Group:
    """Store a group; its manager gets the tool to lead it with, all get the shared blocks.

    Raises NotFound for an unknown agent or block; Invalid for a manager that is missing or unfit.
    """
    kind = draft.manager.get("manager_type", "round_robin")
    with write():
        members = _agents(actor, draft.agent_ids or ())
        manager = _manager(actor, kind, draft)
        columns = _said(draft) | _first_columns(kind, manager, draft)
        group = Group.objects.create(
            org_id=actor.org_id,
            created_by_id=actor.id,
            last_updated_by_id=actor.id,
            **check_columns(Group, columns),
        )
        GroupMember.objects.bulk_create(GroupMember(group=group, agent=one) for one in members)
        if manager:
            _appoint(actor, group, manager)
        for block_id in dict.fromkeys(draft.block_ids or ()):
            _share(actor, group, block_id)
    return get_group(actor, group.id)


def _said(draft: GroupDraft) -> Json:
    given = {**draft.fields, **draft.manager}
    columns: Json = storable_json({key: one for key, one in given.items() if one is not None})
    return columns


def _first_columns(kind: str, manager: Agent | None, draft: GroupDraft) -> Json:
    columns: Json = {"manager_type": kind, "last_seq": manager.last_seq if manager else 0}
    said = draft.manager
    if kind == "dynamic":
        columns["termination_token"] = said.get("termination_token") or DEFAULT_TOKEN
    if kind == sleeptime.SLEEPTIME:
        frequency = said.get("sleeptime_agent_frequency") or sleeptime.DEFAULT_FREQUENCY
        columns["sleeptime_agent_frequency"] = frequency
    if kind == sleeptime.VOICE:
        most, least = sleeptime.VOICE_BUFFER
        columns["max_message_buffer_length"] = said.get("max_message_buffer_length") or most
        columns["min_message_buffer_length"] = said.get("min_message_buffer_length") or least
    return columns


def _agents(actor: Actor, ids: tuple[str, ...]) -> list[Agent]:
    found = {row.id: row for row in Agent.objects.of(actor).filter(pk__in=ids)}
    for agent_id in ids:
        if agent_id not in found:
            raise NotFound(f"Agent with ID {agent_id} not found")
    return [found[agent_id] for agent_id in dict.fromkeys(ids)]


def _manager(actor: Actor, kind: str, draft: GroupDraft) -> Agent | None:
    wanted = draft.manager.get("manager_agent_id")
    if kind == _WITHOUT_MANAGER:
        return None
    if not wanted:
        raise Invalid(f"A {kind} group needs a manager_agent_id in its manager_config.")
    if wanted in (draft.agent_ids or ()):
        raise Invalid("The manager cannot be one of the agents that it leads.")
    return _agents(actor, (wanted,))[0]


def _appoint(actor: Actor, group: Group, manager: Agent) -> None:
    """Let an agent lead the group."""
    if group.manager_type in sleeptime.KINDS:
        manager.enable_sleeptime = True
        manager.touch(actor, "enable_sleeptime")
        sleeptime.mirror_blocks(manager.id)
        return
    name, rule = MANAGER_TOOLS[group.manager_type]
    ensure_base_tools(actor)
    tool = Tool.objects.of(actor).get(name=name)
    AgentTool.objects.get_or_create(agent=manager, tool=tool)
    manager.tool_rules = distinct_rules([*manager.tool_rules, {"tool_name": name, "type": rule}])
    manager.touch(actor, "tool_rules")


def _dismiss(actor: Actor, group: Group) -> None:
    """Take from the manager what it had for leading this group, unless it leads another such."""
    manager = group.manager_agent
    others = Group.objects.filter(manager_agent=manager, manager_type=group.manager_type)
    if manager is None or others.exclude(pk=group.pk).exists():
        return
    if group.manager_type in sleeptime.KINDS:
        manager.enable_sleeptime = None
        manager.touch(actor, "enable_sleeptime")
        return
    name, _ = MANAGER_TOOLS[group.manager_type]
    AgentTool.objects.filter(agent=manager, tool__name=name).delete()
    manager.tool_rules = [one for one in manager.tool_rules if one.get("tool_name") != name]
    manager.touch(actor, "tool_rules")


def get_group(actor: Actor, group_id: str) -> Group:
    """Return a group with its members and blocks. Raises NotFound."""
    rows = whole_groups(Group.objects.of(actor).filter(pk=group_id))
    group: Group | None = rows.first()
    if group is None:
        raise NotFound(f"Group with ID {group_id} not found")
    return group


def list_groups(
    actor: Actor, *, query: PageQuery, filters: Json, agent_id: str | None = None
) -> list[Group]:
    """Return a page of groups; of one agent: those it leads or belongs to. Raises NotFound."""
    rows: QuerySet[Group] = Group.objects.of(actor).filter(**filters)
    if agent_id:
        _agents(actor, (agent_id,))
        member = GroupMember.objects.filter(agent_id=agent_id).values("group")
        rows = rows.filter(Q(manager_agent_id=agent_id) | Q(pk__in=member))
    return page(whole_groups(rows), query)


def count_groups(actor: Actor) -> int:
    """Return how many groups there are."""
    return int(Group.objects.of(actor).count())


def update_group(actor: Actor, group_id: str, draft: GroupDraft) -> Group:
    """Change a group and return it. Raises NotFound; Invalid when its type would change."""
    with write():
        group = get_group(actor, group_id)
        kind = draft.manager.get("manager_type", group.manager_type)
        if kind != group.manager_type:
            raise Invalid(f"The type of a group cannot change; this one is {group.manager_type}.")
        columns = check_columns(Group, _said(draft))
        leader = columns.pop("manager_agent_id", None)
        if leader and kind != _WITHOUT_MANAGER and leader != group.manager_agent_id:
            _replace_manager(actor, group, leader)
        for key, value in columns.items():
            setattr(group, key, value)
        group.touch(actor, *columns)
        if draft.agent_ids is not None:
            _replace_members(actor, group, draft.agent_ids)
        if draft.block_ids is not None:
            _replace_blocks(actor, group, draft.block_ids)
    return get_group(actor, group_id)


def _replace_manager(actor: Actor, group: Group, agent_id: str) -> None:
    manager = _agents(actor, (agent_id,))[0]
    if group.member_links.filter(agent=manager).exists():
        raise Invalid("The manager cannot be one of the agents that it leads.")
    _dismiss(actor, group)
    group.manager_agent = manager
    group.last_seq = manager.last_seq
    group.touch(actor, "manager_agent", "last_seq")
    _appoint(actor, group, manager)


def _replace_members(actor: Actor, group: Group, ids: tuple[str, ...]) -> None:
    agents = _agents(actor, ids)
    if group.manager_agent_id in ids:
        raise Invalid("The manager cannot be one of the agents that it leads.")
    kept = {link.agent_id: link.unheard for link in group.member_links.all()}
    group.member_links.all().delete()
    GroupMember.objects.bulk_create(
        GroupMember(group=group, agent=one, unheard=kept.get(one.id, [])) for one in agents
    )
    for block_id in group.block_links.values_list("block_id", flat=True):
        _share(actor, group, block_id)


def delete_group(actor: Actor, group_id: str) -> None:
    """Delete a group; its agents and their histories stay. Raises NotFound."""
    with write():
        group = get_group(actor, group_id)
        _dismiss(actor, group)
        group.delete()


def agent_ids_of(group: Group) -> list[str]:
    """Return the members' ids in order, the manager's first if there is one."""
    ids = [group.manager_agent_id] if group.manager_agent_id else []
    return ids + list(group.member_links.values_list("agent_id", flat=True))


def attach_group_block(actor: Actor, group_id: str, block_id: str) -> Group:
    """Give all agents of a group a block. Raises NotFound, or Conflict when a label is taken."""
    with write():
        _share(actor, get_group(actor, group_id), block_id)
    return get_group(actor, group_id)


def _share(actor: Actor, group: Group, block_id: str) -> None:
    for agent_id in agent_ids_of(group):
        attach_block(actor, agent_id, block_id)
    GroupBlock.objects.get_or_create(group=group, block_id=block_id)


def detach_group_block(actor: Actor, group_id: str, block_id: str) -> Group:
    """Take a shared block from all agents of a group. Raises NotFound."""
    with write():
        group = get_group(actor, group_id)
        gone, _ = group.block_links.filter(block_id=block_id).delete()
        if not gone:
            raise NotFound(f"No block with id '{block_id}' found for group '{group_id}'")
        _unshare(actor, group, block_id)
    return get_group(actor, group_id)


def _unshare(actor: Actor, group: Group, block_id: str) -> None:
    ids = agent_ids_of(group)
    links = AgentBlock.objects.filter(agent_id__in=ids, block_id=block_id)
    for agent_id in links.values_list("agent_id", flat=True):
        if AgentBlock.objects.filter(agent_id=agent_id, block_id=block_id).exists():
            detach_block(actor, agent_id, block_id)


def _replace_blocks(actor: Actor, group: Group, ids: tuple[str, ...]) -> None:
    before = set(group.block_links.values_list("block_id", flat=True))
    for block_id in before - set(ids):
        group.block_links.filter(block_id=block_id).delete()
        _unshare(actor, group, block_id)
    for block_id in dict.fromkeys(ids):
        _share(actor, group, block_id)


def reset_group(actor: Actor, group_id: str) -> None:
    """Empty the windows of a group's agents and forget what they were still to be told.

    Raises NotFound, or Conflict while one of them is at work.
    """
    with write():
        group = get_group(actor, group_id)
        for agent_id in agent_ids_of(group):
            reset_messages(actor, agent_id)
        group.member_links.update(unheard=[])
        group.unheard, group.turns_counter = [], 0
        group.touch(actor, "unheard", "turns_counter")
