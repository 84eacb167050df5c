"""The roof as an app: what has to happen when everything below it is loaded."""

from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class SiteConfig(AppConfig):
    """Registers the checks of settings, and sees that a fresh database has its default owner."""

    name = "letta_site"
    label = "site"

    def ready(self) -> None:
        """Load what needs the models of the apps below, which are there only now."""
        import_module("letta_site.checks")
        post_migrate.connect(make_default_tenant, sender=self)


def make_default_tenant(**_signal: Any) -> None:
    """Make the default organisation and user, so that commands need no server to have run."""
    import_module("letta_site.auth").default_tenant()
