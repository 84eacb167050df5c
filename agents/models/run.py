"""Runs, steps and tool calls: what happened, reproducible."""

from django.db import models

from agents.models.agent import Agent, Conversation
from letta_site.core.clock import now
from letta_site.core.ids import maker
from letta_site.core.models.base import Owned, id_field


class Batch(Owned):
    """Requests to many agents, handed in together. Each is a run of its own."""

    id = id_field(maker("job"))
    callback_url = models.CharField(max_length=2083, null=True)
    cancelled_at = models.DateTimeField(null=True)
    callback_sent_at = models.DateTimeField(null=True)
    callback_status_code = models.IntegerField(null=True)
    callback_error = models.TextField(null=True)

    class Meta:
        indexes = [models.Index(fields=["org", "created_at", "id"], name="batch_page")]

    def __str__(self) -> str:
        return self.id


class Run(Owned):
    """One accepted request. The row with its input is the promise that it will be carried out.

    Runs of one conversation are carried out in the order of `seq`. `input` holds the messages as
    received, `request_config` the display options, `options` what only the engine needs.
    `resend_key` is the digest of the request's body; `idempotency_key` and `otid` are the caller's.
    """

    id = id_field(maker("run"))
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="runs")
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="runs")
    seq = models.BigIntegerField()
    status = models.CharField(max_length=20, default="created")
    stop_reason = models.CharField(max_length=60, null=True)
    background = models.BooleanField(default=False)
    input = models.JSONField(default=list)
    options = models.JSONField(default=dict)
    request_config = models.JSONField(null=True, default=dict)
    metadata = models.JSONField(null=True, default=dict)
    error = models.JSONField(null=True)
    batch = models.ForeignKey(Batch, models.SET_NULL, null=True, related_name="runs")
    resend_key = models.CharField(max_length=200, null=True)
    idempotency_key = models.CharField(max_length=255, null=True)
    otid = models.CharField(max_length=200, null=True)
    callback_url = models.CharField(max_length=2083, null=True)
    callback_sent_at = models.DateTimeField(null=True)
    callback_status_code = models.IntegerField(null=True)
    callback_error = models.TextField(null=True)
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    ttft_ns = models.BigIntegerField(null=True)
    total_duration_ns = models.BigIntegerField(null=True)
    step_count = models.IntegerField(default=0)
    prompt_tokens = models.BigIntegerField(default=0)
    completion_tokens = models.BigIntegerField(default=0)
    cached_input_tokens = models.BigIntegerField(null=True)
    reasoning_tokens = models.BigIntegerField(null=True)
    context_tokens = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "seq"], name="one_run_a_seq"),
            models.UniqueConstraint(fields=["agent", "idempotency_key"], name="one_run_a_key"),
        ]
        indexes = [
            models.Index(fields=["conversation", "status", "seq"], name="run_queue"),
            models.Index(fields=["org", "created_at", "id"], name="run_page"),
            models.Index(fields=["agent", "resend_key"], name="run_resend"),
            models.Index(fields=["agent", "otid"], name="run_otid"),
        ]

    def __str__(self) -> str:
        return self.id


class RunEvent(models.Model):
    """What a background run told, so that a reader can go on from where it left. Kept for hours."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="events")
    n = models.PositiveIntegerField()
    event = models.JSONField()
    created_at = models.DateTimeField(default=now, db_index=True)

    class Meta:
        ordering = ["n"]
        constraints = [models.UniqueConstraint(fields=["run", "n"], name="one_event_a_n")]


class RequestPart(models.Model):
    """A text that many requests share (system prompt, tool schemas), stored once by its SHA-256."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    text = models.TextField()


class Step(Owned):
    """One call of the model with what came of it.

    `request` is {"system": sha256, "tools": sha256, "params": {...}, "messages": {"after_seq",
    "to_seq", "summary_message_id"}, "tail": [...], "sha256": digest of the bytes sent}.
    """

    id = id_field(maker("step"))
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="steps")
    run = models.ForeignKey(Run, models.CASCADE, related_name="steps")
    seq = models.BigIntegerField()
    n = models.PositiveIntegerField()
    status = models.CharField(max_length=20, default="pending")
    stop_reason = models.CharField(max_length=60, null=True)
    model = models.CharField(max_length=200)
    model_handle = models.CharField(max_length=200)
    model_endpoint = models.CharField(max_length=500, null=True)
    provider_name = models.CharField(max_length=100)
    provider_category = models.CharField(max_length=20, default="base")
    context_window_limit = models.IntegerField()
    prompt_tokens = models.IntegerField(default=0)
    completion_tokens = models.IntegerField(default=0)
    cached_input_tokens = models.IntegerField(null=True)
    cache_write_tokens = models.IntegerField(null=True)
    reasoning_tokens = models.IntegerField(null=True)
    estimated_prompt_tokens = models.IntegerField(default=0)
    price = models.DecimalField(max_digits=14, decimal_places=8, null=True)
    request = models.JSONField(default=dict)
    response = models.JSONField(null=True)
    block_versions = models.JSONField(default=dict)
    started_at = models.DateTimeField(default=now)
    queued_ns = models.BigIntegerField(null=True)
    ttft_ns = models.BigIntegerField(null=True)
    llm_ns = models.BigIntegerField(null=True)
    tool_ns = models.BigIntegerField(null=True)
    total_ns = models.BigIntegerField(null=True)
    error = models.JSONField(null=True)
    feedback = models.CharField(max_length=20, null=True)
    tags = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["agent", "seq"], name="one_step_a_seq")]
        indexes = [models.Index(fields=["org", "created_at", "id"], name="step_page")]

    def __str__(self) -> str:
        return self.id


class ToolCall(models.Model):
    """One execution of a tool: enough to replay the run from recordings."""

    org = models.ForeignKey("core.Organization", models.CASCADE, related_name="+")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="tool_calls")
    run = models.ForeignKey(Run, models.CASCADE, related_name="tool_calls")
    step = models.ForeignKey(Step, models.CASCADE, related_name="tool_calls")
    message_id = models.CharField(max_length=60)
    tool_call_id = models.CharField(max_length=200)
    name = models.CharField(max_length=64, db_index=True)
    arguments = models.TextField()
    result = models.TextField(blank=True)
    status = models.CharField(max_length=10)
    stdout = models.JSONField(default=list)
    stderr = models.JSONField(default=list)
    duration_ns = models.BigIntegerField(null=True)
    approved_by = models.CharField(max_length=60, null=True)
    created_at = models.DateTimeField(default=now)
