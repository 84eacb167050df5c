"""Messages of an agent: /v1/agents/{agent_id}/messages."""

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query

from agents.api.answering import Answer, accept, answer, stream
from agents.api.editing import edit
from agents.api.routers import agents_router as router
from agents.engine.strategies import strategy_of
from agents.runtime import runner
from agents.runtime.generation import ask_once
from agents.runtime.insertions import insert_when_idle
from agents.services import (
    agent_boot,
    agents,
    generations,
    insertions,
    message_lists,
    previews,
)
from agents.types import Json
from agents.wire.agent_requests import GenerateRequest
from agents.wire.agents import encode_agent
from agents.wire.ids import AgentId, MessageId
from agents.wire.insertions import InsertMessagesRequest, encode_insertion
from agents.wire.message_edits import MessageEdit, encode_generation
from agents.wire.messages import encode_history
from agents.wire.queries import MessageConditions
from agents.wire.requests import (
    CancelAgentRunRequest,
    LettaStreamingRequest,
    ResetMessagesRequest,
    run_input,
)
from agents.wire.run_requests import LettaAsyncRequest
from letta_site.core.aio import in_db
from letta_site.core.paging import Page


@router.get("/{agent_id}/messages")
def list_messages(
    request: HttpRequest,
    agent_id: AgentId,
    conditions: Query[MessageConditions],
    page: Query[Page],
) -> list[Json]:
    agent_type = message_lists.agent_type_of(request.auth, agent_id)
    found = message_lists.list_messages(
        request.auth,
        agent_id=agent_id,
        query=page.query(limit=100),
        wanted=message_lists.HistoryFilter(conditions.conversation_id, conditions.group_id),
    )
    view = conditions.view(text_is_reply=strategy_of(agent_type).reply == "text")
    return encode_history(found, view)


@router.post("/{agent_id}/messages")
async def send_message(
    request: HttpRequest, agent_id: AgentId, given: LettaStreamingRequest
) -> Answer:
    given.check_flags()
    if given.streaming:
        return await send_message_streaming(request, agent_id, given)
    return await answer(request, run_input(agent_id, given, run_type="send_message"))


@router.post("/{agent_id}/messages/stream")
async def send_message_streaming(
    request: HttpRequest, agent_id: AgentId, given: LettaStreamingRequest
) -> StreamingHttpResponse:
    wanted = run_input(agent_id, given, run_type="send_message_streaming")
    return await stream(request, wanted, pings=given.include_pings)


@router.post("/{agent_id}/messages/async")
async def send_message_async(
    request: HttpRequest, agent_id: AgentId, given: LettaAsyncRequest
) -> Json:
    return await accept(request, run_input(agent_id, given, run_type="send_message_async"))


@router.post("/{agent_id}/messages/cancel")
async def cancel(
    request: HttpRequest, agent_id: AgentId, given: CancelAgentRunRequest | None = None
) -> Json:
    await in_db(message_lists.agent_type_of, request.auth, agent_id)
    return await runner.cancel_runs(request.auth, agent_id, given.run_ids if given else None)


@router.post("/{agent_id}/messages/preview-raw-payload")
def preview(request: HttpRequest, agent_id: AgentId, given: LettaStreamingRequest) -> Json:
    wanted = run_input(agent_id, given, run_type="preview")
    return previews.preview_request(request.auth, wanted)


@router.post("/{agent_id}/messages/insert")
async def insert_past_messages(
    request: HttpRequest, agent_id: AgentId, given: InsertMessagesRequest
) -> Json:
    """Append up to 1,000 past messages, in order, without running the agent.

    They can be found by searching at once. Those with `in_context` are in the model's window from
    now on; this is refused (409) while a run works in the conversation, unless `when_busy` says to
    wait, and while tool calls wait for an answer. All are stored or none.
    """
    wanted = given.value()
    if given.when_busy == "queue":
        done = await insert_when_idle(request.auth, agent_id, wanted)
    else:
        done = await in_db(insertions.insert_messages, request.auth, agent_id, wanted)
    return encode_insertion(done.conversation_id, done.message_ids)


@router.patch("/{agent_id}/messages/{message_id}")
def modify_message(
    request: HttpRequest, agent_id: AgentId, message_id: MessageId, given: MessageEdit
) -> Json:
    return edit(request.auth, agent_id, message_id, given)


@router.post("/{agent_id}/generate")
async def generate(request: HttpRequest, agent_id: AgentId, given: GenerateRequest) -> Json:
    asked = generations.Question(
        given.prompt, given.system_prompt, given.override_model, given.response_schema
    )
    question = await in_db(generations.build_question, request.auth, agent_id, asked)
    return encode_generation(await ask_once(request.auth, question))


@router.patch("/{agent_id}/reset-messages")
def reset_messages(
    request: HttpRequest,
    agent_id: AgentId,
    add_default_initial_messages: bool = False,
    given: ResetMessagesRequest | None = None,
) -> Json:
    with_boot = add_default_initial_messages or bool(given and given.add_default_initial_messages)
    agent_boot.reset_messages(request.auth, agent_id, with_boot=with_boot)
    return encode_agent(agents.get_agent(request.auth, agent_id))
