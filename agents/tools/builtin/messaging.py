"""Speaking."""

from agents.engine.prompt import SENT
from agents.tools.base import CORE, builtin, string
from agents.types import Json, ToolContext, ToolOutcome


@builtin(
    "send_message",
    CORE,
    "Say something to the user. They see nothing of what you write elsewhere.",
    {"message": string("What the user reads. Any language; emoji are fine.")},
)
async def send_message(_arguments: Json, _context: ToolContext) -> ToolOutcome:
    """The words themselves are in the call; whoever shows the history takes them from there."""
    return ToolOutcome(SENT)


TOOLS = (send_message,)
