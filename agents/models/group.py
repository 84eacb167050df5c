"""Agents that talk with each other, or work for one another."""

from django.db import models

from agents.models.agent import Agent
from letta_site.core.ids import maker
from letta_site.core.models.base import Owned, id_field


class Group(Owned):
    """Several agents and the way in which they take turns.

    `turns_counter` counts the turns that were taken. `last_seq` is how far into the manager's
    history its sleeptime agents have read. `unheard` is what the manager has not been told yet of
    a talk: messages as runs store their input.
    """

    id = id_field(maker("group"))
    manager_type = models.CharField(max_length=20, default="round_robin")
    description = models.TextField(blank=True)
    manager_agent = models.ForeignKey(
        Agent, models.CASCADE, null=True, related_name="managed_groups"
    )
    termination_token = models.CharField(max_length=200, null=True, blank=True)
    max_turns = models.IntegerField(null=True, blank=True)
    sleeptime_agent_frequency = models.IntegerField(null=True, blank=True)
    max_message_buffer_length = models.IntegerField(null=True, blank=True)
    min_message_buffer_length = models.IntegerField(null=True, blank=True)
    turns_counter = models.IntegerField(default=0)
    last_processed_message_id = models.CharField(max_length=60, null=True, blank=True)
    last_seq = models.BigIntegerField(default=0, editable=False)
    unheard = models.JSONField(default=list, editable=False)
    hidden = models.BooleanField(null=True, blank=True)
    project_id = models.CharField(max_length=100, null=True, blank=True)
    template_id = models.CharField(max_length=100, null=True, blank=True)
    base_template_id = models.CharField(max_length=100, null=True, blank=True)
    deployment_id = models.CharField(max_length=100, null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["org", "created_at", "id"], name="group_page")]

    def __str__(self) -> str:
        return self.id


class GroupMember(models.Model):
    """An agent of a group, in the order in which they speak. `unheard` as in Group."""

    group = models.ForeignKey(Group, models.CASCADE, related_name="member_links")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="group_links")
    unheard = models.JSONField(default=list)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["group", "agent"], name="member_once")]


class Talk(Owned):
    """A request to a group that has not ended; its turns are runs that bear its id.

    `given` is the request, `counter` the group's when the talk began, `settled` how many of its
    turns the others have been told of.
    """

    id = id_field(maker("talk"))
    group = models.ForeignKey(Group, models.CASCADE, related_name="talks")
    given = models.JSONField()
    counter = models.IntegerField(null=True)
    settled = models.IntegerField(default=0)

    def __str__(self) -> str:
        return self.id


class GroupBlock(models.Model):
    """A block that all agents of a group have."""

    group = models.ForeignKey(Group, models.CASCADE, related_name="block_links")
    block = models.ForeignKey("memory.Block", models.CASCADE, related_name="group_links")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["group", "block"], name="group_block_once")]
