"""What fills an agent's window, section by section."""

from dataclasses import dataclass

from agents.engine.state import return_limit_chars
from agents.engine.tool_rules import describe_rules, parse_rules
from agents.engine.window import Breakdown, estimate_request, estimate_tokens
from agents.models import Agent, AgentArchive, Conversation, Message
from agents.services.agent_boot import default_conversation
from agents.services.previews import next_state
from agents.types import RunInput, ToolSpec, Transcript
from letta_site.core.errors import NotFound
from letta_site.core.types import Actor
from memory.models import Passage

_MEMORY_START, _MEMORY_END = "<memory_blocks>", "</memory_blocks>"
_FILES_START, _FILES_END = "<directories>", "</directories>"
_NOTES_START, _NOTES_END = "<memory_metadata>", "</memory_metadata>"


@dataclass(frozen=True, slots=True)
class Section:
    """A text in the window, with its size in tokens."""

    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class ContextOverview:
    """The window of a conversation. `rows` are the stored messages in it, the system one first."""

    agent: Agent
    transcript: Transcript
    tools: tuple[ToolSpec, ...]
    sizes: Breakdown
    memory: Section
    rules: Section
    notes: Section
    directories: Section
    rows: tuple[Message, ...]
    stored_messages: int
    passages: int


def get_context(actor: Actor, agent_id: str, conversation_id: str | None = None) -> ContextOverview:
    """Return what the model of an agent would see now. Raises NotFound.

    A system message that is behind what it is made of counts as the next run would compile it.
    """
    conversation = find_conversation(actor, agent_id, conversation_id)
    ahead = next_state(RunInput(agent_id, ()), conversation)
    agent, state = ahead.agent, ahead.state
    transcript = Transcript(state.system, tuple(state.messages), state.summary)
    tools = state.offered_tools()
    archives = AgentArchive.objects.filter(agent=agent).values("archive")
    rules = describe_rules(parse_rules(agent.tool_rules))
    return ContextOverview(
        agent=agent,
        transcript=transcript,
        tools=tools,
        sizes=_sizes(agent, transcript, tools),
        memory=_section(_between(transcript.system, _MEMORY_START, _MEMORY_END)),
        rules=_section(rules if rules in transcript.system else ""),
        notes=_section(_between(transcript.system, _NOTES_START, _NOTES_END)),
        directories=_section(_between(transcript.system, _FILES_START, _FILES_END)),
        rows=_rows(conversation, transcript),
        stored_messages=Message.objects.filter(conversation=conversation).count(),
        passages=Passage.objects.filter(archive__in=archives).count(),
    )


def find_conversation(actor: Actor, agent_id: str, conversation_id: str | None) -> Conversation:
    """Return a conversation of an agent, with the agent; the default one unless another is named.

    Raises NotFound.
    """
    if conversation_id in (None, "default", agent_id):
        return default_conversation(actor, agent_id)
    rows = Conversation.objects.filter(agent__org_id=actor.org_id).select_related("agent")
    found: Conversation | None = rows.filter(pk=conversation_id, agent_id=agent_id).first()
    if found is None:
        raise NotFound(f"Conversation {conversation_id} not found")
    return found


def _sizes(agent: Agent, transcript: Transcript, tools: tuple[ToolSpec, ...]) -> Breakdown:
    return estimate_request(
        transcript.system,
        transcript.messages,
        tools,
        transcript.summary,
        return_limit_chars=return_limit_chars(agent.context_window_limit),
    )


def _rows(conversation: Conversation, transcript: Transcript) -> tuple[Message, ...]:
    ids = [conversation.system_message_id, *(message.id for message in transcript.messages)]
    if transcript.summary:
        ids.append(transcript.summary.id)
    rows = Message.objects.in_bulk([one for one in ids if one])
    return tuple(sorted(rows.values(), key=lambda row: row.seq))


def _between(text: str, start: str, end: str) -> str:
    first, last = text.find(start), text.rfind(end)
    return text[first : last + len(end)] if 0 <= first < last else ""


def _section(text: str) -> Section:
    return Section(text, estimate_tokens(text) if text else 0)
