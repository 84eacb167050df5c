"""The system message: compiled from instructions, blocks and rules, and kept until one changes."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from agents.engine.prompt import compile_system
from agents.engine.strategies import strategy_of
from agents.models import Agent, AgentArchive, Conversation, Message
from agents.services.file_views import directories_text, files_state
from agents.types import Json
from letta_site.core.clock import now
from memory.logic.edits import BlockView
from memory.models import Passage

CACHE_AGE = timedelta(minutes=10)  # providers keep prompts for 5 to 10 minutes
OWN = "own_edits"
FILES = "files"


def refresh_prompt(
    agent: Agent,
    conversation: Conversation,
    blocks: tuple[BlockView, ...],
    *,
    force: bool = False,
    cold: bool = False,
) -> str | None:
    """Compile the system message anew if a block, a file, the instructions or a rule changed since.

    Returns the new text, or None when the old one still holds. Call it inside `aio.write()`.
    The head of the prompt stays byte for byte the same otherwise, which keeps provider caches warm.
    Edits that the agent made in this very conversation are in its window, as calls and returns;
    they alone are no reason, unless the cache is `cold` (docs/decisions/0022).
    """
    if not force and head_holds(agent, conversation, blocks, cold=cold):
        return None
    text = compiled_prompt(agent, conversation, blocks)
    Message.objects.filter(pk=conversation.system_message_id).update(
        content=[{"type": "text", "text": text}], updated_at=now()
    )
    conversation.compiled_versions = _versions(agent, blocks)
    conversation.save(update_fields=["compiled_versions"])
    return text


def head_holds(
    agent: Agent, conversation: Conversation, blocks: tuple[BlockView, ...], *, cold: bool
) -> bool:
    """Tell whether the system message need not be compiled anew."""
    known = dict(conversation.compiled_versions)
    own = known.pop(OWN, False)
    return known == _versions(agent, blocks) and not (own and cold)


def _versions(agent: Agent, blocks: tuple[BlockView, ...]) -> Json:
    versions: Json = {block.id: block.version for block in blocks}
    if agent.files_version:
        versions[FILES] = files_state(agent)
    return {**versions, "agent": [agent.system, agent.tool_rules, agent.agent_type]}


def is_cold(agent: Agent) -> bool:
    """Tell whether the provider has probably forgotten the agent's prompt since its last run."""
    last = agent.last_run_completion
    return last is None or now() - last > CACHE_AGE


def note_own_edits(
    conversation_id: str, changed: Sequence[BlockView], before: dict[str, int]
) -> None:
    """Note that the agent itself changed these blocks, so that the head need not follow at once.

    `before` are the versions that the step began with. A block that somebody else changed
    meanwhile, and one that is new or renamed or gone, is left for the next run to find out.
    """
    conversation = Conversation.objects.only("compiled_versions").get(pk=conversation_id)
    versions = conversation.compiled_versions
    edits = Counter(block.id for block in changed)
    latest = {block.id: block.version for block in changed}
    for block_id, version in latest.items():
        began = before.get(block_id, 0)
        if versions.get(block_id) == began == version - edits[block_id]:
            versions |= {block_id: version, OWN: True}
    conversation.save(update_fields=["compiled_versions"])


def note_own_views(conversation_id: str, before: int, after: int) -> None:
    """Note that the agent itself opened files, and what it saw of them is in its window.

    `before` and `after` are its `files_version`.
    """
    conversation = Conversation.objects.only("compiled_versions").get(pk=conversation_id)
    known = conversation.compiled_versions.get(FILES, {})
    if known.get("views") == before:
        known["views"] = after
        conversation.compiled_versions |= {FILES: known, OWN: True}
        conversation.save(update_fields=["compiled_versions"])


def compiled_prompt(agent: Agent, conversation: Conversation, blocks: tuple[BlockView, ...]) -> str:
    """Return the system prompt as it would be compiled now."""
    archives = AgentArchive.objects.filter(agent=agent).values("archive")
    return compile_system(
        system=agent.system,
        blocks=blocks,
        strategy=strategy_of(agent.agent_type),
        tool_rules=tuple(agent.tool_rules),
        agent_id=agent.id,
        conversation_id="default" if conversation.is_default else conversation.id,
        recompiled_at=now(),
        previous_messages=Message.objects.filter(conversation=conversation).count(),
        archival_count=Passage.objects.filter(archive__in=archives).count(),
        timezone=agent.timezone,
        directories=directories_text(agent),
    )
