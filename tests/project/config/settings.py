"""Settings of the sample project: databases come from the environment, as JSON."""

import json
import os
from pathlib import Path

import pymysql

pymysql.install_as_MySQLdb()

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "only for tests"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.admin",
    "migrator",
    "accounts",
    "library",
    "shop",
    "reviews",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = json.loads(os.environ["MIGRATOR_TEST_DATABASES"])
DATABASE_ROUTING_RULES = json.loads(os.environ.get("MIGRATOR_TEST_ROUTING", "{}"))
DATABASE_ROUTERS = ["migrator.routers.AppRouter"] if DATABASE_ROUTING_RULES else []
MIGRATOR = {"JOURNAL_URL": f"sqlite:///{BASE_DIR / 'migrator_journal.sqlite3'}"}
# Partial indexes and conditional constraints are left out on MySQL, which Django points out.
SILENCED_SYSTEM_CHECKS = ["models.W036", "models.W037", "models.W038", "models.W040"]
