"""`manage.py serve` and the ASGI application around Django."""

import asyncio
import json
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection

import pytest

from agents.management.backups import KEPT, back_up
from letta_site import asgi
from tests.product import ROOT, Product, clean_environment, free_port


def serve(folder, *arguments, **environment):
    """Run the command until it ends by itself; for starts that must not succeed."""
    return subprocess.run(
        [sys.executable, "manage.py", "serve", *arguments],
        cwd=ROOT,
        env=clean_environment(folder, {"LETTA_PG_URI": "", **environment}),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_another_address_without_a_password_is_refused(tmp_path):
    ended = serve(tmp_path, "--host", "0.0.0.0", "--port", str(free_port()))
    assert ended.returncode == 2
    assert "LETTA_SERVER_PASSWORD" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_taken_port_is_one_clear_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = serve(tmp_path, "--port", str(port))
    assert ended.returncode == 1
    (line,) = ended.stderr.strip().splitlines()
    assert str(port) in line and "--port" in line


def test_a_wrong_setting_is_one_clear_line(tmp_path):
    ended = serve(tmp_path, LETTA_MAX_BODY_MB="many")
    assert ended.returncode != 0
    assert ended.stderr.strip().splitlines()[-1].endswith("write a whole number of at least 1.")


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serve")
    running = Product(folder, {"LETTA_PG_URI": "", "LETTA_MAX_BODY_MB": "1"})
    running.start()
    yield running
    running.stop()


def ask(product, method, path, body=None, **headers):
    """Return status, headers and body of one request to the running product."""
    connection = HTTPConnection("127.0.0.1", product.port, timeout=20)
    with closing(connection):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, names)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def test_it_serves_pages_api_and_admin(product):
    for path in ("/", "/admin/", "/v1/agents/", "/v1/health", "/static/ade.css"):
        assert ask(product, "GET", path)[0] == 200, path


def test_its_name_is_not_told(product):
    assert "server" not in ask(product, "GET", "/v1/health/")[1]


def test_the_log_says_where(product):
    assert f"http://localhost:{product.port}" in product.log_path.read_text()
    assert "Traceback" not in product.log_path.read_text()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_cut_off(product, chunked):
    large = b'{"label": "x", "value": "' + b"y" * 2_000_000 + b'"}'
    body = (large[at : at + 50_000] for at in range(0, len(large), 50_000)) if chunked else large
    status, _, told = ask(product, "POST", "/v1/blocks/", body, Content_Type="application/json")
    assert (status, json.loads(told)["code"]) == (413, "TOO_LARGE")
    assert ask(product, "GET", "/v1/blocks/")[2] == b"[]"


def test_a_socket_of_a_foreign_page_is_refused(product):
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{free_port()}"):
        assert ask(product, "GET", "/ws/agents/x", Origin=origin, **upgrade)[0] == 403


def test_data_is_backed_up_before_it_changes(tmp_path):
    product = Product(tmp_path, {"LETTA_PG_URI": ""})
    product.start()
    product.stop()
    assert not (tmp_path / "backups").exists()
    with closing(sqlite3.connect(tmp_path / "letta.sqlite3")) as database:
        database.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
        database.execute("DROP TABLE django_session")
        database.commit()
    product.start()
    product.stop()
    (copy,) = (tmp_path / "backups").iterdir()
    with closing(sqlite3.connect(copy)) as kept:
        tables = {name for (name,) in kept.execute("SELECT name FROM sqlite_master")}
    assert "agents_agent" in tables and "django_session" not in tables
    assert (copy.stat().st_mode & 0o077) == 0


def test_only_the_newest_copies_are_kept(tmp_path):
    source = tmp_path / "letta.sqlite3"
    with closing(sqlite3.connect(source)) as database:
        database.execute("CREATE TABLE t (x)")
    copies = [back_up(source, tmp_path / "backups") for _ in range(KEPT + 2)]
    assert sorted((tmp_path / "backups").iterdir()) == copies[-KEPT:]


# --- without a server --------------------------------------------------------------------------


def scope(**headers: str):
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "path": "/v1/blocks/", "headers": pairs}


async def swallow(_scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200})


def answer_of(app, given, *pieces: bytes):
    waiting = [{"type": "http.request", "body": one, "more_body": True} for one in pieces]
    waiting.append({"type": "http.request", "body": b"", "more_body": False})
    sent = []

    async def receive():
        return waiting.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(app(given, receive, send))
    return sent[0]["status"], len(waiting)


def test_bodies_are_counted_while_they_come_in(settings):
    settings.MAX_BODY_BYTES = 10
    app = asgi.BodyCap(swallow)
    assert answer_of(app, scope(), b"12345", b"67890") == (200, 0)
    status, unread = answer_of(app, scope(), b"12345", b"678901", b"never read")
    assert (status, unread) == (413, 2)
    assert answer_of(app, scope(content_length="11"))[0] == 413


def test_start_up_work_is_done_once_and_again_after_it_failed(monkeypatch):
    calls = []

    async def start():
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("the database is away")

    monkeypatch.setattr(asgi, "_start", start)
    site = asgi.Site(swallow)

    async def requests():
        with pytest.raises(RuntimeError):
            await site.start()
        await asyncio.gather(site.start(), site.start())
        await site.start()

    asyncio.run(requests())
    assert len(calls) == 2


def test_the_lifespan_of_other_servers(monkeypatch):
    async def start():
        pass

    monkeypatch.setattr(asgi, "_start", start)
    sent = []

    async def receive():
        return {}

    async def send(message):
        sent.append(message["type"])

    asyncio.run(asgi.Site(swallow)({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_which_addresses_may_be_listened_on(db, settings):
    site = asgi.Site(swallow)
    for host in ("127.0.0.1", "::1", "localhost", "127.8.9.1"):
        assert site.refusal(host) == ""
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org"):
        assert "LETTA_SERVER_PASSWORD" in site.refusal(host)
    settings.SERVER_PASSWORD = "a long password"
    assert site.refusal("0.0.0.0") == ""
