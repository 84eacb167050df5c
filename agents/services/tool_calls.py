"""Running a tool of an agent by hand, outside of any run."""

from dataclasses import dataclass, replace

from agents.models import AgentBlock, AgentTool
from agents.services.agent_boot import default_conversation
from agents.services.archives import own_archive
from agents.services.kit import block_views, tool_spec
from agents.services.open_files import show
from agents.services.prompts import refresh_prompt
from agents.types import Json, ToolCall, ToolContext, ToolOutcome, ToolReturn, ToolSpec
from letta_site.core.aio import write
from letta_site.core.clock import now
from letta_site.core.errors import NotFound, NotReady
from letta_site.core.ids import new_id
from letta_site.core.types import Actor, Origin
from memory.services.blocks import EditResult, apply_edits
from memory.services.passages import PassageDraft, insert_passages


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """A call that is ready to be carried out."""

    spec: ToolSpec
    call: ToolCall
    context: ToolContext


def prepare(actor: Actor, agent_id: str, tool_name: str, arguments: Json) -> PreparedCall:
    """Load what a tool of an agent needs. Raises NotFound; NotReady for a kind that is not run."""
    conversation = default_conversation(actor, agent_id)
    link = AgentTool.objects.filter(agent_id=agent_id, tool__name=tool_name)
    found = link.select_related("tool").first()
    if found is None:
        raise NotFound(f"Agent {agent_id} has no tool named {tool_name!r}.")
    kind = found.tool.tool_type
    if kind not in ("custom", "external_mcp") and not kind.startswith("letta_"):
        raise NotReady(f"Running {tool_name!r} is not supported yet: it is not kept here.")
    context = ToolContext(
        agent_id=agent_id,
        org_id=actor.org_id,
        conversation_id=conversation.id,
        timezone=conversation.agent.timezone,
        blocks=block_views(agent_id),
        now=now(),
    )
    call = ToolCall(new_id("call"), tool_name, str(arguments))
    return PreparedCall(tool_spec(found.tool), call, context)


def store_outcome(actor: Actor, prepared: PreparedCall, outcome: ToolOutcome) -> ToolReturn:
    """Store what the call changed, and return what it gave; an edit that fails makes it fail."""
    call, agent_id = prepared.call, prepared.context.agent_id
    result = ToolReturn(
        call.id, call.name, outcome.text, outcome.status, outcome.stdout, outcome.stderr
    )
    origin = Origin(agent_id=agent_id, tool_call_id=call.id, tool_name=call.name)
    with write():
        refusals = _edit_blocks(actor, agent_id, outcome, origin)
        _insert_passages(actor, agent_id, outcome, origin)
        _show_files(actor, agent_id, outcome)
    if refusals:
        return replace(result, status="error", text=f"Error: {refusals[0]}")
    return result


def _edit_blocks(actor: Actor, agent_id: str, outcome: ToolOutcome, origin: Origin) -> list[str]:
    if not outcome.edits:
        return []
    links = AgentBlock.objects.filter(agent_id=agent_id).select_related("block")
    rows = {link.block.label: link.block for link in links}
    results = apply_edits(actor, edits=[(edit, origin) for edit in outcome.edits], blocks=rows)
    for result in results:
        _relink(agent_id, result)
    conversation = default_conversation(actor, agent_id)
    refresh_prompt(conversation.agent, conversation, block_views(agent_id))
    return [result.error for result in results if result.error]


def _relink(agent_id: str, result: EditResult) -> None:
    if result.created:
        AgentBlock.objects.create(agent_id=agent_id, block=result.created)
    if result.detached_id:
        AgentBlock.objects.filter(agent_id=agent_id, block_id=result.detached_id).delete()


def _show_files(actor: Actor, agent_id: str, outcome: ToolOutcome) -> None:
    if outcome.opened or outcome.closes_others:
        show(agent_id, outcome.opened, close_others=outcome.closes_others)
        conversation = default_conversation(actor, agent_id)
        refresh_prompt(conversation.agent, conversation, block_views(agent_id))


def _insert_passages(actor: Actor, agent_id: str, outcome: ToolOutcome, origin: Origin) -> None:
    if outcome.passages:
        rows = [PassageDraft(one.text, one.tags) for one in outcome.passages]
        archive = own_archive(actor, agent_id)
        insert_passages(actor, archive_id=archive.id, rows=rows, origin=origin)
