"""Agents, their conversation, and where they came from."""

from django.db import models

from letta_site.core.clock import now
from letta_site.core.ids import maker
from letta_site.core.models.base import Owned, id_field
from letta_site.core.secrets import seal, unseal


class Agent(Owned):
    """A stateful agent: one perpetual history, memory blocks, tools, and a model to think with.

    `last_seq` is the highest number given to anything of this agent (messages, steps, runs,
    compactions, its block versions): one order for resume and time travel. `calibration` is
    {"model": handle, "ratio": tokens its provider counts for one of our estimate, "parts": digests
    of the request parts that its latest step used}. `files_version` is raised whenever its folders
    or its open files change; 0: it never had any.
    """

    id = id_field(maker("agent"))
    name = models.CharField(max_length=200)
    agent_type = models.CharField(max_length=40, default="letta_v1_agent")
    description = models.TextField(null=True, blank=True)
    system = models.TextField(blank=True)
    model = models.CharField(max_length=200)
    embedding = models.CharField(max_length=200, null=True, blank=True)
    embedding_config = models.JSONField(null=True, blank=True)
    model_settings = models.JSONField(default=dict, blank=True)
    llm_config = models.JSONField(default=dict, blank=True)
    context_window_limit = models.IntegerField(default=128_000)
    compaction_settings = models.JSONField(null=True, blank=True)
    response_format = models.JSONField(null=True, blank=True)
    tool_rules = models.JSONField(default=list, blank=True)
    metadata = models.JSONField(null=True, default=dict, blank=True)
    message_buffer_autoclear = models.BooleanField(default=False)
    enable_sleeptime = models.BooleanField(null=True, blank=True)
    timezone = models.CharField(max_length=64, default="UTC")
    hidden = models.BooleanField(null=True, blank=True)
    max_files_open = models.IntegerField(null=True, blank=True)
    per_file_view_window_char_limit = models.IntegerField(null=True, blank=True)
    project_id = models.CharField(max_length=100, null=True, blank=True)
    template_id = models.CharField(max_length=100, null=True, blank=True)
    base_template_id = models.CharField(max_length=100, null=True, blank=True)
    deployment_id = models.CharField(max_length=100, null=True, blank=True)
    entity_id = models.CharField(max_length=100, null=True, blank=True)
    last_run_completion = models.DateTimeField(null=True, blank=True)
    last_run_duration_ms = models.BigIntegerField(null=True, blank=True)
    last_stop_reason = models.CharField(max_length=60, null=True, blank=True)
    calibration = models.JSONField(default=dict, editable=False)
    last_seq = models.BigIntegerField(default=0, editable=False)
    files_version = models.PositiveIntegerField(default=0, editable=False)
    blocks = models.ManyToManyField("memory.Block", through="AgentBlock", related_name="agents")
    tools = models.ManyToManyField("agents.Tool", through="AgentTool", related_name="agents")
    archives = models.ManyToManyField(
        "memory.Archive", through="AgentArchive", related_name="agents"
    )
    folders = models.ManyToManyField("memory.Folder", through="AgentFolder", related_name="agents")

    class Meta:
        indexes = [
            models.Index(fields=["org", "created_at", "id"], name="agent_page"),
            models.Index(fields=["org", "updated_at", "id"], name="agent_updated"),
        ]

    def __str__(self) -> str:
        return self.name


class AgentTag(models.Model):
    """A tag of an agent, as a row so that lists can filter by it."""

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="tag_rows")
    tag = models.CharField(max_length=200, db_index=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["agent", "tag"], name="agent_tag_once")]


class AgentSecret(models.Model):
    """A variable that only this agent's tools see. Stored encrypted."""

    id = id_field(maker("agent-env"))
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="secret_rows")
    key = models.CharField(max_length=200)
    sealed_value = models.TextField(editable=False)
    description = models.TextField(null=True, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["agent", "key"], name="agent_secret_once")]

    def __str__(self) -> str:
        return self.key

    @property
    def value(self) -> str:
        """The plaintext."""
        return unseal(self.sealed_value)

    @value.setter
    def value(self, plain: str) -> None:
        self.sealed_value = seal(plain)


class Conversation(Owned):
    """A history of an agent with its own window. Every agent has exactly one default one.

    What the model sees is: the system message, the summary (if any), then every message with
    `seq > window_after_seq`. A boundary, not a list of ids: a step costs the same at any length.
    `lineage` is [[conversation id, last seq], ...]: what a fork shares with those before it.
    `title` is the user's own summary, `summary` that of the last compaction. A deleted one that a
    fork still reads from is kept, with `deleted_at`.
    `pending` is the message whose tool calls wait for an answer.
    """

    id = id_field(maker("conv"))
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="conversations")
    is_default = models.BooleanField(default=False)
    summary = models.TextField(null=True, blank=True)
    system_message_id = models.CharField(max_length=60, null=True)
    summary_message_id = models.CharField(max_length=60, null=True)
    window_after_seq = models.BigIntegerField(default=0)
    # Neither constraint nor cascade: messages go only with their conversation.
    pending = models.ForeignKey(
        "agents.Message", models.DO_NOTHING, null=True, related_name="+", db_constraint=False
    )
    compiled_versions = models.JSONField(default=dict)
    title = models.TextField(null=True, blank=True)
    model = models.CharField(max_length=200, null=True, blank=True)
    model_settings = models.JSONField(null=True, blank=True)
    isolated_block_ids = models.JSONField(default=list, blank=True)
    lineage = models.JSONField(default=list, editable=False)
    last_message_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        indexes = [models.Index(fields=["org", "created_at", "id"], name="conversation_page")]
        constraints = [
            models.UniqueConstraint(
                fields=["agent"], condition=models.Q(is_default=True), name="one_default_a_agent"
            )
        ]


class Fork(models.Model):
    """Where an agent or conversation was split off from another."""

    org = models.ForeignKey("core.Organization", models.CASCADE, related_name="+")
    child_agent = models.ForeignKey(Agent, models.CASCADE, related_name="origin")
    child_conversation = models.ForeignKey(Conversation, models.CASCADE, null=True)
    parent_agent_id = models.CharField(max_length=60)
    parent_conversation_id = models.CharField(max_length=60, null=True)
    step_id = models.CharField(max_length=60, null=True)
    parent_seq = models.BigIntegerField()
    created_at = models.DateTimeField(default=now)
