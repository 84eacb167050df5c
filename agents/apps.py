"""The agents app."""

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """See docs/architecture.md."""

    name = "agents"
    default_auto_field = "django.db.models.BigAutoField"
