"""The perpetual history."""

from django.db import models

from agents.models.agent import Agent, Conversation
from letta_site.core.clock import now
from letta_site.core.ids import maker
from letta_site.core.models.base import Owned, id_field


class Message(Owned):
    """One entry of a history. `content` is a list of parts, each with a `type`.

    Shapes: text {"type","text"}; reasoning {"type","text","signature"}; image {"type","url"} or
    {"type","media_type","data"}. `tool_calls` [{"id","name","arguments"}], arguments being JSON
    text; `tool_returns` [{"tool_call_id","name","text","status","stdout","stderr","duration_ns"}].
    `aside`: it was brought along from elsewhere and can be found, but no window shows it.
    """

    id = id_field(maker("message"))
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="messages")
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages")
    seq = models.BigIntegerField()
    role = models.CharField(max_length=20)
    content = models.JSONField(default=list)
    tool_calls = models.JSONField(default=list)
    tool_returns = models.JSONField(default=list)
    approvals = models.JSONField(default=list)
    name = models.CharField(max_length=200, null=True)
    otid = models.CharField(max_length=200, null=True)
    sender_id = models.CharField(max_length=60, null=True)
    group_id = models.CharField(max_length=60, null=True)
    step_id = models.CharField(max_length=60, null=True, db_index=True)
    run_id = models.CharField(max_length=60, null=True, db_index=True)
    model = models.CharField(max_length=200, null=True)
    is_err = models.BooleanField(default=False)
    aside = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["agent", "seq"], name="one_message_a_seq")]
        indexes = [
            models.Index(fields=["conversation", "seq"], name="message_history"),
            models.Index(
                fields=["conversation", "seq"],
                condition=models.Q(aside=False),
                name="message_window",
            ),
            models.Index(fields=["created_at", "id"], name="message_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.seq}"


class MessageVersion(models.Model):
    """What a message was before somebody edited it. `n` counts its versions from 1."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="versions")
    n = models.PositiveIntegerField()
    content = models.JSONField(default=list)
    tool_calls = models.JSONField(default=list)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.CharField(max_length=60, null=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["n"]
        constraints = [models.UniqueConstraint(fields=["message", "n"], name="one_version_a_n")]


class Compaction(models.Model):
    """Messages that left the window, and the summary that took their place.

    What the window was before is kept, so that the latest one can be undone. `seq` is its number.
    """

    org = models.ForeignKey("core.Organization", models.CASCADE, related_name="+")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="compactions")
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="compactions")
    seq = models.BigIntegerField()
    run_id = models.CharField(max_length=60, null=True)
    step_id = models.CharField(max_length=60, null=True)
    trigger = models.CharField(max_length=40)
    mode = models.CharField(max_length=40)
    from_seq = models.BigIntegerField()
    to_seq = models.BigIntegerField()
    message_ids = models.JSONField(default=list)
    summary_before = models.TextField(null=True)
    summary_after = models.TextField()
    summary_message_id = models.CharField(max_length=60, null=True)
    previous_summary_id = models.CharField(max_length=60, null=True)
    previous_window_after = models.BigIntegerField(default=0)
    undone_at = models.DateTimeField(null=True)
    tokens_before = models.IntegerField()
    tokens_after = models.IntegerField()
    created_at = models.DateTimeField()
