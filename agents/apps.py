"""The agents app."""

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """See docs/architecture.md."""

    name = "agents"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the services which built-in tools the room above them has."""
        # Here, not above: the models that both import are not there before now.
        from agents.services.tool_seed import offer
        from agents.tools.builtin import BUILTIN

        offer(tool.spec for tool in BUILTIN.values())
