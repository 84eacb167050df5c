"""Archives of agents: /v1/agents/{agent_id}/archives, and the agents of an archive."""

from django.http import HttpRequest
from ninja import Query

from agents.api.routers import agents_router
from agents.services import archive_links
from agents.types import Json
from agents.wire.agents import encode_agent
from agents.wire.ids import AgentId
from letta_site.core.paging import Page
from memory.api.archives import router as archives_router
from memory.wire.ids import ArchiveId


@archives_router.get("/{archive_id}/agents")
def list_agents_for_archive(
    request: HttpRequest, archive_id: ArchiveId, page: Query[Page]
) -> list[Json]:
    query = page.query(limit=50)
    rows = archive_links.list_agents_of_archive(request.auth, archive_id, query=query)
    return [encode_agent(row) for row in rows]


@agents_router.patch("/{agent_id}/archives/attach/{archive_id}")
def attach_archive(request: HttpRequest, agent_id: AgentId, archive_id: ArchiveId) -> None:
    archive_links.attach_archive(request.auth, agent_id, archive_id)


@agents_router.patch("/{agent_id}/archives/detach/{archive_id}")
def detach_archive(request: HttpRequest, agent_id: AgentId, archive_id: ArchiveId) -> None:
    archive_links.detach_archive(request.auth, agent_id, archive_id)
