"""What the wire shows of agents beside their own columns, for many of them at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS
from django.db.models import F, Model, Q, QuerySet

from agents.models import (
    Agent,
    AgentBlock,
    AgentFile,
    AgentFolder,
    AgentSecret,
    AgentTag,
    AgentTool,
    Conversation,
    Group,
    Message,
    Tool,
)
from letta_site.core.prepared import Prepared
from memory.models import Block, Folder

M = TypeVar("M", bound=Model)


@dataclass(slots=True)
class Shown:
    """The relations of one agent. `window_ids` are the messages that its model sees now.

    `files` are those it has or had open. `pending` is the request for answers that its
    conversation waits for.
    """

    blocks: list[Block] = field(default_factory=list)
    tools: list[Tool] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)
    files: list[AgentFile] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    secrets: list[AgentSecret] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    window_ids: list[str] = field(default_factory=list)
    pending: Message | None = None


def whole_groups(rows: QuerySet[Group]) -> QuerySet[Group]:
    """Load with groups what the wire shows of them."""
    return rows.prefetch_related("member_links", "block_links")


def load_shown(agents: Sequence[Agent]) -> None:
    """Set `shown` on each agent, in a number of queries that does not grow with the agents."""
    ids = [agent.id for agent in agents]
    shown = {agent_id: Shown() for agent_id in ids}
    for agent_id, *values in _BLOCKS.rows(ids):
        shown[agent_id].blocks.append(_row(Block, values))
    for agent_id, *values in _TOOLS.rows(ids):
        shown[agent_id].tools.append(_row(Tool, values))
    for agent_id, *values in _FOLDERS.rows(ids):
        shown[agent_id].folders.append(_row(Folder, values))
    for agent_id, *values in _SECRETS.rows(ids):
        shown[agent_id].secrets.append(_row(AgentSecret, values))
    for agent_id, tag in _TAGS.rows(ids):
        shown[agent_id].tags.append(tag)
    for agent_id, message_id in _WINDOWS.rows(ids):
        shown[agent_id].window_ids.append(message_id)
    _load_rare(ids, shown)
    for agent in agents:
        vars(agent)["shown"] = shown[agent.id]


def _load_rare(ids: Sequence[str], shown: dict[str, Shown]) -> None:
    managers = {group_id: agent_id for agent_id, group_id in _GROUPS.rows(ids)}
    if managers:
        found = whole_groups(Group.objects.filter(pk__in=list(managers)))
        for group in found.order_by("created_at", "id"):
            shown[managers[group.id]].groups.append(group)
    # A file that was opened lies in a folder of the agent.
    readers = [agent_id for agent_id in ids if shown[agent_id].folders]
    if readers:
        views = AgentFile.objects.filter(agent_id__in=readers).select_related("file__folder")
        for view in views.order_by("id"):
            shown[view.agent_id].files.append(view)
    waiting = {message_id: agent_id for agent_id, message_id in _WAITING.rows(ids)}
    if waiting:
        for message in Message.objects.filter(pk__in=list(waiting)):
            shown[waiting[message.id]].pending = message


def _columns(model: type[Model]) -> list[str]:
    return [column.attname for column in model._meta.concrete_fields]


def _row(model: type[M], values: Sequence[Any]) -> M:
    return model.from_db(DEFAULT_DB_ALIAS, _columns(model), values)


def _linked(link: type[Model], name: str, model: type[Model]) -> Prepared:
    columns = [f"{name}__{column}" for column in _columns(model)]
    rows = link._default_manager.order_by("id")
    return Prepared(lambda ids: rows.filter(agent_id__in=ids).values_list("agent_id", *columns))


def _window(ids: Sequence[str]) -> "QuerySet[Message, tuple[Any, ...]]":
    held = Q(seq__gt=F("conversation__window_after_seq"), aside=False)
    held |= Q(id=F("conversation__system_message_id"))
    held |= Q(id=F("conversation__summary_message_id"))
    rows = Message.objects.filter(held, agent_id__in=ids, conversation__is_default=True)
    return rows.order_by("seq").values_list("agent_id", "id")


_BLOCKS = _linked(AgentBlock, "block", Block)
_TOOLS = _linked(AgentTool, "tool", Tool)
_FOLDERS = _linked(AgentFolder, "folder", Folder)
_SECRETS = Prepared(
    lambda ids: (
        AgentSecret.objects.filter(agent_id__in=ids)
        .order_by("key")
        .values_list("agent_id", *_columns(AgentSecret))
    )
)
_TAGS = Prepared(
    lambda ids: (
        AgentTag.objects.filter(agent_id__in=ids).order_by("id").values_list("agent_id", "tag")
    )
)
_WINDOWS = Prepared(_window)
_GROUPS = Prepared(
    lambda ids: Group.objects.filter(manager_agent_id__in=ids).values_list("manager_agent_id", "id")
)
_WAITING = Prepared(
    lambda ids: Conversation.objects.filter(
        agent_id__in=ids, is_default=True, pending__isnull=False
    ).values_list("agent_id", "pending_id")
)
