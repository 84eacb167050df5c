"""Looking after an agent from its page: the notice that it is stuck, and its window's summaries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext

from agents.models import Agent, Compaction, Conversation, Message, Run
from agents.services import runs
from agents.types import InputMessage, RunInput, TextPart
from letta_site.core.clock import now
from letta_site.core.types import Actor
from tests.app.posting import play, send

pytestmark = pytest.mark.django_db(transaction=True)
MAX_QUERIES = 15
CALL = {"id": "call_1", "name": "probe", "arguments": "{}"}
RETURN = {"tool_call_id": "call_9", "name": "probe", "text": "x", "status": "success"}


def tell(agent_id: str, words: str = "My name is Ada.") -> Any:
    return send(agent_id, {"messages": [{"role": "user", "content": words}]})


def page_of(agent_id: str) -> str:
    return Client().get(f"/agents/{agent_id}").content.decode()


def press(path: str, **headers: str) -> Any:
    """Post a form of the page, with or without htmx; return the answer and the page after it."""

    async def scenario() -> Any:
        client = AsyncClient()
        answer = await client.post(path, headers=headers or None)
        after = await client.get("/".join(path.split("/")[:3]))
        return answer, after.content.decode()

    return play(scenario)


def assistant_row() -> Message:
    row: Message = Message.objects.filter(role="assistant").order_by("seq")[0]
    return row


def spoil(field: str, value: Any) -> None:
    Message.objects.filter(pk=assistant_row().pk).update(**{field: value})


def lose_run(status: str = "running") -> None:
    long_ago = now() - timedelta(minutes=5)
    last = Run.objects.order_by("-seq")[0]
    Run.objects.filter(pk=last.pk).update(
        status=status, completed_at=None, heartbeat_at=long_ago, created_at=long_ago
    )


SPOILERS: dict[str, tuple[Callable[[], object], str]] = {
    "lost run": (lose_run, "nobody carries it out"),
    "run left waiting": (lambda: lose_run("created"), "nobody takes it up"),
    "numbering": (lambda: Agent.objects.update(last_seq=1), "cannot take a message"),
    "head": (lambda: Message.objects.filter(role="system").delete(), "system message is missing"),
    "summary": (
        lambda: Conversation.objects.update(summary_message_id="message-gone"),
        "summary of its earlier messages is missing",
    ),
    "window": (lambda: Conversation.objects.update(window_after_seq=9_999), "sees no message"),
    "call": (lambda: spoil("tool_calls", [CALL]), "Calls without a return: probe"),
    "return": (lambda: spoil("tool_returns", [RETURN]), "calls that nobody made"),
}


@pytest.mark.parametrize("kind", SPOILERS)
def test_a_stuck_agent_is_shown_and_unstuck(agent: dict[str, Any], kind: str) -> None:
    tell(agent["id"])
    assert "Unstick" not in page_of(agent["id"])
    break_it, words = SPOILERS[kind]
    break_it()
    shown = page_of(agent["id"])
    assert words in shown and "Unstick" in shown

    answer, after = press(f"/agents/{agent['id']}/unstick")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/agents/{agent['id']}")
    assert "Unstick" not in after
    assert ("This was put right" in after) == (kind != "run left waiting")
    assert "put right" not in page_of(agent["id"])
    assert tell(agent["id"], "Still there?").status_code == 200


def test_a_run_that_was_heard_of_just_now_is_left_alone(
    agent: dict[str, Any], owner: Actor
) -> None:
    """It may be that of another process, such as the terminal's."""
    wish = RunInput(agent["id"], (InputMessage("user", (TextPart("one"),)),))
    ref, _ = runs.open_run(owner, wish)
    assert "Unstick" not in page_of(agent["id"])
    Run.objects.filter(pk=ref.run_id).update(status="running", heartbeat_at=now())
    assert "Unstick" not in page_of(agent["id"])


def test_the_list_says_who_is_stuck(agent: dict[str, Any]) -> None:
    tell(agent["id"])
    assert "finished" in Client().get("/").content.decode()
    lose_run()
    with CaptureQueriesContext(connection) as queries:
        assert "stuck" in Client().get("/").content.decode()
    one = len(queries)
    Agent.objects.filter(pk=agent["id"]).update(name="again")
    for n in range(3):
        row = Agent.objects.get(pk=agent["id"])
        row.pk, row._state.adding = f"agent-{n}1111111-1111-4111-8111-111111111111", True
        row.save()
    with CaptureQueriesContext(connection) as queries:
        Client().get("/")
    assert len(queries) == one


def test_an_agent_without_trouble_is_told_so(agent: dict[str, Any]) -> None:
    _, after = press(f"/agents/{agent['id']}/unstick")
    assert "nothing to put right" in after


def test_strangers_cannot_look_after_an_agent(foreign_agent: dict[str, Any]) -> None:
    for path in ("unstick", "compact", "compactions/1/undo"):
        answer, _ = press(f"/agents/{foreign_agent['id']}/{path}")
        assert answer.status_code == 404, path


# --- summaries -------------------------------------------------------------------------------


def fill(agent_id: str, turns: int = 4) -> None:
    for n in range(turns):
        tell(agent_id, f"I like dish number {n}.")


def test_the_window_is_shortened_and_taken_back(agent: dict[str, Any]) -> None:
    fill(agent["id"])
    answer, after = press(f"/agents/{agent['id']}/compact")
    assert answer.status_code == 302
    row = Compaction.objects.get()
    assert f"{len(row.message_ids)} messages summarised" in after
    assert f"{row.tokens_before:,} → {row.tokens_after:,}" in after
    undo = f"/agents/{agent['id']}/compactions/{row.seq}/undo"
    assert undo in after

    answer, after = press(undo, HX_Request="true")
    assert answer.headers["HX-Refresh"] == "true"
    assert undo not in after and "undone" in after
    assert "are in the window again" in after
    assert Conversation.objects.get().summary_message_id is None
    _, after = press(undo)
    assert "not the latest change of the window" in after


def test_only_the_latest_compaction_can_be_taken_back(agent: dict[str, Any]) -> None:
    for _ in range(2):
        fill(agent["id"], 3)
        press(f"/agents/{agent['id']}/compact")
    first, second = Compaction.objects.order_by("seq")
    shown = page_of(agent["id"])
    assert f"/compactions/{second.seq}/undo" in shown
    assert f"/compactions/{first.seq}/undo" not in shown


def test_nothing_to_shorten_is_said(agent: dict[str, Any]) -> None:
    _, after = press(f"/agents/{agent['id']}/compact")
    assert "Summarising would not shorten the window" in after
    assert not Compaction.objects.exists()


def test_a_full_workspace_costs_few_queries(agent: dict[str, Any]) -> None:
    for _ in range(2):
        fill(agent["id"])
        press(f"/agents/{agent['id']}/compact")
    client = Client()
    client.get(f"/agents/{agent['id']}")
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(f"/agents/{agent['id']}")
    asked = [one for one in queries if "SAVEPOINT" not in one["sql"]]
    assert len(asked) <= MAX_QUERIES, "\n".join(one["sql"][:150] for one in asked)
    assert len(answer.content) <= 100 * 1024


def test_why_a_provider_refused_a_request_can_be_read_on_the_page(agent: dict[str, Any]) -> None:
    tell(agent["id"])
    error = {"kind": "llm_bad_request", "message": "refused the request", "detail": "No <b> here."}
    Run.objects.update(status="failed", error={**error, "todo": "See detail."})
    assert "No &lt;b&gt; here." in page_of(agent["id"])
