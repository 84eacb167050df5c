"""Settings. Every value that may be changed comes from the environment; see the README's table."""

import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from letta_site import env

BASE_DIR = Path(__file__).resolve().parent.parent
LETTA_DIR = Path(env.text("LETTA_DIR", default=str(BASE_DIR / ".data"))).expanduser()
LETTA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
VERSION = "0.16.8"


def _kept_key(name: str, variable: str) -> str:
    """Return a key from the environment, else from a file that is made on the first start."""
    if value := env.text(variable):
        return value
    path = LETTA_DIR / name
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50), encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()


SECRET_KEY = _kept_key("django.key", "LETTA_SECRET_KEY")
ENCRYPTION_KEY = _kept_key("secret.key", "LETTA_ENCRYPTION_KEY")
DEBUG = env.flag("LETTA_DEBUG")

# --- who may come in -------------------------------------------------------------------------
SERVER_PASSWORD = env.text("LETTA_SERVER_PASSWORD")
LOOPBACK_HOSTS = ["localhost", ".localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS = [*LOOPBACK_HOSTS, *env.words("LETTA_ALLOWED_HOSTS")]
ACCEPTABLE_ORIGINS = env.words("ACCEPTABLE_ORIGINS")
CSRF_TRUSTED_ORIGINS = ACCEPTABLE_ORIGINS
MAX_BODY_BYTES = env.whole("LETTA_MAX_BODY_MB", default=16, least=1) * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000
MAX_FILE_BYTES = env.whole("LETTA_MAX_FILE_MB", default=50, least=1) * 1024 * 1024
BEHIND_TLS = env.flag("LETTA_BEHIND_TLS")

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "django_ace",
    "django_htmx",
    "heroicons",
    "template_partials",
    "letta_site.core",
    "memory",
    "agents",
    "letta_site",
]
MIDDLEWARE = [
    "letta_site.middleware.RequestGuard",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "letta_site.middleware.SignInGate",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "letta_site.urls"
ASGI_APPLICATION = "letta_site.asgi.application"
APPEND_SLASH = False
FORCE_SCRIPT_NAME = env.text("FORCE_SCRIPT_NAME") or None
AUTH_USER_MODEL = "core.User"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "agents.ade.alarms.alarms",
            ],
        },
    },
]

# --- data ------------------------------------------------------------------------------------


def _sqlite() -> dict[str, Any]:
    """Return the settings measured best: one writer, IMMEDIATE, WAL (docs/decisions/0002)."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": LETTA_DIR / "letta.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA cache_size=-20000;"
                "PRAGMA temp_store=MEMORY;PRAGMA mmap_size=134217728;"
                "PRAGMA journal_size_limit=67108864;"
            ),
        },
        "TEST": {"NAME": LETTA_DIR / "test.sqlite3"},
    }


def _postgres(uri: str) -> dict[str, Any]:
    """Return the settings for a `postgresql://user:password@host:port/name` address."""
    parts = urlsplit(uri)
    extra = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": extra.pop("host", "") or parts.hostname or "",
        "PORT": parts.port or "",
        "OPTIONS": {**extra, "pool": {"min_size": 1, "max_size": 16, "timeout": 20}},
    }


PG_URI = env.text("LETTA_PG_URI")
DATABASES = {"default": _postgres(PG_URI) if PG_URI else _sqlite()}
DB_THREADS = 8 if PG_URI else 1
DB_RELEASE_AFTER_HOP = bool(PG_URI)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

# --- files ----------------------------------------------------------------------------------
FILES_DIR = LETTA_DIR / "files"
# How long a parser may take, and how much memory; then it is killed (docs/decisions/0076).
PARSE_TIMEOUT_S = env.whole("LETTA_PARSE_TIMEOUT_S", default=30, least=1)
PARSE_MEMORY_BYTES = env.whole("LETTA_PARSE_MEMORY_MB", default=512, least=256) * 1024 * 1024

# --- pages -----------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = LETTA_DIR / "static"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "connect-src": ["'self'"],
        "font-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    },
}
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
SECURE_REFERRER_POLICY = "same-origin"

# --- models ----------------------------------------------------------------------------------
# Letta's own names, OPENAI_API_KEY, OLLAMA_BASE_URL, VLLM_API_BASE, ...: letta_site/core/providers.
PROVIDER_VARIABLES = env.ending_with("_API_KEY", "_BASE_URL", "_API_BASE")

# --- vectors ---------------------------------------------------------------------------------
EMBEDDING_TIMEOUT_S = env.whole("LETTA_EMBEDDING_TIMEOUT_S", default=60, least=1)
# A search does not wait longer than that for the vector of its query; it goes by words then.
QUERY_EMBEDDING_TIMEOUT_S = env.whole("LETTA_QUERY_EMBEDDING_TIMEOUT_S", default=4, least=1)
# What the vectors of the scopes searched last may take in memory; not used with pgvector.
VECTOR_MEMORY_BYTES = env.whole("LETTA_VECTOR_MEMORY_MB", default=256) * 1024 * 1024

# --- runs ------------------------------------------------------------------------------------
LLM_TIMEOUT_S = env.whole("LETTA_LLM_TIMEOUT_S", default=300, least=1)
LLM_CONNECT_TIMEOUT_S = env.whole("LETTA_LLM_CONNECT_TIMEOUT_S", default=10, least=1)
LLM_TRIES = env.whole("LETTA_LLM_TRIES", default=3, least=1)
LLM_RETRY_WAIT_S = env.whole("LETTA_LLM_RETRY_WAIT_S", default=30)
MODEL_LIST_TIMEOUT_S = env.whole("LETTA_MODEL_LIST_TIMEOUT_S", default=3, least=1)
MODEL_LIST_AGE_S = env.whole("LETTA_MODEL_LIST_AGE_S", default=60)
# After that a request for approval is denied when the next message comes; 0: it waits for ever.
APPROVAL_TIMEOUT_MIN = env.whole("LETTA_APPROVAL_TIMEOUT_MIN", default=15)
TOOL_TIMEOUT_S = env.whole("LETTA_TOOL_TIMEOUT_S", default=180, least=1)
# --- the sandbox of tools (agents/sandbox) ----------------------------------------------------
SANDBOX = env.one_of("LETTA_SANDBOX", "auto", "landlock", "bubblewrap")
UNSAFE_TOOLS = env.flag("LETTA_UNSAFE_TOOLS")
SANDBOX_PARALLEL = env.whole("LETTA_SANDBOX_PARALLEL", default=8, least=1)
SANDBOX_MEMORY_MB = env.whole("LETTA_SANDBOX_MEMORY_MB", default=1024, least=64)
SANDBOX_PROCESSES = env.whole("LETTA_SANDBOX_PROCESSES", default=0)
SANDBOX_FILE_MB = env.whole("LETTA_SANDBOX_FILE_MB", default=64)
SANDBOX_DISK_MB = env.whole("LETTA_SANDBOX_DISK_MB", default=256)
SANDBOX_OUTPUT_KB = env.whole("LETTA_SANDBOX_OUTPUT_KB", default=256, least=1)
SANDBOX_RESULT_KB = env.whole("LETTA_SANDBOX_RESULT_KB", default=1024, least=1)
# Where tools with network access may connect to; a database on this machine is not among them.
SANDBOX_PORTS = env.ports("LETTA_SANDBOX_PORTS", default="80,443")
TOOL_INSTALLS = env.flag("LETTA_TOOL_INSTALLS")
TOOL_INSTALL_TIMEOUT_S = env.whole("LETTA_TOOL_INSTALL_TIMEOUT_S", default=300, least=1)

# --- MCP servers (docs/decisions/0095) --------------------------------------------------------
# Command lines that may be started, as their beginnings; * is every one.
MCP_COMMANDS = env.words("LETTA_MCP_COMMANDS") or (
    [] if env.flag("MCP_DISABLE_STDIO", default=True) else ["*"]
)
# Without a password only this machine's user comes in, who can reach its own addresses anyway.
_reaches = ("public", "loopback") if SERVER_PASSWORD else ("loopback", "public")
MCP_REACH = env.one_of("LETTA_MCP_REACH", *_reaches, "private")
MCP_CONNECT_TIMEOUT_S = env.whole("LETTA_MCP_CONNECT_TIMEOUT_S", default=15, least=1)
MCP_TIMEOUT_S = env.whole("LETTA_MCP_TIMEOUT_S", default=60, least=1)
MCP_IDLE_S = env.whole("LETTA_MCP_IDLE_S", default=60)
MCP_SESSIONS = env.whole("LETTA_MCP_SESSIONS", default=32, least=1)
MCP_MAX_ANSWER_BYTES = 8 * 1024 * 1024
MCP_SIGN_IN_TIMEOUT_S = 300
# A callback goes to an address that a caller named. Private ones are for development.
ALLOW_PRIVATE_CALLBACKS = env.flag("LETTA_ALLOW_PRIVATE_CALLBACKS")
ALLOW_PRIVATE_WEB = env.flag("LETTA_ALLOW_PRIVATE_WEB")
WEB_TIMEOUT_S = 30
MAX_PAGE_BYTES = 2 * 1024 * 1024
ALLOW_PRIVATE_PICTURES = env.flag("LETTA_ALLOW_PRIVATE_PICTURES")
CALLBACK_TIMEOUT_S = 5
PICTURE_TIMEOUT_S = 10
MAX_PICTURE_BYTES = 10 * 1024 * 1024
PING_INTERVAL_S = env.whole("LETTA_PING_INTERVAL_S", default=15, least=1)

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    # What goes wrong with an MCP server is told to whoever asked, and kept in its row.
    "loggers": {"mcp": {"level": "CRITICAL"}, "client": {"level": "CRITICAL"}},
    "root": {"handlers": ["stderr"], "level": env.text("LETTA_LOG_LEVEL", default="WARNING")},
}
