"""Folders of an agent, as its owner attaches and detaches them."""

from agents.models import Agent
from agents.services.agent_blocks import check_agent, follow, locked_agent
from agents.services.agents import get_agent
from agents.services.folder_links import folders_by_id, link_folders, unlink_folders
from agents.services.tool_seed import ensure_base_tools
from letta_site.core.aio import write
from letta_site.core.paging import page
from letta_site.core.types import Actor, PageQuery
from memory.models import Folder
from memory.services.folders import get_folder


def attach_folder(actor: Actor, agent_id: str, folder_id: str) -> Agent:
    """Give an agent a folder and the file tools; return the agent whole. Raises NotFound."""
    ensure_base_tools(actor)
    with write():
        agent = locked_agent(actor, agent_id)
        link_folders(agent, folders_by_id(actor, [folder_id]))
        follow(actor, agent)
    return get_agent(actor, agent_id)


def detach_folder(actor: Actor, agent_id: str, folder_id: str) -> Agent:
    """Take a folder from an agent; with the last one go the file tools. Raises NotFound."""
    with write():
        agent = locked_agent(actor, agent_id)
        get_folder(actor, folder_id)
        unlink_folders(agent, [folder_id])
        follow(actor, agent)
    return get_agent(actor, agent_id)


def list_agent_folders(actor: Actor, agent_id: str, *, query: PageQuery) -> list[Folder]:
    """Return a page of an agent's folders. Raises NotFound."""
    check_agent(actor, agent_id)
    return page(Folder.objects.of(actor).filter(agent_links__agent_id=agent_id), query)


def list_agent_ids_of_folder(actor: Actor, folder_id: str, *, query: PageQuery) -> list[str]:
    """Return a page of the ids of the agents that have a folder. Raises NotFound."""
    get_folder(actor, folder_id)
    rows: list[Agent] = page(
        Agent.objects.of(actor).filter(folder_links__folder_id=folder_id), query
    )
    return [row.id for row in rows]
