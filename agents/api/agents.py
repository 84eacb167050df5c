"""Agents: /v1/agents."""

from django.http import HttpRequest
from ninja import Query

from agents.api.routers import agents_router as router
from agents.runtime.removal import remove_agent
from agents.services import agent_boot, agent_changes, agent_lists, agents, contexts
from agents.services.agent_models import ModelWish
from agents.types import Json
from agents.wire.agent_requests import (
    AgentFields,
    CreateAgentRequest,
    UpdateAgent,
    blocks_of,
    columns_of,
    folder_ids_of,
    rules_of,
    secrets_of,
)
from agents.wire.agents import encode_agent
from agents.wire.callers import caller_of
from agents.wire.contexts import encode_context
from agents.wire.ids import AgentId
from agents.wire.queries import AgentConditions, AgentPage, strings


def _wanted(given: AgentConditions) -> agent_lists.AgentFilter:
    values = given.model_dump(exclude={"tags", "identifier_keys"})
    return agent_lists.AgentFilter(
        tags=strings(given.tags), identifier_keys=strings(given.identifier_keys), **values
    )


def _model(given: AgentFields) -> ModelWish:
    return ModelWish(
        handle=given.model,
        settings=given.model_settings,
        llm_config=given.llm_config,
        window_tokens=given.context_window_limit,
        max_tokens=given.max_tokens,
        parallel_tool_calls=given.parallel_tool_calls,
    )


def _seed(given: CreateAgentRequest) -> agents.Seed | None:
    if given.initial_message_sequence is None:
        return None
    return tuple((item.role, item.text) for item in given.initial_message_sequence)


@router.get("/")
def list_agents(
    request: HttpRequest, conditions: Query[AgentConditions], page: Query[AgentPage]
) -> list[Json]:
    rows = agent_lists.list_agents(
        request.auth, query=page.query(limit=50), wanted=_wanted(conditions)
    )
    return [encode_agent(row) for row in rows]


@router.get("/count")
def count_agents(request: HttpRequest, conditions: Query[AgentConditions]) -> int:
    return agent_lists.count_agents(request.auth, wanted=_wanted(conditions))


def _draft(given: CreateAgentRequest, project_id: str | None) -> agents.AgentDraft:
    return agents.AgentDraft(
        model=_model(given),
        blocks=blocks_of(given),
        tool_names=tuple(given.tools or ()),
        block_ids=tuple(given.block_ids or ()),
        tool_ids=tuple(given.tool_ids or ()),
        folder_ids=folder_ids_of(given) or (),
        tool_rules=rules_of(given),
        tags=tuple(given.tags or ()),
        secrets=secrets_of(given) or {},
        initial_messages=_seed(given),
        include_base_tools=given.include_base_tools is not False,
        include_multi_agent_tools=bool(given.include_multi_agent_tools),
        fields={"project_id": project_id} | columns_of(given),
        **given.model_dump(include=agents.SAME_NAMES),
    )


@router.post("/")
def create_agent(request: HttpRequest, given: CreateAgentRequest) -> Json:
    draft = _draft(given, caller_of(request.headers).project_id)
    return encode_agent(agents.create_agent(request.auth, draft))


@router.get("/{agent_id}")
def get_agent(request: HttpRequest, agent_id: AgentId) -> Json:
    return encode_agent(agents.get_agent(request.auth, agent_id))


@router.patch("/{agent_id}")
def update_agent(request: HttpRequest, agent_id: AgentId, given: UpdateAgent) -> Json:
    changes = agent_changes.AgentChanges(
        model=_model(given),
        embedding=given.embedding,
        embedding_config=given.embedding_config,
        tool_rules=rules_of(given),
        block_ids=strings(given.block_ids),
        tool_ids=strings(given.tool_ids),
        folder_ids=folder_ids_of(given),
        tags=strings(given.tags),
        secrets=secrets_of(given),
        fields=columns_of(given, "name", "system"),
    )
    return encode_agent(agent_changes.update_agent(request.auth, agent_id, changes))


@router.delete("/{agent_id}")
def delete_agent(request: HttpRequest, agent_id: AgentId) -> Json:
    remove_agent(request.auth, agent_id)
    return {"message": f"Agent id={agent_id} successfully deleted"}


@router.get("/{agent_id}/context")
def get_context(
    request: HttpRequest, agent_id: AgentId, conversation_id: str | None = None
) -> Json:
    return encode_context(contexts.get_context(request.auth, agent_id, conversation_id))


def _recompile(
    request: HttpRequest, agent_id: AgentId, update_timestamp: bool = False, dry_run: bool = False
) -> str:
    return agent_boot.recompile(request.auth, agent_id, dry_run=dry_run)


router.post("/{agent_id}/recompile")(_recompile)
router.post("/{agent_id}/system-prompt/recompile", operation_id="recompile_old")(_recompile)
