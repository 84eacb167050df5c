"""`manage.py check`: settings that are each fine and together are not."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register


@register(Tags.security)
def settings_fit_together(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001
    """Explain each pair of settings that does not work out."""
    return [message for rule in RULES for message in rule()]


def _open_to_more_than_this_machine() -> list[CheckMessage]:
    named = [host for host in settings.ALLOWED_HOSTS if host not in settings.LOOPBACK_HOSTS]
    if not named or settings.SERVER_PASSWORD:
        return []
    return [
        Warning(
            f"LETTA_ALLOWED_HOSTS names {', '.join(named)}, but no LETTA_SERVER_PASSWORD is set.",
            hint="Unless users can sign in, other machines get 403: set a password.",
            id="letta.W001",
        )
    ]


def _any_host() -> list[CheckMessage]:
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    return [
        Error(
            "LETTA_ALLOWED_HOSTS is *: any web page could reach this server by DNS rebinding.",
            hint="Name the hosts.",
            id="letta.E001",
        )
    ]


def _origins_with_scheme() -> list[CheckMessage]:
    wrong = [
        origin
        for origin in settings.ACCEPTABLE_ORIGINS
        if not origin.startswith(("http://", "https://")) or origin.count("/") != 2
    ]
    if not wrong:
        return []
    return [
        Error(
            f"ACCEPTABLE_ORIGINS holds {', '.join(wrong)}, which no browser sends as an Origin.",
            hint="Write scheme://host or scheme://host:port, without a path.",
            id="letta.E002",
        )
    ]


def _debug_in_the_open() -> list[CheckMessage]:
    if not (settings.DEBUG and settings.BEHIND_TLS):
        return []
    return [
        Warning(
            "LETTA_DEBUG and LETTA_BEHIND_TLS are both on: error pages show settings and code.",
            hint="Turn LETTA_DEBUG off on a server that others reach.",
            id="letta.W002",
        )
    ]


def _short_password() -> list[CheckMessage]:
    if not settings.SERVER_PASSWORD or len(settings.SERVER_PASSWORD) >= 12:
        return []
    return [
        Warning(
            "LETTA_SERVER_PASSWORD has fewer than 12 characters.",
            hint="Ten guesses a minute are allowed; choose a longer one.",
            id="letta.W003",
        )
    ]


RULES = (
    _open_to_more_than_this_machine,
    _any_host,
    _origins_with_scheme,
    _debug_in_the_open,
    _short_password,
)
