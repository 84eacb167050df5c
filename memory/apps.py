"""The memory app."""

from django.apps import AppConfig


class MemoryConfig(AppConfig):
    """See docs/architecture.md."""

    name = "memory"
    default_auto_field = "django.db.models.BigAutoField"
