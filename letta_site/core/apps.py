"""The app of the ground floor."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Organisations, users and providers."""

    name = "letta_site.core"
    label = "core"
    verbose_name = "People and providers"
    default_auto_field = "django.db.models.BigAutoField"
