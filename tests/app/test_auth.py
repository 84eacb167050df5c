"""Who may come in: open, password and accounts mode; every way to show a credential."""

import asyncio

import pytest
from django.conf import settings as django_settings
from django.test import Client

from letta_site import auth
from letta_site.core.ids import DEFAULT_USER_ID
from letta_site.core.models import User

PASSWORD = "correct horse battery"
API = "/v1/blocks/"
PAGE = "/admin/"


@pytest.fixture
def password(settings, api):
    settings.SERVER_PASSWORD = PASSWORD
    return PASSWORD


@pytest.fixture
def account(owner):
    return User.objects.create_user("grace", password="a long password", is_staff=True)


def test_open_mode_is_the_local_operator(api):
    assert api.get(API).status_code == 200
    page = api.get(PAGE)
    assert page.status_code == 200
    operator = User.objects.get(letta_id=DEFAULT_USER_ID)
    assert page.context["user"] == operator
    assert not operator.has_usable_password()


def test_open_mode_answers_to_this_machine_only(api):
    for path in (API, PAGE):
        answer = api.get(path, REMOTE_ADDR="192.168.1.5")
        assert answer.status_code == 403
    assert api.get("/v1/health/", REMOTE_ADDR="192.168.1.5").status_code == 200
    assert api.get(API, REMOTE_ADDR="::1").status_code == 200
    assert api.get(API, REMOTE_ADDR="").status_code == 403


def test_any_bearer_token_is_fine_in_open_mode(api):
    assert api.get(API, headers={"Authorization": "Bearer whatever"}).status_code == 200


def test_the_user_id_header_is_not_trusted(api, stranger):
    made = api.generic(
        "POST", API, '{"label": "x"}', "application/json", headers={"user_id": stranger.id}
    ).json()
    assert made["created_by_id"] == DEFAULT_USER_ID


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": f"Bearer {PASSWORD}"}, 200),
        ({"Authorization": f"bearer {PASSWORD}"}, 200),
        ({"X-BARE-PASSWORD": f"password {PASSWORD}"}, 200),
        ({"X-BARE-PASSWORD": PASSWORD}, 401),
        ({"Authorization": f"Basic {PASSWORD}"}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Bearer w\u00f6rng"}, 401),
        ({"Authorization": "Bearer "}, 401),
    ],
)
def test_password_mode(api, password, headers, status):
    answer = api.get(API, headers=headers)
    assert answer.status_code == status
    if status == 401:
        assert answer.json()["detail"] == "Unauthorized"
        assert answer["WWW-Authenticate"] == "Bearer"


def test_no_other_carrier_of_the_password_counts(api, password):
    assert api.get(API, {"token": PASSWORD, "password": PASSWORD}).status_code == 401
    api.cookies["password"] = PASSWORD
    assert api.get(API).status_code == 401


@pytest.mark.parametrize("path", ["/v1/health/", "/v1/ready", "/latest/health", "/healthz"])
def test_health_is_open(api, password, path):
    assert api.get(path).json() == {"version": django_settings.VERSION, "status": "ok"}


def test_signing_in_with_the_password(api, password):
    page = api.get(PAGE)
    assert (page.status_code, page["Location"]) == (302, "/login?next=/admin/")
    assert api.get("/login").status_code == 200
    assert api.post("/login", {"password": "wrong"}).status_code == 401
    assert api.post("/login", {}).status_code == 422
    done = api.post("/login", {"password": PASSWORD, "next": PAGE})
    assert (done.status_code, done["Location"]) == (302, PAGE)
    assert api.get(PAGE).status_code == 200
    assert api.get(API).status_code == 200  # the browser's session, on the API
    api.post("/logout")
    assert api.get(PAGE).status_code == 302
    assert api.get(API).status_code == 401


def test_signing_out_needs_a_form(api, password):
    assert api.get("/logout").status_code == 405


def test_another_password_ends_the_sessions(api, password, settings):
    api.post("/login", {"password": PASSWORD})
    settings.SERVER_PASSWORD = "another long password"
    assert api.get(PAGE).status_code == 302


def test_the_login_form_needs_its_token(owner, password):
    careful = Client(enforce_csrf_checks=True)
    assert careful.post("/login", {"password": PASSWORD}).status_code == 403


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:x"])
def test_the_login_form_leads_to_no_other_site(api, password, target):
    done = api.post("/login", {"password": PASSWORD, "next": target})
    assert done["Location"] == "/"


def test_fragments_of_a_page_are_sent_to_the_login_as_a_whole(api, password):
    answer = api.get(PAGE, headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer["HX-Redirect"].startswith("/login?next=")


def test_ten_wrong_passwords_a_minute(api, password):
    for _ in range(10):
        assert api.get(API, headers={"Authorization": "Bearer wrong"}).status_code == 401
    refused = api.get(API, headers={"Authorization": f"Bearer {PASSWORD}"})
    assert (refused.status_code, refused["Retry-After"]) == (429, "60")
    assert api.post("/login", {"password": PASSWORD}).status_code == 401
    elsewhere = {"REMOTE_ADDR": "10.0.0.1", "headers": {"Authorization": f"Bearer {PASSWORD}"}}
    assert api.get(API, **elsewhere).status_code == 200


def test_accounts_mode(api, account):
    assert api.get(PAGE).status_code == 302
    assert api.get(API).status_code == 401
    wrong = api.post("/login", {"username": "grace", "password": "wrong"})
    assert wrong.status_code == 401
    api.post("/login", {"username": "grace", "password": "a long password"})
    assert api.get(PAGE).status_code == 200
    made = api.send("POST", API, {"label": "x"}).json()
    assert made["created_by_id"] == account.letta_id
    account.is_active = False
    account.save()
    User.objects.create_user("other", password="so that accounts stay on")
    assert api.get(API).status_code == 401


def test_nobody_can_sign_in_as_the_operator(api, account):
    for given in ("", "!", "x"):
        answer = api.post("/login", {"username": auth.OPERATOR_NAME, "password": given})
        assert answer.status_code in (401, 422)


@pytest.mark.parametrize(
    ("origin", "path", "method", "status"),
    [
        ("http://evil.example", API, "GET", 403),
        ("null", API, "GET", 403),
        ("http://testserver.evil.example", API, "GET", 403),
        ("http://testserver:1", API, "GET", 403),
        ("http://evil.example", "/login", "POST", 403),
        ("http://evil.example", "/login", "GET", 200),
        ("http://testserver", API, "GET", 200),
        ("https://friend.example", API, "GET", 200),
    ],
)
def test_foreign_origins(api, settings, origin, path, method, status):
    settings.ACCEPTABLE_ORIGINS = ["https://friend.example"]
    answer = api.generic(method, path, headers={"Origin": origin})
    assert answer.status_code == status
    shared = answer.get("Access-Control-Allow-Origin")
    assert shared == (origin if origin == "https://friend.example" else None)
    assert "Access-Control-Allow-Credentials" not in answer


def test_a_friend_may_ask_first(api, settings):
    settings.ACCEPTABLE_ORIGINS = ["https://friend.example"]
    asked = {"Origin": "https://friend.example", "Access-Control-Request-Method": "POST"}
    answer = api.options(API, headers=asked)
    assert answer.status_code == 204
    assert answer["Access-Control-Allow-Origin"] == "https://friend.example"


def test_a_foreign_host_name_is_refused(api):
    for path in (API, PAGE, "/v1/health/"):
        assert api.get(path, headers={"Host": "evil.example"}).status_code == 400


# --- sockets -------------------------------------------------------------------------------------


def socket(
    *, origin=b"http://localhost:8283", host=b"localhost:8283", client="127.0.0.1", cookie=b""
):
    headers = [(b"host", host), (b"cookie", cookie)]
    if origin:
        headers.append((b"origin", origin))
    return {"type": "websocket", "headers": headers, "client": [client, 1]}


def test_a_socket_of_our_own_page_is_let_in(owner):
    assert auth.actor_of_socket(socket()) == auth.OPERATOR


@pytest.mark.parametrize(
    "scope",
    [
        socket(origin=b""),
        socket(origin=b"null"),
        socket(origin=b"http://evil.example"),
        socket(origin=b"http://sub.localhost:8283"),
        socket(origin=b"http://localhost:9999"),
        socket(host=b"evil.example", origin=b"http://evil.example"),
        socket(client="192.168.1.5"),
    ],
)
def test_other_sockets_are_not(owner, scope):
    assert auth.actor_of_socket(scope) is None


def test_a_socket_shows_its_session(api, password):
    assert auth.actor_of_socket(socket()) is None
    api.post("/login", {"password": PASSWORD})
    key = api.cookies[django_settings.SESSION_COOKIE_NAME].value
    cookie = f"a=b; {django_settings.SESSION_COOKIE_NAME}={key}".encode()
    assert auth.actor_of_socket(socket(cookie=cookie)) == auth.OPERATOR
    api.post("/logout")
    assert auth.actor_of_socket(socket(cookie=cookie)) is None


def test_a_refused_socket_is_closed_before_it_opens(owner, monkeypatch):
    from letta_site.asgi import SocketGate  # loads the application, which needs the tables

    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message["type"])

    async def never(*_):
        raise AssertionError("let in")

    monkeypatch.setattr("letta_site.asgi.auth.actor_of_socket", lambda _: None)
    asyncio.run(SocketGate(never)(socket(), receive, send))
    assert sent == ["websocket.close"]
