"""How every route that edits a message answers. No operations here."""

from agents.engine.strategies import strategy_of
from agents.services import message_edits, message_lists
from agents.types import Json
from agents.wire.message_edits import MessageEdit
from agents.wire.messages import View, encode_history
from letta_site.core.types import Actor


def edit(actor: Actor, agent_id: str, message_id: str, given: MessageEdit) -> Json:
    """Edit a message of an agent and return what a client sees of it now."""
    agent_type = message_lists.agent_type_of(actor, agent_id)
    change = message_edits.MessageChange(given.message_type, given.parts())
    edited = message_edits.edit_message(actor, agent_id, message_id, change, agent_type=agent_type)
    view = View(text_is_reply=strategy_of(agent_type).reply == "text")
    shown = encode_history([edited], view)
    return next((one for one in shown if one["message_type"] == given.message_type), shown[0])
