"""The models of agents."""

from agents.models.agent import Agent, AgentSecret, AgentTag, Conversation, Fork
from agents.models.group import Group, GroupBlock, GroupMember, Talk
from agents.models.links import AgentArchive, AgentBlock, AgentFile, AgentFolder, AgentTool
from agents.models.mcp import McpServer, McpSignIn
from agents.models.message import Compaction, Message, MessageVersion
from agents.models.run import Batch, RequestPart, Run, RunEvent, Step, ToolCall
from agents.models.tool import Tool, ToolVersion

__all__ = [
    "Agent",
    "AgentArchive",
    "AgentBlock",
    "AgentFile",
    "AgentFolder",
    "AgentSecret",
    "AgentTag",
    "AgentTool",
    "Batch",
    "Compaction",
    "Conversation",
    "Fork",
    "Group",
    "GroupBlock",
    "GroupMember",
    "McpServer",
    "McpSignIn",
    "Message",
    "MessageVersion",
    "RequestPart",
    "Run",
    "RunEvent",
    "Step",
    "Talk",
    "Tool",
    "ToolCall",
    "ToolVersion",
]
