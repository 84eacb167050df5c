"""What an agent has: blocks, tools, archives."""

from django.db import models

from agents.models.agent import Agent
from agents.models.tool import Tool


class AgentBlock(models.Model):
    """A block in an agent's prompt, in the order of attachment."""

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="block_links")
    block = models.ForeignKey("memory.Block", models.CASCADE, related_name="agent_links")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["agent", "block"], name="block_once")]


class AgentTool(models.Model):
    """A tool that an agent may call."""

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="tool_links")
    tool = models.ForeignKey(Tool, models.CASCADE, related_name="agent_links")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["agent", "tool"], name="tool_once")]


class AgentArchive(models.Model):
    """An archive that an agent searches; it writes to the one it owns."""

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="archive_links")
    archive = models.ForeignKey("memory.Archive", models.CASCADE, related_name="agent_links")
    is_owner = models.BooleanField(default=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["agent", "archive"], name="archive_once")]
