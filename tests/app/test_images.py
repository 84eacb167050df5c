"""Pictures in messages: in the request, or fetched from where it points to."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from agents.models import Run
from tests.app.conftest import Api
from tests.app.posting import send
from tests.app.test_messages import agent, history  # noqa: F401
from tests.fakes.openai_server import FakeOpenAI

pytestmark = pytest.mark.django_db(transaction=True)

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class _Gallery(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/moved":
            self._send(302, b"", "text/html", location="/pixel.png")
        elif self.path == "/loop":
            self._send(302, b"", "text/html", location="/loop")
        elif self.path == "/away":
            self._send(302, b"", "text/html", location="ftp://elsewhere/x.png")
        elif self.path == "/page":
            self._send(200, b"<html>", "text/html")
        elif self.path == "/large.png":
            self._send(200, b"x" * 5000, "image/png")
        elif self.path == "/pixel.png":
            self._send(200, PIXEL, "image/png; charset=binary")
        else:
            self._send(404, b"", "text/plain")

    def _send(self, status: int, data: bytes, kind: str, location: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gallery() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Gallery)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def picture(url: str) -> dict[str, Any]:
    image = {"type": "image", "source": {"type": "url", "url": url}}
    return {"input": [{"type": "text", "text": "Look."}, image]}


@pytest.mark.parametrize("path", ["/pixel.png", "/moved"])
def test_a_picture_is_fetched_once_and_kept(
    api: Api,
    agent: Any,  # noqa: F811
    openai: FakeOpenAI,
    gallery: str,
    settings: Any,
    path: str,
) -> None:
    settings.ALLOW_PRIVATE_PICTURES = True
    assert send(agent["id"], picture(gallery + path)).status_code == 200
    inline = f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
    sent = openai.chats[0]["messages"][-1]["content"]
    assert sent[1]["image_url"]["url"] == inline
    source = history(api, agent)[1]["content"][1]["source"]
    assert (source["type"], source["media_type"]) == ("base64", "image/png")


@pytest.mark.parametrize("path", ["/loop", "/away", "/page", "/large.png", "/nothing"])
def test_what_cannot_be_fetched_is_said(
    agent: Any,  # noqa: F811
    gallery: str,
    settings: Any,
    path: str,
) -> None:
    settings.ALLOW_PRIVATE_PICTURES = True
    settings.MAX_PICTURE_BYTES = 1000
    assert send(agent["id"], picture(gallery + path)).status_code == 400
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("kind", "data"),
    [("image/png", "!!!"), ("image/png", ""), ("image/png", "QQ"), ("text/html", "QUFB")],
)
def test_what_no_provider_reads_does_not_get_into_the_history(
    api: Api,
    agent: Any,  # noqa: F811
    kind: str,
    data: str,
) -> None:
    source = {"type": "base64", "media_type": kind, "data": data}
    answer = send(agent["id"], {"input": [{"type": "image", "source": source}]})
    assert answer.status_code == 400
    assert answer.json()["what"] and answer.json()["todo"]
    assert len(history(api, agent)) == 1 and not Run.objects.exists()


def test_another_name_and_line_breaks_do_no_harm(agent: Any, openai: FakeOpenAI) -> None:  # noqa: F811
    data = base64.encodebytes(PIXEL).decode()
    source = {"type": "base64", "media_type": "image/jpg", "data": data}
    assert send(agent["id"], {"input": [{"type": "image", "source": source}]}).status_code == 200
    (part,) = openai.chats[0]["messages"][-1]["content"]
    plain = base64.b64encode(PIXEL).decode()
    assert part["image_url"]["url"] == f"data:image/jpeg;base64,{plain}"


def test_a_private_address_is_not_entered(agent: Any, gallery: str) -> None:  # noqa: F811
    answer = send(agent["id"], picture(f"{gallery}/pixel.png"))
    assert answer.status_code == 400
    assert "private network" in answer.json()["detail"]
