"""Which archives an agent searches, and the one it writes to.

It owns the archive that was made for it; those that were attached outlive it. It writes to its own,
else to the one that was attached first.
"""

from agents.models import Agent, AgentArchive
from letta_site.core.aio import write
from letta_site.core.errors import NotFound
from letta_site.core.types import Actor
from memory.models import Archive
from memory.services.archives import NAME_CHARS, create_archive

_OF_AGENT = "'s Archive"


def archive_ids_of(agent_id: str) -> tuple[str, ...]:
    """Return the ids of the archives an agent searches, its own first."""
    links = AgentArchive.objects.filter(agent_id=agent_id).order_by("-is_owner", "id")
    return tuple(links.values_list("archive_id", flat=True))


def find_own_archive(actor: Actor, agent_id: str) -> Archive | None:
    """Return the archive an agent writes to, or None if it has none yet."""
    rows = Archive.objects.of(actor).filter(agent_links__agent_id=agent_id)
    found: Archive | None = rows.order_by("-agent_links__is_owner", "agent_links__id").first()
    return found


def own_archive(actor: Actor, agent_id: str) -> Archive:
    """Return the archive an agent writes to; made and linked on first use. Raises NotFound."""
    if found := find_own_archive(actor, agent_id):
        return found
    with write():
        # The lock lets the second of two first uses find what the first one made.
        agent = Agent.objects.of(actor).select_for_update().filter(pk=agent_id).first()
        if agent is None:
            raise NotFound("Agent not found")
        if found := find_own_archive(actor, agent_id):
            return found
        name = f"{agent.name[: NAME_CHARS - len(_OF_AGENT)]}{_OF_AGENT}"
        archive = create_archive(actor, name=name, embedding=agent.embedding)
        AgentArchive.objects.create(agent=agent, archive=archive, is_owner=True)
        return archive
