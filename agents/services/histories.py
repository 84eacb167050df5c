"""Which messages belong to a conversation: its own, and those that it shares with its parents."""

from collections.abc import Sequence

from django.db.models import BigIntegerField, Case, F, Q, QuerySet, Value, When

from agents.models import Conversation, Message

Lineage = list[tuple[str, int, str | None]]


def scope_of(conversation: Conversation) -> Q:
    """Return the condition on Message that holds for a conversation's history.

    A fork copies nothing: it names its parents, each up to a sequence number, without their
    system messages.
    """
    scope = Q(conversation_id=conversation.pk)
    for parent_id, last_seq, system_id in conversation.lineage:
        scope |= Q(conversation_id=parent_id, seq__lte=last_seq) & ~Q(pk=system_id)
    return scope


def history_of(conversation: Conversation) -> "QuerySet[Message]":
    """Return all messages of a conversation, unordered."""
    return Message.objects.filter(scope_of(conversation))


def window_of(conversation: Conversation) -> "QuerySet[Message]":
    """Return what the model sees, with the system message and the summary, in order."""
    head = [conversation.system_message_id, conversation.summary_message_id]
    inside = scope_of(conversation) & Q(seq__gt=conversation.window_after_seq, aside=False)
    return Message.objects.filter(inside | Q(pk__in=head)).order_by("seq")


def ordered_history(conversation: Conversation) -> "QuerySet[Message]":
    """Return all messages with their place in the history as `place`; the system message is first.

    A fork's own system message is younger than what it shares, and yet the beginning of it.
    """
    if not conversation.lineage:
        return history_of(conversation).annotate(place=F("seq"))
    system = When(pk=conversation.system_message_id, then=Value(0))
    return history_of(conversation).annotate(
        place=Case(system, default=F("seq"), output_field=BigIntegerField())
    )


def window_ids(conversations: Sequence[Conversation]) -> dict[str, list[str]]:
    """Return the ids of the messages in each window by conversation, in order: one query."""
    if not conversations:
        return {}
    wanted = Q()
    for one in conversations:
        inside = scope_of(one) & Q(seq__gt=one.window_after_seq, aside=False)
        wanted |= inside | Q(pk__in=[one.system_message_id, one.summary_message_id])
    columns = ("id", "conversation_id", "seq", "role")
    rows = Message.objects.filter(wanted).order_by("seq").values_list(*columns)
    return {
        one.id: _head_first(one, [row[0] for row in rows if _in_window(one, *row)])
        for one in conversations
    }


def _head_first(conversation: Conversation, message_ids: list[str]) -> list[str]:
    """Put the system message and the summary first: in a fork they are younger than the rest."""
    wanted = (conversation.system_message_id, conversation.summary_message_id)
    head = [one for one in wanted if one in message_ids]
    return [*head, *(one for one in message_ids if one not in head)]


def _in_window(
    conversation: Conversation, message_id: str, home_id: str, seq: int, role: str
) -> bool:
    if message_id in (conversation.system_message_id, conversation.summary_message_id):
        return True
    if seq <= conversation.window_after_seq or role == "summary":
        return False
    shared = any(
        home_id == parent_id and seq <= last_seq and message_id != system_id
        for parent_id, last_seq, system_id in conversation.lineage
    )
    return shared or home_id == conversation.id


def lineage_of_fork(parent: Conversation, *, last_seq: int) -> Lineage:
    """Return the lineage of a fork that is made of `parent` up to `last_seq`."""
    return [*map(tuple, parent.lineage), (parent.id, last_seq, parent.system_message_id)]
