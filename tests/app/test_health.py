"""What the doctor finds, and what is left of it after a repair."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from agents.models import Agent, Conversation, Message, Run
from agents.runtime import boot
from agents.services import health, runs
from agents.types import InputMessage, RunInput, TextPart
from letta_site.core.aio import in_db
from letta_site.core.clock import now
from letta_site.core.errors import NotFound
from letta_site.core.types import Actor
from memory.models import Block, SearchEntry
from tests.app.posting import send

pytestmark = pytest.mark.django_db(transaction=True)
CALL = {"id": "call_1", "name": "probe", "arguments": "{}"}
RETURN = {"tool_call_id": "call_9", "name": "probe", "text": "x", "status": "success"}


def tell(agent_id: str, words: str = "My name is Ada.") -> Any:
    return send(agent_id, {"messages": [{"role": "user", "content": words}]})


def doctor(*options: str) -> tuple[int, str]:
    """Return the exit code and what was printed."""
    out = StringIO()
    try:
        call_command("doctor", *options, stdout=out, stderr=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def spoil_calls() -> None:
    row = Message.objects.filter(role="assistant").order_by("seq")[0]
    row.tool_calls = [CALL]
    row.save()


def spoil_returns() -> None:
    row = Message.objects.filter(role="assistant").order_by("seq")[0]
    row.tool_returns = [RETURN]
    row.save()


def spoil_run() -> None:
    row = Run.objects.order_by("-seq")[0]
    long_ago = now() - timedelta(days=1)
    Run.objects.filter(pk=row.pk).update(status="running", heartbeat_at=long_ago)


SPOILERS = {
    "stuck run": spoil_run,
    "numbering": lambda: Agent.objects.update(last_seq=1),
    "system message": lambda: Message.objects.filter(role="system").delete(),
    "summary": lambda: Conversation.objects.update(summary_message_id="message-gone"),
    "window": lambda: Conversation.objects.update(window_after_seq=9_999),
    "orphan call": spoil_calls,
    "orphan return": spoil_returns,
    "block version": lambda: Block.objects.update(value="changed behind its back"),
    "search index": lambda: SearchEntry.objects.all().delete(),
}


@pytest.mark.parametrize("kind", SPOILERS)
def test_each_trouble_is_found_mended_and_gone(agent: dict[str, Any], kind: str) -> None:
    tell(agent["id"])
    assert doctor()[0] == 0
    SPOILERS[kind]()
    code, shown = doctor()
    assert code == 1 and kind in shown and agent["id"] in shown
    code, shown = doctor("--repair")
    assert code == 0 and "Repaired" in shown
    assert doctor() == (0, "1 agents examined, 0 troubles found.\n")
    assert tell(agent["id"], "Still there?").status_code == 200
    assert doctor()[0] == 0


def test_everything_at_once(agent: dict[str, Any]) -> None:
    tell(agent["id"])
    for spoil in SPOILERS.values():
        spoil()
    assert doctor("--repair")[0] == 0
    assert doctor()[0] == 0
    assert tell(agent["id"], "Still there?").status_code == 200


def test_a_damaged_file_is_told(agent: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert health.check_database() == ""
    if connection.vendor == "sqlite":
        name = "agents.management.commands.doctor.check_database"
        monkeypatch.setattr(name, lambda: "page 3 is lost")
        code, shown = doctor()
        assert code == 1 and "page 3 is lost" in shown


def test_unsticking_ends_what_nobody_carries_out_and_takes_up_what_waits(
    agent: dict[str, Any], owner: Actor
) -> None:
    wish = RunInput(agent["id"], (InputMessage("user", (TextPart("one"),)),))
    dead, _ = runs.open_run(owner, wish)
    waiting, _ = runs.open_run(owner, wish)
    Run.objects.filter(pk=dead.run_id).update(status="running", heartbeat_at=now())

    async def scenario() -> list[health.Trouble]:
        found = await boot.unstick(owner, agent["id"])
        for _ in range(100):
            await asyncio.sleep(0.05)
            done = Run.objects.filter(pk=waiting.run_id, status="completed")
            if await in_db(done.exists):
                return found
        raise AssertionError("the waiting run was not taken up")

    (found,) = asyncio.run(scenario())
    assert found.kind == "stuck run"
    assert Run.objects.get(pk=dead.run_id).error["kind"] == "interrupted"


def test_a_stranger_learns_nothing(agent: dict[str, Any], stranger: Actor) -> None:
    with pytest.raises(NotFound):
        health.find_trouble(stranger, agent["id"])
