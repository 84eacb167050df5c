"""What is stored of the talks of a group: who has not been told what yet, and what was said."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from agents.models import Agent, Group, GroupMember, Message, Run
from agents.services.groups import agent_ids_of, get_group
from agents.services.messages import from_part, to_part, to_type
from agents.services.sleeptime import KINDS
from agents.types import InputMessage, Json
from agents.types import Message as MessageValue
from letta_site.core.aio import write
from letta_site.core.errors import NotFound
from letta_site.core.paging import page
from letta_site.core.types import Actor, PageQuery


@dataclass(frozen=True, slots=True)
class Speaker:
    """An agent that takes part in a talk."""

    agent_id: str
    name: str
    agent_type: str
    description: str


@dataclass(frozen=True, slots=True)
class Company:
    """A group as a talk needs it."""

    group_id: str
    manager_type: str
    manager: Speaker | None
    members: tuple[Speaker, ...]
    termination_token: str
    max_turns: int | None
    turns_counter: int

    @property
    def speakers(self) -> tuple[Speaker, ...]:
        """All who may be heard."""
        return (*self.members, self.manager) if self.manager else self.members


def load_company(actor: Actor, group_id: str) -> Company:
    """Return a group as it is now. Raises NotFound."""
    group = get_group(actor, group_id)
    links = group.member_links.select_related("agent")
    return Company(
        group_id=group.id,
        manager_type=group.manager_type,
        manager=_speaker(group.manager_agent) if group.manager_agent else None,
        members=tuple(_speaker(link.agent) for link in links),
        termination_token=group.termination_token or "",
        max_turns=group.max_turns,
        turns_counter=group.turns_counter,
    )


def _speaker(agent: Agent) -> Speaker:
    return Speaker(agent.id, agent.name, agent.agent_type, agent.description or "")


def announce(group_id: str, messages: Sequence[InputMessage], *, but: str | None = None) -> None:
    """Keep messages for everybody in the group but one, until each of them takes a turn."""
    rows = [_to_row(message) for message in messages]
    with write():
        group = Group.objects.select_for_update().get(pk=group_id)
        links = list(group.member_links.exclude(agent_id=but))
        for link in links:
            link.unheard = [*link.unheard, *rows]
        GroupMember.objects.bulk_update(links, ["unheard"])
        if group.manager_agent_id and group.manager_agent_id != but:
            group.unheard = [*group.unheard, *rows]
            group.save(update_fields=["unheard"])


def unheard_by(group_id: str, agent_id: str) -> tuple[InputMessage, ...]:
    """Return what an agent of the group has not been told yet."""
    rows = GroupMember.objects.filter(group_id=group_id, agent_id=agent_id)
    found = rows.values_list("unheard", flat=True).first()
    if found is None:
        managed = Group.objects.filter(pk=group_id, manager_agent_id=agent_id)
        found = managed.values_list("unheard", flat=True).first()
    return tuple(_from_row(row) for row in found or ())


def end_turn(group_id: str, agent_id: str, told: int, said: Sequence[InputMessage]) -> None:
    """Note that an agent was told so many messages, and what it said for the others to hear."""
    with write():
        group = Group.objects.select_for_update().get(pk=group_id)
        if group.manager_agent_id == agent_id:
            group.unheard = group.unheard[told:]
            group.save(update_fields=["unheard"])
        else:
            Group.objects.filter(pk=group_id).update(turns_counter=F("turns_counter") + 1)
            for link in group.member_links.filter(agent_id=agent_id):
                link.unheard = link.unheard[told:]
                link.save(update_fields=["unheard"])
        if said:
            announce(group_id, said, but=agent_id)


def _to_row(message: InputMessage) -> Json:
    parts = [from_part(part) for part in message.parts]
    return {
        "role": message.role,
        "content": parts,
        "name": message.name,
        "otid": message.otid,
        "sender_id": message.sender_id,
        "group_id": message.group_id,
    }


def _from_row(row: Json) -> InputMessage:
    parts = tuple(to_part(part) for part in row["content"])
    return InputMessage(
        row["role"], parts, row["name"], row["otid"], row["sender_id"], row["group_id"]
    )


def list_group_messages(
    actor: Actor, group_id: str, *, query: PageQuery
) -> list[tuple[Speaker, MessageValue]]:
    """Return a page of what was said in a group, oldest first, each message once.

    Of a sleeptime group it is the history of the agent that talks. Raises NotFound.
    """
    rows = _said_in(actor, get_group(actor, group_id))
    found = sorted(
        page(rows.select_related("agent"), query), key=lambda row: (row.created_at, row.seq)
    )
    return [(_speaker(row.agent), to_type(row)) for row in found]


def keeper_of_message(actor: Actor, group_id: str, message_id: str) -> str:
    """Return the id of the agent in whose history a message of a group stands. Raises NotFound."""
    rows = _said_in(actor, get_group(actor, group_id)).filter(pk=message_id)
    found: str | None = rows.values_list("agent_id", flat=True).first()
    if found is None:
        raise NotFound(f"No message found with id '{message_id}' in group '{group_id}'.")
    return found


def _said_in(actor: Actor, group: Group) -> QuerySet[Message]:
    rows = Message.objects.of(actor).filter(agent_id__in=agent_ids_of(group))
    if group.manager_type in KINDS:
        rows = rows.filter(agent_id=group.manager_agent_id, conversation__is_default=True)
    else:
        runs = Run.objects.filter(agent_id__in=agent_ids_of(group), metadata__group_id=group.id)
        # What one agent said reached the others as their input; so did the user's own words.
        copied = Q(sender_id__startswith="agent-") | Q(sender_id=group.id)
        earlier = Message.objects.filter(
            otid=OuterRef("otid"), group_id=group.id, created_at__lt=OuterRef("created_at")
        )
        rows = rows.filter(run_id__in=runs.values("id")).exclude(copied & Q(role="user"))
        rows = rows.exclude(Exists(earlier), role="user")
    return rows
