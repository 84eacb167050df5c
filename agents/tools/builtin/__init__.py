"""The built-in tools by name. A new one is a function in a file here and a place in its TOOLS."""

from agents.tools.base import Builtin
from agents.tools.builtin import (
    archival,
    code,
    files,
    memory,
    memory_files,
    messaging,
    multi_agent,
    recall,
    web,
)

BUILTIN: dict[str, Builtin] = {
    tool.spec.name: tool
    for module in (messaging, recall, archival, memory, memory_files, files, multi_agent, code, web)
    for tool in module.TOOLS
}
