"""Agents as other agents find them: by their tags, or as members of a group."""

from agents.models import Agent, GroupMember
from letta_site.core.errors import NotFound
from letta_site.core.types import Actor

Named = list[tuple[str, str]]


def name_of(actor: Actor, agent_id: str) -> str:
    """Return the name of an agent. Raises NotFound."""
    found = Agent.objects.of(actor).filter(pk=agent_id).values_list("name", flat=True).first()
    if found is None:
        raise NotFound(f"Agent with ID {agent_id} not found")
    return str(found)


def tagged_agents(org_id: str, every: tuple[str, ...], some: tuple[str, ...]) -> Named:
    """Return id and name of the agents that bear every tag of `every` and one of `some`, if any."""
    rows = Agent.objects.filter(org_id=org_id)
    for tag in every:
        rows = rows.filter(tag_rows__tag=tag)
    if some:
        rows = rows.filter(pk__in=Agent.objects.filter(tag_rows__tag__in=some).values("pk"))
    return list(rows.order_by("created_at", "id").values_list("id", "name").distinct())


def led_members(org_id: str, manager_id: str, manager_type: str) -> Named:
    """Return id and name of the agents in the groups of this type that an agent leads."""
    links = GroupMember.objects.filter(
        group__org_id=org_id,
        group__manager_agent_id=manager_id,
        group__manager_type=manager_type,
    )
    found = links.order_by("id").values_list("agent_id", "agent__name")
    return list(dict.fromkeys(found))
