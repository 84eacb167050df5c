"""Which folders an agent has; the file tools come and go with them."""

from collections.abc import Iterable

from agents.models import Agent, AgentFile, AgentFolder, AgentTool, Tool
from agents.services.open_files import open_first, raise_version
from letta_site.core.errors import NotFound
from letta_site.core.types import Actor
from memory.models import File, Folder

FILE_TOOLS = ("open_files", "grep_files", "semantic_search_files")
FILE_TOOL_TYPE = "letta_files_core"


def folders_by_id(actor: Actor, ids: Iterable[str]) -> list[Folder]:
    """Return folders by their ids, in this order. Raises NotFound naming the first missing one."""
    wanted = list(dict.fromkeys(ids))
    found = {row.id: row for row in Folder.objects.of(actor).filter(pk__in=wanted)}
    for folder_id in wanted:
        if folder_id not in found:
            raise NotFound(f"Folder with id={folder_id} not found.")
    return [found[one] for one in wanted]


def folder_ids_of(agent_id: str) -> list[str]:
    """Return the ids of the folders that an agent has."""
    links = AgentFolder.objects.filter(agent_id=agent_id)
    return list(links.values_list("folder_id", flat=True))


def link_folders(agent: Agent, folders: list[Folder]) -> None:
    """Give an agent folders and the tools for them, and open files while there is room.

    The built-in tools must be there. Call it inside `aio.write()`.
    """
    if not folders:
        return
    for folder in folders:
        AgentFolder.objects.get_or_create(agent=agent, folder=folder)
    tools = Tool.objects.filter(org_id=agent.org_id, name__in=FILE_TOOLS, tool_type=FILE_TOOL_TYPE)
    for tool in sorted(tools, key=lambda tool: FILE_TOOLS.index(tool.name)):
        AgentTool.objects.get_or_create(agent=agent, tool=tool)
    ready = File.objects.filter(folder__in=folders, status="completed")
    open_first(agent, list(ready.order_by("created_at", "id")[:100]))
    raise_version([agent.id])
    agent.refresh_from_db(fields=["files_version"])


def unlink_folders(agent: Agent, folder_ids: Iterable[str]) -> None:
    """Take folders from an agent, and with the last one the file tools.

    Call it inside `aio.write()`.
    """
    ids = list(folder_ids)
    AgentFolder.objects.filter(agent=agent, folder_id__in=ids).delete()
    AgentFile.objects.filter(agent=agent, file__folder_id__in=ids).delete()
    if not AgentFolder.objects.filter(agent=agent).exists():
        tools = AgentTool.objects.filter(agent=agent, tool__name__in=FILE_TOOLS)
        tools.filter(tool__tool_type=FILE_TOOL_TYPE).delete()
    raise_version([agent.id])
    agent.refresh_from_db(fields=["files_version"])


def replace_folders(actor: Actor, agent: Agent, folder_ids: Iterable[str]) -> None:
    """Make these the agent's folders. Raises NotFound. Call it inside `aio.write()`."""
    wanted = folders_by_id(actor, folder_ids)
    had = set(AgentFolder.objects.filter(agent=agent).values_list("folder_id", flat=True))
    gone = had - {folder.id for folder in wanted}
    if gone:
        unlink_folders(agent, gone)
    link_folders(agent, [folder for folder in wanted if folder.id not in had])


def open_ready_file(file: File) -> None:
    """Open a file that has just become readable for those who have its folder."""
    for agent in Agent.objects.filter(folder_links__folder_id=file.folder_id):
        open_first(agent, [file])


def leave_folder(folder: Folder) -> None:
    """Take a folder that is about to be deleted from all who have it."""
    for agent in Agent.objects.filter(folder_links__folder=folder):
        unlink_folders(agent, [folder.id])
