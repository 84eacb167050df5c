"""What a person writes to an agent, as the runner takes it."""

from collections.abc import Sequence
from typing import Any

from agents.types import InputMessage, Role, RunInput, TextPart

MAX_REASON_CHARS = 2_000


def say_to_agent(agent_id: str, cleaned: dict[str, Any]) -> RunInput:
    """Return the request for one message of a valid MessageForm, to be streamed."""
    role: Role = "system" if cleaned.get("role") == "system" else "user"
    text = cleaned["text"].replace("\r\n", "\n")
    message = InputMessage(role, (TextPart(text),), otid=cleaned.get("cid") or None)
    return RunInput(
        agent_id=agent_id,
        messages=(message,),
        stream_tokens=True,
        metadata={"run_type": "ade_message"},
    )


def answer_agent(agent_id: str, given: dict[str, Sequence[str]]) -> RunInput:
    """Return the answer to calls that wait, out of the lists of values of its form.

    `all` are the ids of the calls; of several, those in `call` are agreed to, if `verdict` is
    "approve".
    """
    calls = list(dict.fromkeys(given.get("all", ())))
    agreed = set(calls if len(calls) == 1 else given.get("call", ()))
    if list(given.get("verdict", ())) != ["approve"]:
        agreed = set()
    reason = next(iter(given.get("reason", ())), "").strip()[:MAX_REASON_CHARS] or None
    answers = tuple(
        {"type": "approval", "tool_call_id": one, "approve": one in agreed, "reason": reason}
        for one in calls
    )
    message = InputMessage("approval", approvals=answers)
    return RunInput(
        agent_id=agent_id,
        messages=(message,),
        stream_tokens=True,
        metadata={"run_type": "ade_answer"},
    )
