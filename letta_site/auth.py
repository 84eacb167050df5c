"""Who asks. Decided here once, for the API, for pages and for WebSockets alike.

Three modes: open (no password, no account: whoever sits at this machine), password
(`LETTA_SERVER_PASSWORD`) and accounts (users who can sign in). The `user_id` header of Letta's
server is never trusted: it let anybody be anybody.
"""

import hmac
import time
from collections import defaultdict, deque
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host
from django.utils.crypto import salted_hmac

from letta_site.core.errors import AppError, Forbidden, Unauthorized
from letta_site.core.ids import DEFAULT_ORG_ID, DEFAULT_USER_ID
from letta_site.core.models import Organization, User
from letta_site.core.types import Actor

OPERATOR = Actor(DEFAULT_ORG_ID, DEFAULT_USER_ID)
OPERATOR_NAME = "local-operator"
GUEST = "letta.guest"  # in the ASGI scope of a request that this process makes itself
SESSION_MARK = "letta_operator"
# The last is where a person comes back to from a sign-in elsewhere; its `state` is the proof.
OPEN_API_PATHS = frozenset({"health", "ready", "tools/mcp/oauth/callback"})
ACCOUNTS_AGE_S = 5.0
FAILURES_A_MINUTE = 10

_accounts: tuple[float, bool] | None = None
_failures: dict[str, deque[float]] = defaultdict(deque)


class TooManyFailures(AppError):
    """An address guessed too often; it waits a minute."""

    code = "TOO_MANY_ATTEMPTS"


def default_tenant() -> None:
    """Make the default organisation and its user, which everything belongs to in open mode."""
    with transaction.atomic():
        Organization.objects.get_or_create(pk=DEFAULT_ORG_ID)
        local_operator()


def local_operator() -> User:
    """Return the user that stands for whoever sits at this machine. Nobody can sign in as it."""
    defaults = {
        "username": OPERATOR_NAME,
        "is_staff": True,
        "is_superuser": True,
        "password": "!",
        "org": Organization.objects.get_or_create(pk=DEFAULT_ORG_ID)[0],
    }
    return User.objects.get_or_create(letta_id=DEFAULT_USER_ID, defaults=defaults)[0]


def accounts_known() -> bool:
    """Tell whether `has_accounts` would answer without asking the database."""
    return _accounts is not None and time.monotonic() - _accounts[0] < ACCOUNTS_AGE_S


def has_accounts() -> bool:
    """Tell whether anybody can sign in with a name and a password. Remembered for 5 s."""
    global _accounts
    if _accounts is None or not accounts_known():
        able = User.objects.filter(is_active=True).exclude(password__startswith="!")
        _accounts = (time.monotonic(), able.exclude(password="").exists())
    return _accounts[1]


@receiver([post_save, post_delete], sender=User)
def forget_accounts(**_: Any) -> None:
    """Ask the database again: a user was added, changed or deleted in this process."""
    global _accounts
    _accounts = None


def actor_of_user(user: User) -> Actor:
    """Return who a signed-in user is to the services."""
    return Actor(user.org_id, user.letta_id)


def actor_of(request: HttpRequest) -> Actor:
    """Return who asks. In API routes the same is `request.auth`. Raises Unauthorized."""
    actor: Actor | None = getattr(request, "actor", None)
    if actor is None:
        raise Unauthorized("This address needs a credential.")
    return actor


# --- the decision ------------------------------------------------------------------------------


def actor_for_api(request: HttpRequest) -> Actor:
    """Decide who calls the API. Raises Unauthorized, Forbidden, TooManyFailures."""
    guest: Actor | None = getattr(request, "scope", {}).get(GUEST)
    if guest is not None:
        return guest
    if credential := _credential(request):
        if settings.SERVER_PASSWORD:
            check_password(credential, address_of(request))
            return OPERATOR
    elif actor := actor_of_session(session_of(request)):
        return actor
    if settings.SERVER_PASSWORD or has_accounts():
        raise Unauthorized(
            "This server asks for a credential.",
            todo="Send Authorization: Bearer <LETTA_SERVER_PASSWORD>.",
        )
    return _local_only(address_of(request))


def actor_for_page(session: SessionBase | None, address: str) -> Actor | None:
    """Decide who looks at a page or opens a WebSocket; None means: sign in first."""
    if settings.SERVER_PASSWORD or has_accounts():
        return actor_of_session(session)
    return _local_only(address)


def _local_only(address: str) -> Actor:
    if not is_loopback(address):
        raise Forbidden(
            "Without a password this server answers to its own machine only.",
            todo="Set LETTA_SERVER_PASSWORD, or make a user with manage.py createsuperuser.",
        )
    return OPERATOR


def actor_of_session(session: SessionBase | None) -> Actor | None:
    """Return who signed in with this session, if anybody did."""
    if session is None or not session.session_key:
        return None
    if has_accounts():
        user = user_of_session(session)
        return actor_of_user(user) if user else None
    mark = session.get(SESSION_MARK, "")
    return OPERATOR if mark and hmac.compare_digest(mark, operator_mark()) else None


def user_of_session(session: SessionBase) -> User | None:
    """Return the active user who signed in, with the session's hash of the password checked."""
    request = HttpRequest()
    request.session = session  # type: ignore[assignment]
    user = get_user(request)
    return user if isinstance(user, User) else None


def operator_mark() -> str:
    """Return what a session holds after the password was given; another password, another mark."""
    return salted_hmac("letta.operator", settings.SERVER_PASSWORD).hexdigest()


def _credential(request: HttpRequest) -> str:
    bare = request.headers.get("X-Bare-Password", "")
    if bare.startswith("password "):
        return bare.removeprefix("password ").strip()
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def check_password(given: str, address: str) -> None:
    """Compare with the server's password. Raises Unauthorized, TooManyFailures."""
    check_failures(address)
    if not hmac.compare_digest(given.encode(), settings.SERVER_PASSWORD.encode()):
        note_failure(address)
        raise Unauthorized("The password is wrong.")


# --- failed attempts ---------------------------------------------------------------------------


def check_failures(address: str) -> None:
    """Raises TooManyFailures when an address failed ten times within the last minute."""
    recent = _failures.get(address)
    while recent and recent[0] < time.monotonic() - 60:
        recent.popleft()
    if recent and len(recent) >= FAILURES_A_MINUTE:
        raise TooManyFailures("Too many wrong passwords.", todo="Wait a minute, then try again.")
    if not recent:
        _failures.pop(address, None)


def note_failure(address: str) -> None:
    """Remember a wrong password."""
    _failures[address].append(time.monotonic())


def forget_failures() -> None:
    """Start counting anew."""
    _failures.clear()


# --- where a request comes from ----------------------------------------------------------------


def address_of(request: HttpRequest) -> str:
    """Return the address of the peer's socket; empty when there is none."""
    return str(request.META.get("REMOTE_ADDR") or "")


def is_loopback(address: str) -> bool:
    """Tell whether an address is of this machine itself."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def is_own_origin(origin: str, host: str) -> bool:
    """Tell whether a page of this server, or of a named friend, sent the request."""
    if origin in settings.ACCEPTABLE_ORIGINS:
        return True
    scheme, _, place = origin.partition("://")
    return scheme in ("http", "https") and place.lower() == host.lower()


def session_of(request: HttpRequest) -> SessionBase | None:
    """Return the session of a request, with or without Django's session middleware."""
    made: SessionBase | None = getattr(request, "session", None)
    return made or _session(request.COOKIES.get(settings.SESSION_COOKIE_NAME))


def _session(key: str | None) -> SessionBase | None:
    engine = import_module(settings.SESSION_ENGINE)
    return engine.SessionStore(key) if key else None


# --- WebSockets --------------------------------------------------------------------------------


def actor_of_socket(scope: dict[str, Any]) -> Actor | None:
    """Decide who opens a WebSocket; None when they may not."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    host, origin = headers.get(b"host", ""), headers.get(b"origin", "")
    domain, _ = split_domain_port(host)
    if not validate_host(domain, settings.ALLOWED_HOSTS) or not is_own_origin(origin, host):
        return None
    address = (scope.get("client") or [""])[0]
    try:
        return actor_for_page(_session(_session_key(headers.get(b"cookie", ""))), address)
    except AppError:
        return None


def _session_key(cookies: str) -> str | None:
    try:
        found = SimpleCookie(cookies).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return None
    return found.value if found else None
