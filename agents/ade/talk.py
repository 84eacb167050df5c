"""What a person writes to an agent, as the runner takes it."""

from typing import Any

from agents.types import InputMessage, Role, RunInput, TextPart


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
