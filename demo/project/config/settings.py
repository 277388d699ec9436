"""Settings of the demo project: four databases, one app on each but the default."""

import json
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "the demo has no secrets"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "constance",
    "djmoney",
    "migrator",
    "blog",
    "shop",
    "analytics",
]

_address = BASE_DIR.parent / "server.json"
if not _address.exists():
    raise ImproperlyConfigured("The demo's PostgreSQL is not running: start demo/server.py.")
_server = json.loads(_address.read_text())
_programs = _server.pop("PROGRAMS", "")
_POSTGRES = {"ENGINE": "django.db.backends.postgresql", **_server}

DATABASES = {
    "default": {**_POSTGRES, "NAME": "demo"},
    "blog_db": {**_POSTGRES, "NAME": "demo_blog"},
    "shop_db": {**_POSTGRES, "NAME": "demo_shop"},
    "analytics": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "analytics.sqlite3",
    },
}

# Which app lives where; whatever is not named here lives on default.
DATABASE_ROUTING_RULES = {"blog": "blog_db", "shop": "shop_db", "analytics": "analytics"}
DATABASE_ROUTERS = ["migrator.routers.AppRouter"]

MIGRATOR = {
    "JOURNAL_URL": f"sqlite:///{BASE_DIR / 'migrator_journal.sqlite3'}",
    # pg_dump has to be as new as the server; that of the machine may be older.
    "CLIENT_TOOLS": _programs,
}

CURRENCIES = ("EUR", "GBP", "USD")

CONSTANCE_BACKEND = "constance.backends.database.DatabaseBackend"
CONSTANCE_CONFIG = {"MAINTENANCE": (False, "Whether visitors see a notice")}
