"""Storing that old messages left the window: one transaction each."""

from agents.engine.ports import Evicted, Eviction
from agents.engine.prompt import with_skills
from agents.models import Compaction, Conversation, Run
from agents.services.kit import block_views
from agents.services.messages import number, store_messages
from agents.services.numbering import reserve
from agents.services.prompts import refresh_prompt
from agents.services.runs import usage_columns
from agents.services.snapshot import Begun
from letta_site.core.aio import write
from letta_site.core.clock import now


def store_eviction(begun: Begun, eviction: Eviction) -> Evicted:
    """Record a compaction and move the window's edge, in one transaction.

    The messages stay in the history and in the search index; only the window forgets them. The
    head is compiled anew if the agent has edited its memory since: the provider's cache of the
    prompt is lost anyway.
    """
    spec = begun.spec
    with write():
        agent = reserve(spec.agent_id, 2)
        conversation = Conversation.objects.select_related("agent").get(pk=spec.conversation_id)
        (summary,) = number([eviction.summary], agent)
        store_messages([summary], agent=agent, conversation_id=conversation.id, actor=begun.actor)
        agent.last_seq += 1
        Compaction.objects.create(
            org_id=agent.org_id,
            agent=agent,
            conversation=conversation,
            seq=agent.last_seq,
            run_id=spec.run_id or None,
            trigger=eviction.trigger,
            mode=eviction.mode,
            from_seq=eviction.from_seq,
            to_seq=eviction.to_seq,
            message_ids=list(eviction.message_ids),
            summary_before=conversation.summary,
            summary_after=summary.text,
            summary_message_id=summary.id,
            previous_summary_id=conversation.summary_message_id,
            previous_window_after=conversation.window_after_seq,
            tokens_before=eviction.tokens_before,
            tokens_after=eviction.tokens_after,
            created_at=now(),
        )
        conversation.summary = summary.text
        conversation.summary_message_id = summary.id
        conversation.window_after_seq = eviction.to_seq
        conversation.save(update_fields=["summary", "summary_message_id", "window_after_seq"])
        blocks = block_views(agent.id, begun.isolated_block_ids)
        # Its tokens count for the run at once: the step that comes next may never be stored.
        Run.objects.filter(pk=spec.run_id).update(**usage_columns(eviction.total))
        head = refresh_prompt(conversation.agent, conversation, blocks, cold=True)
    if head is None or begun.own_system:
        return Evicted(summary, None)
    return Evicted(summary, with_skills(head, begun.client_skills))
