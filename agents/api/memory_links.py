"""Memory of an agent: core-memory and archival-memory below /v1/agents, and agents of a block."""

from typing import Any

from django.http import HttpRequest
from ninja import Body, Query

from agents.api.routers import agents_router
from agents.services import agent_blocks, agent_passages, past_memory
from agents.services.agents import get_agent
from agents.types import Json
from agents.wire.agents import encode_agent
from agents.wire.ids import AgentId
from agents.wire.past_memory import PastMemoryQuery, encode_past_memory
from letta_site.core.aio import in_db
from letta_site.core.paging import MAX_LIMIT, Page
from memory.api.blocks import router as blocks_router
from memory.runtime.queries import with_vector
from memory.services.candidates import SearchQuery
from memory.services.passages import (
    PassageDraft,
    PassageFilter,
    delete_passage,
    update_passage,
)
from memory.wire.blocks import BlockUpdate, encode_block
from memory.wire.ids import BlockId, PassageId
from memory.wire.passages import (
    CreateArchivalMemory,
    PassageUpdate,
    encode_found,
    encode_passage,
    encode_stored,
)
from memory.wire.queries import PassagePage, PassageSearch

DEFAULT_TOP_K = 5


@blocks_router.get("/{block_id}/agents")
def list_agents_for_block(request: HttpRequest, block_id: BlockId, page: Query[Page]) -> list[Json]:
    rows = agent_blocks.list_agents_of_block(request.auth, block_id, query=page.query(limit=50))
    return [encode_agent(row) for row in rows]


@agents_router.get("/{agent_id}/memory")
def get_past_memory(request: HttpRequest, agent_id: AgentId, when: Query[PastMemoryQuery]) -> Json:
    """Return all blocks of an agent as they were once a step was stored."""
    wanted = past_memory.When(when.step_wanted(), when.message_id, when.at)
    found = past_memory.get_past_memory(request.auth, agent_id, wanted)
    return encode_past_memory(agent_id, found)


@agents_router.get("/{agent_id}/core-memory")
def get_core_memory(request: HttpRequest, agent_id: AgentId) -> Json:
    memory: Json = encode_agent(get_agent(request.auth, agent_id))["memory"]
    return memory


@agents_router.get("/{agent_id}/core-memory/blocks")
def list_agent_blocks(request: HttpRequest, agent_id: AgentId, page: Query[Page]) -> list[Json]:
    # Clients of the old era cannot page here: nothing said means everything.
    query = page.query(limit=MAX_LIMIT)
    rows = agent_blocks.list_agent_blocks(request.auth, agent_id, query=query)
    return [encode_block(row) for row in rows]


@agents_router.patch("/{agent_id}/core-memory/blocks/attach/{block_id}")
def attach_block(request: HttpRequest, agent_id: AgentId, block_id: BlockId) -> Json:
    return encode_agent(agent_blocks.attach_block(request.auth, agent_id, block_id))


@agents_router.patch("/{agent_id}/core-memory/blocks/detach/{block_id}")
def detach_block(request: HttpRequest, agent_id: AgentId, block_id: BlockId) -> Json:
    return encode_agent(agent_blocks.detach_block(request.auth, agent_id, block_id))


# A label may hold slashes, as the paths of the `memory` tool do.
@agents_router.get("/{agent_id}/core-memory/blocks/{path:block_label}")
def get_agent_block(request: HttpRequest, agent_id: AgentId, block_label: str) -> Json:
    label = block_label.rstrip("/")
    return encode_block(agent_blocks.get_agent_block(request.auth, agent_id, label))


@agents_router.patch("/{agent_id}/core-memory/blocks/{path:block_label}")
def update_agent_block(
    request: HttpRequest, agent_id: AgentId, block_label: str, given: BlockUpdate
) -> Json:
    row = agent_blocks.update_agent_block(
        request.auth,
        agent_id,
        block_label.rstrip("/"),
        changes=given.fields(),
        expected_version=given.expected_version,
    )
    return encode_block(row)


@agents_router.get("/{agent_id}/archival-memory")
def list_passages(
    request: HttpRequest, agent_id: AgentId, page: Query[PassagePage]
) -> list[dict[str, Any]]:
    wanted = PassageFilter(**page.conditions())
    rows = agent_passages.list_agent_passages(
        request.auth, agent_id, query=page.query(limit=100, order="asc"), wanted=wanted
    )
    return [encode_passage(row) for row in rows]


@agents_router.post("/{agent_id}/archival-memory")
def create_passage(
    request: HttpRequest, agent_id: AgentId, given: CreateArchivalMemory
) -> list[dict[str, Any]]:
    stored = agent_passages.add_passage(request.auth, agent_id, PassageDraft(**given.fields()))
    return [encode_stored(row, likeness) for row, likeness in stored]


@agents_router.get("/{agent_id}/archival-memory/search")
async def search_archival_memory(
    request: HttpRequest, agent_id: AgentId, given: Query[PassageSearch]
) -> Json:
    wanted = SearchQuery(
        org_id=request.auth.org_id,
        scope_ids=(),
        kind="passage",
        query=given.query,
        tags=given.tags or (),
        tag_match_mode=given.tag_match_mode,
        start=given.start_datetime,
        end=given.end_datetime,
        limit=DEFAULT_TOP_K if given.top_k is None else given.top_k,
    )
    planned = await in_db(agent_passages.plan_passage_search, request.auth, agent_id, wanted)
    query, _ = await with_vector(planned)
    found = await in_db(agent_passages.find_passages, request.auth, query)
    return encode_found([row for row, _ in found])


@agents_router.patch("/{agent_id}/archival-memory/{memory_id}")
def update_passage_of_agent(
    request: HttpRequest,
    agent_id: AgentId,
    memory_id: PassageId,
    given: PassageUpdate = Body(PassageUpdate()),  # noqa: B008 (clients of the old era send none)
) -> Json:
    agent_passages.get_agent_passage(request.auth, agent_id, memory_id)
    return encode_passage(update_passage(request.auth, memory_id, **given.model_dump()))


@agents_router.delete("/{agent_id}/archival-memory/{memory_id}")
def delete_passage_of_agent(request: HttpRequest, agent_id: AgentId, memory_id: PassageId) -> Json:
    agent_passages.get_agent_passage(request.auth, agent_id, memory_id)
    delete_passage(request.auth, memory_id)
    return {"message": f"Memory id={memory_id} successfully deleted"}
