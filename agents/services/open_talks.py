"""Talks of groups that have not ended, so that another process can go on with them."""

import logging
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db.models import F
from pydantic import TypeAdapter, ValidationError

from agents.models import Group, Run, Talk
from agents.services.group_talks import announce, end_turn
from agents.types import InputMessage, RunInput
from letta_site.core.aio import write
from letta_site.core.types import Actor

log = logging.getLogger(__name__)
MARK = "talk_id"  # in the metadata of a talk's runs


@dataclass(frozen=True, slots=True)
class OpenTalk:
    """What is stored of a talk. `run_ids` are its turns so far, of which `settled` were told on."""

    talk_id: str
    group_id: str
    actor: Actor
    given: RunInput
    settled: int = 0
    run_ids: tuple[str, ...] = ()


def open_talk(actor: Actor, group_id: str, given: RunInput) -> OpenTalk:
    """Store a request to a group: from here on it is carried out, whatever becomes of us."""
    with write():
        row = Talk.objects.create(
            org_id=actor.org_id,
            created_by_id=actor.id,
            group_id=group_id,
            given=_adapter().dump_python(given, mode="json"),
        )
    return OpenTalk(row.id, group_id, actor, given)


def list_open() -> list[OpenTalk]:
    """Return the talks that the last process did not end, in the order they were asked for."""
    found = (_read(row) for row in Talk.objects.order_by("created_at", "id"))
    return [talk for talk in found if talk]


def _read(row: Talk) -> OpenTalk | None:
    """Return a talk; one that another version of this program wrote may be lost on us."""
    try:
        return _to_type(row)
    except ValidationError:
        log.exception("Talk %s of group %s cannot be taken up", row.id, row.group_id)
        close_talk(row.id)
        return None


def _to_type(row: Talk) -> OpenTalk:
    runs = Run.objects.filter(org_id=row.org_id, **{f"metadata__{MARK}": row.id})
    return OpenTalk(
        row.id,
        row.group_id,
        Actor(row.org_id, row.created_by_id or "", "user"),
        _adapter().validate_python(row.given),
        row.settled,
        tuple(runs.order_by("created_at", "id").values_list("id", flat=True)),
    )


def begin_talk(talk: OpenTalk, messages: tuple[InputMessage, ...]) -> int:
    """Keep what a request says for everybody, once; return the group's counter as it was then."""
    with write():
        group = Group.objects.select_for_update().get(pk=talk.group_id)
        row = Talk.objects.get(pk=talk.talk_id)
        if row.counter is None:
            row.counter = group.turns_counter
            row.save(update_fields=["counter"])
            announce(talk.group_id, messages)
        counter: int = row.counter
    return counter


def settle_turn(
    talk: OpenTalk, agent_id: str, told: int, said: tuple[InputMessage, ...] = ()
) -> None:
    """Note that a turn was taken, as `group_talks.end_turn` does, once whatever happens."""
    with write():
        Talk.objects.filter(pk=talk.talk_id).update(settled=F("settled") + 1)
        end_turn(talk.group_id, agent_id, told, said)


def close_talk(talk_id: str) -> None:
    """Forget a talk that has ended; its turns are runs and stay."""
    with write():
        Talk.objects.filter(pk=talk_id).delete()


@cache
def _adapter() -> "TypeAdapter[Any]":
    return TypeAdapter(RunInput)
