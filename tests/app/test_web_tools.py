"""The built-in tools that reach out or compute: web_search, fetch_webpage, run_code."""

from __future__ import annotations

import gzip
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from agents.models import Tool
from tests.app.company import make
from tests.app.conftest import Api
from tests.app.posting import play, post

pytestmark = pytest.mark.django_db(transaction=True)

ARTICLE = (
    "<html><head><title>Otters</title><meta charset='utf-8'></head><body><nav>Menu Home About"
    "</nav><article><h1>On otters</h1>"
    + "<p>Otters hold hands while they sleep, so that they do not drift apart, é. </p>"
    * 12
    + "<p>See <a href='https://example.org/rivers'>rivers</a>.</p></article>"
    "<script>alert(1)</script></body></html>"
)


class Site:
    """A scripted web server on loopback: `pages` by path, `asked` what came in."""

    def __init__(self) -> None:
        self.pages: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                headers = {name.lower(): value for name, value in self.headers.items()}
                site.asked.append((self.path, headers, body))
                page = site.pages.get(self.path.partition("?")[0])
                if page:
                    page(self)
                else:
                    self.send_error(404)

            do_GET = do_POST = answer

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def show(self, path: str, body: str | bytes, kind: str = "text/html", **headers: str) -> str:
        data = body.encode() if isinstance(body, str) else body
        more = {name.replace("_", "-"): value for name, value in headers.items()}

        def page(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(302 if "Location" in more else 200)
            for name, value in {"Content-Type": kind, **more}.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data)

        self.pages[path] = page
        return f"{self.url}{path}"

    def refuse(self, path: str, status: int) -> None:
        self.pages[path] = lambda handler: handler.send_error(status)


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()
    thread = threading.Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


@pytest.fixture
def agent(api: Api) -> Any:
    api.send("POST", "/v1/tools/add-base-tools")
    names = ("web_search", "fetch_webpage", "run_code")
    ids = list(Tool.objects.filter(name__in=names).values_list("pk", flat=True))
    return make(api, model="letta/demo", tool_ids=ids, secrets={"OTHER": "x"})


def use(agent: Any, tool_name: str, **args: Any) -> Any:
    path = f"/v1/agents/{agent['id']}/tools/{tool_name}/run"
    answer = play(lambda: post(path, {"args": args}))
    assert answer.status_code == 200, answer.content
    return answer.json()


def failure(agent: Any, tool_name: str, **args: Any) -> str:
    done = use(agent, tool_name, **args)
    assert done["status"] == "error", done
    return str(done["stderr"])


# --- fetch_webpage -----------------------------------------------------------------------------


def test_they_are_rows_like_the_other_built_in_tools(api: Api) -> None:
    rows = api.send("POST", "/v1/tools/add-base-tools").json()
    types = {row["name"]: row["tool_type"] for row in rows}
    wanted = ("web_search", "fetch_webpage", "run_code")
    assert {types[name] for name in wanted} == {"letta_builtin"}


def test_a_page_is_read_without_its_menu(agent: Any, site: Site, settings: Any) -> None:
    settings.ALLOW_PRIVATE_WEB = True
    text = use(agent, "fetch_webpage", url=site.show("/otters", ARTICLE))["func_return"]
    assert "Otters hold hands" in text and "apart, é" in text
    assert "[rivers](https://example.org/rivers)" in text
    assert "Menu Home" not in text and "alert" not in text


def test_plain_text_is_returned_as_it_is(agent: Any, site: Site, settings: Any) -> None:
    settings.ALLOW_PRIVATE_WEB = True
    url = site.show("/a.txt", "grüße".encode("latin-1"), "text/plain; charset=latin-1")
    assert use(agent, "fetch_webpage", url=url)["func_return"] == "grüße"


@pytest.mark.parametrize(
    ("body", "kind", "why"),
    [
        (b"%PDF-1.7", "application/pdf", "application/pdf"),
        (b"", "text/html", "empty"),
        (b"<html><body><script>1</script></body></html>", "text/html", "no text"),
        (b"x" * 3_000_000, "text/plain", "larger than"),
    ],
)
def test_what_is_no_page_is_told(
    agent: Any, site: Site, settings: Any, body: bytes, kind: str, why: str
) -> None:
    settings.ALLOW_PRIVATE_WEB = True
    assert why in failure(agent, "fetch_webpage", url=site.show("/x", body, kind))


def test_a_body_that_unpacks_to_too_much_is_cut_off(agent: Any, site: Site, settings: Any) -> None:
    settings.ALLOW_PRIVATE_WEB = True
    packed = gzip.compress(b"x" * 50_000_000)
    url = site.show("/bomb", packed, "text/plain", Content_Encoding="gzip")
    assert "larger than" in failure(agent, "fetch_webpage", url=url)


def test_a_body_that_trickles_is_given_up(agent: Any, site: Site, settings: Any) -> None:
    settings.ALLOW_PRIVATE_WEB = True
    settings.WEB_TIMEOUT_S = 1
    released = threading.Event()

    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain")
        handler.end_headers()
        released.wait(30)

    site.pages["/slow"] = trickle
    assert "did not answer" in failure(agent, "fetch_webpage", url=f"{site.url}/slow")
    released.set()


def test_a_private_address_is_not_entered(agent: Any, site: Site) -> None:
    assert "private network" in failure(agent, "fetch_webpage", url=site.show("/", ARTICLE))
    assert site.asked == []


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a/", "data:text/html,hi", "javascript:1", "//x", ""]
)
def test_odd_schemes_are_refused(agent: Any, url: str) -> None:
    assert "not an http or https address" in failure(agent, "fetch_webpage", url=url)


def test_a_redirect_into_a_private_network_is_not_followed(
    agent: Any, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first hop's name counts as public; the hop that it leads to does not."""
    judge = "letta_site.core.fetch.is_within"
    port = site.server.server_port
    site.show("/hop", "", Location=f"http://127.0.0.2:{port}/inside")
    site.show("/inside", "secret", "text/plain")
    monkeypatch.setattr(judge, lambda address, reach: address == "127.0.0.1")
    assert "private network" in failure(agent, "fetch_webpage", url=f"{site.url}/hop")
    assert [path for path, *_ in site.asked] == ["/hop"]


def test_the_connection_goes_to_the_address_that_was_judged(
    agent: Any, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that means something else at each look-up is looked up once."""
    looked_up: list[str] = []

    async def resolve(host: str, _port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1" if len(looked_up) == 1 else "169.254.169.254"]

    monkeypatch.setattr("letta_site.core.fetch._resolve", resolve)
    monkeypatch.setattr("letta_site.core.fetch.is_within", lambda address, reach: True)
    site.show("/", "reached", "text/plain")
    url = f"http://rebinding.example:{site.server.server_port}/"
    assert use(agent, "fetch_webpage", url=url)["func_return"] == "reached"
    assert looked_up == ["rebinding.example"]
    assert site.asked[0][1]["host"] == f"rebinding.example:{site.server.server_port}"


# --- web_search --------------------------------------------------------------------------------


EXA = {"results": [{"title": "T", "url": "https://a.org/1", "highlights": ["one", "two"]}]}
TAVILY = {"results": [{"title": "T", "url": "https://a.org/1", "content": "one ... two"}]}
BRAVE = {"web": {"results": [{"title": "T", "url": "https://a.org/1", "description": "one"}]}}
SEARXNG = {"results": [{"title": "T", "url": "https://a.org/1", "content": "one"}]}


@pytest.mark.parametrize(
    ("name", "path", "answer", "header"),
    [
        ("EXA", "/search", EXA, ("x-api-key", "k-1")),
        ("TAVILY", "/search", TAVILY, ("authorization", "Bearer k-1")),
        ("BRAVE", "/res/v1/web/search", BRAVE, ("x-subscription-token", "k-1")),
        ("SEARXNG", "/search", SEARXNG, ("accept", "application/json")),
    ],
)
def test_each_service_is_asked_in_its_own_way(
    agent: Any,
    site: Site,
    settings: Any,
    name: str,
    path: str,
    answer: Any,
    header: tuple[str, str],
) -> None:
    keys = {} if name == "SEARXNG" else {f"{name}_API_KEY": "k-1"}
    settings.PROVIDER_VARIABLES = {f"{name}_BASE_URL": site.url, **keys}
    site.show(path, json.dumps(answer), "application/json")
    found = json.loads(use(agent, "web_search", query="otters", num_results=3)["func_return"])
    assert found["results"][0]["url"] == "https://a.org/1"
    assert found["results"][0]["text"].startswith("one")
    asked, headers, body = site.asked[0]
    assert headers[header[0]] == header[1]
    assert "otters" in asked if body is None else body["query"] == "otters"


def test_domains_are_kept_to_whatever_the_service_does(
    agent: Any, site: Site, settings: Any
) -> None:
    settings.PROVIDER_VARIABLES = {"SEARXNG_BASE_URL": site.url}
    urls = ["https://a.org/1", "https://sub.a.org/2", "https://nota.org/3"]
    rows = [{"title": "T", "url": url, "content": ""} for url in urls]
    site.show("/search", json.dumps({"results": rows}), "application/json")
    told = use(agent, "web_search", query="q", include_domains=["a.org"], user_location="DE")
    found = json.loads(told["func_return"])
    assert [row["url"] for row in found["results"]] == urls[:2]
    assert found["ignored"] == ["user_location"]


def test_without_a_key_the_error_says_what_to_set(agent: Any, settings: Any) -> None:
    settings.PROVIDER_VARIABLES = {}
    told = failure(agent, "web_search", query="q")
    for name in ("EXA_API_KEY", "TAVILY_API_KEY", "BRAVE_API_KEY", "SEARXNG_BASE_URL"):
        assert name in told


@pytest.mark.parametrize(
    ("status", "why"), [(401, "valid EXA_API_KEY"), (429, "too many"), (500, "500")]
)
def test_a_service_that_refuses_is_told(
    agent: Any, site: Site, settings: Any, status: int, why: str
) -> None:
    settings.PROVIDER_VARIABLES = {"EXA_BASE_URL": site.url, "EXA_API_KEY": "k-secret"}
    site.refuse("/search", status)
    told = failure(agent, "web_search", query="q")
    assert why in told and "k-secret" not in told


def test_an_agents_own_key_is_used(api: Api, site: Site, settings: Any) -> None:
    settings.PROVIDER_VARIABLES = {"EXA_BASE_URL": site.url, "EXA_API_KEY": "k-server"}
    site.show("/search", json.dumps(EXA), "application/json")
    api.send("POST", "/v1/tools/add-base-tools")
    tool = Tool.objects.get(name="web_search")
    agent = make(api, model="letta/demo", tool_ids=[tool.pk], secrets={"EXA_API_KEY": "k-own"})
    use(agent, "web_search", query="q")
    assert site.asked[0][1]["x-api-key"] == "k-own"


# --- run_code ----------------------------------------------------------------------------------


def test_python_runs_in_the_sandbox(agent: Any) -> None:
    done = use(agent, "run_code", code="print(sum(range(10)))", language="python")
    assert (done["status"], done["func_return"]) == ("success", "45")


def test_a_program_that_fails_shows_why(agent: Any) -> None:
    told = failure(agent, "run_code", code="print('so far')\n1 / 0", language="python")
    assert "ZeroDivisionError" in told and "so far" in told


def test_a_program_has_neither_files_nor_network_nor_our_variables(agent: Any, site: Site) -> None:
    code = (
        "import os, socket\n"
        "print(sorted(os.environ))\n"
        "for what in (lambda: open('/etc/shadow'), "
        f"lambda: socket.create_connection(('127.0.0.1', {site.server.server_port}), 2)):\n"
        "    try:\n        what(); print('REACHED')\n"
        "    except OSError:\n        print('refused')\n"
    )
    text = use(agent, "run_code", code=code, language="python")["func_return"]
    assert text.count("refused") == 2 and "REACHED" not in text
    assert "LETTA_DIR" not in text


@pytest.mark.skipif(not shutil.which("node", path="/usr/bin:/bin:/usr/local/bin"), reason="no node")
def test_javascript_runs_where_node_is_present(agent: Any) -> None:
    done = use(agent, "run_code", code="console.log([1, 2].map(x => x * 2).join())", language="js")
    assert (done["status"], done["func_return"]) == ("success", "2,4")
    assert "boom" in failure(agent, "run_code", code="throw new Error('boom')", language="js")


def test_other_languages_are_refused(agent: Any) -> None:
    assert "does not run java" in failure(agent, "run_code", code="class A {}", language="java")


def test_a_page_nested_beyond_reason_is_an_answer(agent: Any, site: Site, settings: Any) -> None:
    settings.ALLOW_PRIVATE_WEB = True
    url = site.show("/deep", "<div>" * 20_000 + "deep words" + "</div>" * 20_000)
    done = use(agent, "fetch_webpage", url=url)
    assert done["status"] == "error"
    assert "no text" in str(done["stderr"]) or "cannot be read" in str(done["stderr"])
