"""What an agent has: blocks, tools, archives, folders and the files it has open."""

from django.db import models

from agents.models.agent import Agent
from agents.models.tool import Tool
from letta_site.core.clock import now


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


class AgentFolder(models.Model):
    """A folder whose files an agent may open and search."""

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="folder_links")
    folder = models.ForeignKey("memory.Folder", models.CASCADE, related_name="agent_links")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["agent", "folder"], name="folder_once")]


class AgentFile(models.Model):
    """What an agent saw last of a file, and whether it is in its prompt now.

    There is a row for a file that was opened once, not for every file of an agent's folders.
    `view` is the text shown, with numbers before its lines.
    """

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="file_views")
    file = models.ForeignKey("memory.File", models.CASCADE, related_name="agent_views")
    is_open = models.BooleanField(default=True)
    start_line = models.PositiveIntegerField(default=1)
    end_line = models.PositiveIntegerField(default=1)
    view = models.TextField(blank=True)
    accessed_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["agent", "file"], name="file_view_once")]
        indexes = [
            models.Index(
                fields=["agent", "accessed_at"],
                name="open_files",
                condition=models.Q(is_open=True),
            )
        ]
