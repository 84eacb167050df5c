"""The models of agents."""

from agents.models.agent import Agent, AgentSecret, AgentTag, Conversation, Fork
from agents.models.group import Group, GroupBlock, GroupMember
from agents.models.links import AgentArchive, AgentBlock, AgentTool
from agents.models.message import Compaction, Message
from agents.models.run import RequestPart, Run, Step, ToolCall
from agents.models.tool import Tool

__all__ = [
    "Agent",
    "AgentArchive",
    "AgentBlock",
    "AgentSecret",
    "AgentTag",
    "AgentTool",
    "Compaction",
    "Conversation",
    "Fork",
    "Group",
    "GroupBlock",
    "GroupMember",
    "Message",
    "RequestPart",
    "Run",
    "Step",
    "Tool",
    "ToolCall",
]
