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
        import_module("agents.tools.errands").open_door(_errand)
        post_migrate.connect(make_default_tenant, sender=self)


async def _errand(actor: Any, asked: dict[str, Any]) -> dict[str, Any]:
    # Only when a tool asks: the application loads every page and route.
    app = import_module("letta_site.asgi").api_application
    answer: dict[str, Any] = await import_module("letta_site.errands").carry_out(app, actor, asked)
    return answer


def make_default_tenant(**_signal: Any) -> None:
    """Make the default organisation and user, so that commands need no server to have run."""
    import_module("letta_site.auth").default_tenant()
