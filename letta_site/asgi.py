"""The ASGI application: what starts once, how large a body may be, whose WebSocket it is."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "letta_site.settings")
# WhiteNoise warns of a folder that is not there, though it serves from where the files are.
settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
django_application = get_asgi_application()  # before models are imported

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.core.handlers.asgi import ASGIHandler  # noqa: E402
from django.db import DatabaseError  # noqa: E402

from agents.ade.routing import websocket_urlpatterns  # noqa: E402
from agents.runtime import boot  # noqa: E402
from letta_site import auth, errors  # noqa: E402
from letta_site.core.aio import in_db  # noqa: E402
from letta_site.core.bodies import body_limit, limit_variable  # noqa: E402
from memory.runtime import ingest  # noqa: E402

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class ApiHandler(ASGIHandler):
    """Django for the API: only our own two middlewares.

    Sessions, languages, forms and messages are for pages, and each of those middlewares costs two
    changes of thread: 6 ms of processor time a request in all, against 1.5 ms without them.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        """Load what is ours of the middlewares in the settings."""
        whole = settings.MIDDLEWARE
        settings.MIDDLEWARE = [name for name in whole if name.startswith("letta_site.")]
        try:
            super().load_middleware(is_async)
        finally:
            settings.MIDDLEWARE = whole


api_application = ApiHandler()


class ByPath:
    """Hands the API to one application, pages to the other."""

    def __init__(self, *, api: App, pages: App) -> None:
        self._api = api
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        chosen = self._api if scope["path"].startswith(errors.API_ROOTS) else self._pages
        await chosen(scope, receive, send)


class Site:
    """Starts the product before the first scope is served: Daphne has no lifespan."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._started: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        await self.start()
        await self._app(scope, receive, send)

    async def start(self) -> None:
        """Do the start-up work unless it is done; a server may call this before it listens."""
        if self._started is None or (self._started.done() and self._started.exception()):
            self._started = asyncio.get_running_loop().create_task(_start())
        await asyncio.shield(self._started)

    def refusal(self, host: str) -> str:
        """Return why this must not listen on `host`, or an empty string."""
        if auth.is_loopback(host) or host == "localhost":
            return ""
        if settings.SERVER_PASSWORD or _anybody_can_sign_in():
            return ""
        return (
            f"Refusing to listen on {host}: without a password everybody who reaches this port "
            "could read and change everything.\n"
            "Set LETTA_SERVER_PASSWORD, or make a user with `manage.py createsuperuser`."
        )

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})


def _anybody_can_sign_in() -> bool:
    try:
        return auth.has_accounts()
    except DatabaseError:
        return False  # there are no tables yet


async def _start() -> None:
    await in_db(auth.default_tenant)
    await boot.start()
    await ingest.start()


class BodyTooLarge(Exception):
    """More came in than a body may hold."""


class BodyCap:
    """Cuts off bodies that are too large for their path, whether they say their length or not."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = body_limit(scope["path"])
        try:
            _check_length(scope, limit)
            await self._app(scope, _counted(receive, limit), send)
        except BodyTooLarge:
            await _send_too_large(send, scope["path"])


def _check_length(scope: Scope, limit: int) -> None:
    length = dict(scope["headers"]).get(b"content-length", b"0")
    if length.isdigit() and int(length) > limit:
        raise BodyTooLarge


def _counted(receive: Receive, limit: int) -> Receive:
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body") or b"")
        if received > limit:
            raise BodyTooLarge
        return message

    return counted


async def _send_too_large(send: Send, path: str) -> None:
    what = f"The body is larger than {body_limit(path) // 1024 // 1024} MB."
    todo = f"Send less at once, or raise {limit_variable(path)}."
    body = {"detail": f"TOO_LARGE: {what}", "code": "TOO_LARGE", "what": what, "todo": todo}
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


class SocketGate:
    """Lets a WebSocket in when its page is ours and its user may see it; see `auth`."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        actor = await in_db(auth.actor_of_socket, dict(scope))
        if actor is None:
            await receive()
            await send({"type": "websocket.close", "code": 4403})
            return
        await self._app({**scope, "actor": actor}, receive, send)


application = Site(
    ProtocolTypeRouter(
        {
            "http": BodyCap(ByPath(api=api_application, pages=django_application)),
            "websocket": SocketGate(URLRouter(websocket_urlpatterns)),
        }
    )
)
