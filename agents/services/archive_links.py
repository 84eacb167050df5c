"""Archives that agents share: attaching and detaching them."""

from agents.models import Agent, AgentArchive
from agents.services.agent_blocks import check_agent
from agents.services.agent_relations import load_shown
from letta_site.core.aio import write
from letta_site.core.errors import NotFound
from letta_site.core.paging import page
from letta_site.core.types import Actor, PageQuery
from memory.services.archives import get_archive


def attach_archive(actor: Actor, agent_id: str, archive_id: str) -> None:
    """Let an agent search an archive; one that it has stays as it is. Raises NotFound."""
    with write():
        check_agent(actor, agent_id)
        archive = get_archive(actor, archive_id)
        AgentArchive.objects.get_or_create(
            agent_id=agent_id, archive=archive, defaults={"is_owner": False}
        )


def detach_archive(actor: Actor, agent_id: str, archive_id: str) -> None:
    """Take an archive from an agent; the archive lives on. Raises NotFound."""
    with write():
        check_agent(actor, agent_id)
        gone, _ = AgentArchive.objects.filter(agent_id=agent_id, archive_id=archive_id).delete()
        if not gone:
            raise NotFound(f"Agent {agent_id} has no archive {archive_id}.")


def list_agents_of_archive(actor: Actor, archive_id: str, *, query: PageQuery) -> list[Agent]:
    """Return a page of the agents that search an archive, with their relations. Raises NotFound."""
    archive = get_archive(actor, archive_id)
    rows = Agent.objects.of(actor).filter(archive_links__archive=archive)
    found = page(rows, query)
    load_shown(found)
    return found
