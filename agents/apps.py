"""The agents app."""

from importlib import import_module
from typing import Any

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """See docs/architecture.md."""

    name = "agents"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the lower rooms what the rooms above them have."""
        # Here, not above: the models that both import are not there before now.
        from agents.runtime.callbacks import encode_with
        from agents.services.folder_links import leave_folder, open_ready_file
        from agents.services.tool_seed import offer
        from agents.tools.builtin import BUILTIN
        from memory.services import folder_news

        offer(tool.spec for tool in BUILTIN.values())
        encode_with(_result_encoder)
        folder_news.listen(file_ready=open_ready_file, folder_leaving=leave_folder)


def _result_encoder() -> Any:
    # Only when a callback is due: the wire classes would delay every start.
    return import_module("agents.wire.results").encode_result
