"""Settings, read from the environment; every name stands in docs/configuration.md."""

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from console.budgets import Budgets, networks
from console.rates import read_rate
from console.supervision import addresses

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = addresses.var_dir()

DEBUG = os.environ.get("DEBUG", "") == "1"
SECRET_KEY = os.environ.get("SECRET_KEY") or addresses.secret_key()
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
HTTPS = os.environ.get("COUNTERSIGN_HTTPS", "") == "1"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "django_htmx",
    "axes",
    # Keeps and checks second factors; its adapter needs the accounts that we do not use otherwise.
    "allauth.account",
    "allauth.mfa",
    "console",
    "console.access",
    "console.ledger",
    "console.doorbell",
    "console.breakers",
    "console.limiting",
    "console.pulse",
    "console.notices",
    "snapshots",
    "approvals",
    "agents",
]

MIDDLEWARE = [
    "console.tracing.Traced",
    "console.tenancy.begin_nowhere",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "console.problems.Doors",
    # Last and synchronous only: the chain below the server then runs in one thread, measured +40 %.
    "console.pages.RefusalMiddleware",
]

ROOT_URLCONF = "console.urls"
ASGI_APPLICATION = "console.asgi.application"
WSGI_APPLICATION = "console.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "console.pages.furniture",
            ],
            "builtins": ["console.words"],
        },
    }
]


def _database(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "console.database",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": parts.port or "",
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": query,
    }


DATABASE_URL = os.environ.get("DATABASE_URL") or addresses.default_database_url()
DATABASES = {"default": _database(DATABASE_URL)}
DATABASE_OPTIONS = DATABASES["default"]["OPTIONS"]
SESSION_SETTINGS = {
    # A crash of ours must never hold somebody's lock; mis-estimated plans must not wait for JIT.
    "jit": "off",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "15s",
}
DATABASE_OPTIONS["options"] = " ".join(f"-c {k}={v}" for k, v in SESSION_SETTINGS.items())  # type: ignore[index]
PROCESS = os.environ.get("COUNTERSIGN_PROCESS")
if PROCESS == "web":
    # One thread per request: a pool, because persistent connections per thread exhaust the server.
    DATABASE_OPTIONS["pool"] = {"min_size": 2, "max_size": 10, "timeout": 10}  # type: ignore[index]
elif PROCESS in {"worker", "sender", "restorer", "courier", "timer"}:
    DATABASES["default"]["CONN_MAX_AGE"] = 600

BROKER_URL = os.environ.get("BROKER_URL") or addresses.default_broker_url()
CHANNEL_URL = os.environ.get("CHANNEL_URL") or addresses.default_channel_url()
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [CHANNEL_URL]},
    }
}

CELERY = {
    "broker_url": BROKER_URL,
    "task_ignore_result": True,
    "task_acks_late": True,
    "task_time_limit": 300,
    "task_soft_time_limit": 240,
    "task_default_queue": "runs",
    # Going back must not wait until every worker has finished what agents do.
    "task_routes": {
        "agents.restore": {"queue": "restorations"},
        # Hosts of others take their time; nothing of ours waits for them.
        "notices.*": {"queue": "deliveries"},
        # The canary names the queue that it goes through.
    },
    "accept_content": ["json"],
    "worker_prefetch_multiplier": 1,
    "worker_soft_shutdown_timeout": 10,
    "worker_max_tasks_per_child": 500,
    "worker_cancel_long_running_tasks_on_connection_loss": True,
    "worker_hijack_root_logger": False,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_transport_options": (
        {
            "visibility_timeout": 900,
            "socket_connect_timeout": 5,
            "socket_timeout": 10,
            "health_check_interval": 15,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
        }
        if BROKER_URL.startswith("redis")
        else {"confirm_publish": True}
    ),
}

AUTH_USER_MODEL = "access.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
LOGIN_URL = "/sign-in/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/sign-in/"
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "access/locked_out.html"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
AXES_USERNAME_FORM_FIELD = "username"

# Signing in stays Django's; allauth keeps what somebody proves themselves with besides a password.
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
MFA_ADAPTER = "console.access.factors.Adapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "Countersign"
# Keys that secrets at rest were sealed with before SECRET_KEY changed; they are still opened.
SECRET_KEY_FALLBACKS = [k for k in os.environ.get("SECRET_KEY_FALLBACKS", "").split(",") if k]

SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "countersign_session"
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "countersign_csrf"
CSRF_FAILURE_VIEW = "console.access.views.csrf_failure"
CSRF_TRUSTED_ORIGINS = [o for o in os.environ.get("TRUSTED_ORIGINS", "").split(",") if o]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
        "manifest-src": ["'self'"],
    }
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
# Proxies whose word about where a request came from is believed, comma-separated networks.
TRUSTED_PROXIES = networks(os.environ.get("TRUSTED_PROXIES", ""))
# How much each may ask for, as `per second:at once`, or `off`; see docs/perimeter.md.
RATES = {
    "token": read_rate(os.environ.get("RATE_TOKEN", "200:1000")),
    "address": read_rate(os.environ.get("RATE_ADDRESS", "400:2000")),
    "workspace": read_rate(os.environ.get("RATE_WORKSPACE", "400:2000")),
    "sign_in": read_rate(os.environ.get("RATE_SIGN_IN", "0.2:30")),
    "downloads": read_rate(os.environ.get("RATE_DOWNLOADS", "0.5:30")),
}
# What a call that writes costs; one that reads costs 1.
RATE_WRITE_COST = float(os.environ.get("RATE_WRITE_COST", "2"))
# How many jobs of one workspace may wait for a worker before no more are taken in.
JOBS_WAITING_AT_MOST = int(os.environ.get("JOBS_WAITING_AT_MOST", "20000"))
# What a scraper has to show; without it only this machine may read /metrics.
METRICS_TOKEN = os.environ.get("METRICS_TOKEN", "")
# What one visitor may ask of a web process; see docs/perimeter.md.
BUDGETS = Budgets(
    # Whatever wraps a body of the largest size comes on top; Django then counts exactly.
    body_bytes=DATA_UPLOAD_MAX_MEMORY_SIZE + 65_536,
    header_seconds=float(os.environ.get("HEADER_SECONDS", "10")),
    body_seconds=float(os.environ.get("BODY_SECONDS", "30")),
    connections_per_address=int(os.environ.get("CONNECTIONS_PER_ADDRESS", "500")),
    sockets_per_address=int(os.environ.get("SOCKETS_PER_ADDRESS", "500")),
    sockets_per_session=int(os.environ.get("SOCKETS_PER_SESSION", "64")),
    trusted=TRUSTED_PROXIES,
)
FILE_UPLOAD_HANDLERS: list[str] = []

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    # What may stand in a line: console/logs.py.
    "formatters": {"line": {"()": "console.logs.Line"}, "json": {"()": "console.logs.Json"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "json" if os.environ.get("LOG_FORMAT") == "json" else "line",
        }
    },
    "root": {"handlers": ["stderr"], "level": os.environ.get("LOG_LEVEL", "INFO")},
    "loggers": {
        name: {"level": "WARNING"} for name in ("axes", "celery", "fido2", "httpx", "httpx2")
    },
}

# Where people reach the console: what links in mails and messages begin with.
PUBLIC_URL = (
    os.environ.get("PUBLIC_URL") or os.environ.get("COUNTERSIGN_ADDRESS") or "http://127.0.0.1:8000"
).rstrip("/")
# The server that takes our mail; without one none is sent.
EMAIL_URL = os.environ.get("EMAIL_URL", "")
EMAIL_FROM = os.environ.get("EMAIL_FROM", "Countersign <countersign@localhost>")
# Which networks webhooks may reach although they are not public, and which ports.
WEBHOOK_NETWORKS = os.environ.get("WEBHOOK_NETWORKS", "")
WEBHOOK_PORTS = os.environ.get("WEBHOOK_PORTS", "443")

# How long a worker may be silent before another one takes its run over.
RUN_LEASE = timedelta(seconds=float(os.environ.get("RUN_LEASE_SECONDS", "30")))

# Which model is asked where a workflow names none, and the server behind names with `local:`.
MODEL = os.environ.get("COUNTERSIGN_MODEL", "")
MODEL_URL = os.environ.get("COUNTERSIGN_MODEL_URL", "")
MODEL_KEY = os.environ.get("COUNTERSIGN_MODEL_KEY", "")
# How long one answer may take, all attempts together; until a connection stands; between words.
# A worker's task ends after four minutes, and an answer has to fit beside what else it does.
MODEL_SECONDS = min(150.0, float(os.environ.get("MODEL_SECONDS", "120")))
MODEL_CONNECT_SECONDS = float(os.environ.get("MODEL_CONNECT_SECONDS", "5"))
MODEL_IDLE_SECONDS = float(os.environ.get("MODEL_IDLE_SECONDS", "30"))
# USD per million tokens, `name=input/output`, for models whose price nobody publishes.
MODEL_PRICES = os.environ.get("MODEL_PRICES", "")

# How long the sender may be silent about what it took before somebody else takes it up.
SEND_LEASE = timedelta(seconds=float(os.environ.get("SEND_LEASE_SECONDS", "30")))
# Within which time somebody should say what became of an effect in doubt.
DOUBT_SLA = timedelta(seconds=float(os.environ.get("DOUBT_SLA_SECONDS", "14400")))
# How often what was sent is compared with what providers list.
RECONCILE_EVERY = timedelta(seconds=float(os.environ.get("RECONCILE_SECONDS", "3600")))

# For how long somebody who claims a proposal is shown to look at it.
CLAIM_LEASE = timedelta(seconds=float(os.environ.get("CLAIM_LEASE_SECONDS", "900")))

# How often in a row people may reject one kind of action of one origin before it may not ask again.
REJECTIONS_AT_MOST = int(os.environ.get("REJECTIONS_AT_MOST", "20"))

# Where the outside records that States mirror lie as files; empty where there are none.
MIRROR_FOLDER = os.environ.get("MIRROR_FOLDER", "")

# How long every snapshot keeps its content, and until which age the last of each hour does.
RETENTION_ALL = timedelta(days=float(os.environ.get("RETENTION_ALL_DAYS", "30")))
RETENTION_HOURLY = timedelta(days=float(os.environ.get("RETENTION_HOURLY_DAYS", "365")))

# How often each ledger's end is signed, and where that is kept besides the database.
CHECKPOINT = timedelta(seconds=float(os.environ.get("CHECKPOINT_SECONDS", "3600")))
CHECKPOINT_FOLDER = Path(os.environ.get("CHECKPOINT_FOLDER") or VAR_DIR / "checkpoints")
# A key that is named has to be there; without a name one is made.
CHECKPOINT_KEY = os.environ.get("CHECKPOINT_KEY", "")
CHECKPOINT_PUBLIC_KEYS = Path(
    os.environ.get("CHECKPOINT_PUBLIC_KEYS") or VAR_DIR / "checkpoint_keys.pem"
)

# How many entries an agent's memory keeps about one record, and how often it is swept.
MEMORY_ENTRIES_AT_MOST = int(os.environ.get("MEMORY_ENTRIES_AT_MOST", "500"))
MEMORY_SWEEP = timedelta(seconds=float(os.environ.get("MEMORY_SWEEP_SECONDS", "3600")))
# After how many decisions at the levels that are looked at somebody gets a canary; 0 for never.
CANARY_EVERY = int(os.environ.get("CANARY_EVERY", "50"))
# How often drift is measured, and from where on it pauses agents unless a State says otherwise.
DRIFT_MEASURE = timedelta(seconds=float(os.environ.get("DRIFT_MEASURE_SECONDS", "900")))
DRIFT_LIMITS = {
    "stale_share": float(os.environ.get("DRIFT_STALE_SHARE", "0.5")),
    "contradicting_share": float(os.environ.get("DRIFT_CONTRADICTING_SHARE", "0.2")),
    "differing": float(os.environ.get("DRIFT_DIFFERING", "100")),
    "growth": float(os.environ.get("DRIFT_GROWTH_BYTES", "5000000")),
}
