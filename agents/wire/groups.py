"""Groups on the wire, flat as both eras read them, and what callers send to make or change one."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.models import Group
from agents.types import Json
from agents.wire.ids import AgentId
from letta_site.core.paging import Page

ManagerType = Literal[
    "round_robin", "supervisor", "dynamic", "sleeptime", "voice_sleeptime", "swarm"
]
MAX_TURNS = 1000
Turns = Annotated[int, Field(ge=1, le=MAX_TURNS)]
_PLAIN = (
    "id",
    "manager_type",
    "description",
    "project_id",
    "template_id",
    "base_template_id",
    "deployment_id",
    "manager_agent_id",
    "termination_token",
    "max_turns",
    "sleeptime_agent_frequency",
    "turns_counter",
    "last_processed_message_id",
    "max_message_buffer_length",
    "min_message_buffer_length",
    "hidden",
)


class ManagerConfig(BaseModel):
    """How the agents of a group take turns; which keys matter depends on `manager_type`."""

    manager_type: Literal[
        "round_robin", "supervisor", "dynamic", "sleeptime", "voice_sleeptime"
    ] = "round_robin"
    manager_agent_id: AgentId | None = None
    max_turns: Turns | None = None
    termination_token: str | None = Field(None, max_length=200)
    sleeptime_agent_frequency: Turns | None = None
    max_message_buffer_length: Turns | None = None
    min_message_buffer_length: Turns | None = None


class GroupCreate(BaseModel):
    """A group to be."""

    model_config = ConfigDict(extra="forbid")
    agent_ids: list[AgentId]
    description: str
    manager_config: ManagerConfig = ManagerConfig()
    project_id: str | None = None
    shared_block_ids: list[str] = []
    hidden: bool | None = None


class GroupUpdate(BaseModel):
    """What to change of a group. Null means: nothing said; a list replaces the whole old one."""

    model_config = ConfigDict(extra="forbid")
    agent_ids: list[AgentId] | None = None
    description: str | None = None
    manager_config: ManagerConfig | None = None
    project_id: str | None = None
    shared_block_ids: list[str] | None = None


class GroupConditions(BaseModel):
    """Which groups."""

    manager_type: ManagerType | None = None
    project_id: str | None = None


class GroupPage(Page):
    """A page of groups."""

    ascending: bool | None = None


def encode_group(group: Group) -> Json:
    """Return a Group. The row must come with its members and blocks."""
    return {
        **{name: getattr(group, name) for name in _PLAIN},
        "agent_ids": [link.agent_id for link in group.member_links.all()],
        "shared_block_ids": [link.block_id for link in group.block_links.all()],
    }
