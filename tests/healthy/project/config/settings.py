"""Settings of the healthy project: databases come from the environment, as JSON."""

import json
import os
from pathlib import Path

import pymysql

from config import placement

GROUP = os.environ.get("HEALTHY_GROUP", "many")
if GROUP == "oscar":
    from oscar.defaults import *  # noqa: F403 - as Oscar's own documentation has it

pymysql.install_as_MySQLdb()

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "only for tests"
USE_TZ = True
SITE_ID = 1
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = json.loads(os.environ["HEALTHY_DATABASES"])
DATABASE_ROUTERS = ["config.routers.Placement"]
VENDOR = DATABASES["default"]["ENGINE"].rpartition(".")[2]
LEFT_OUT = {
    "postgresql": frozenset(),
    "mysql": placement.POSTGRES_ONLY,
    "sqlite3": placement.POSTGRES_ONLY | placement.WITHOUT_SQLITE,
}[VENDOR]
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sites",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    *(["django.contrib.postgres"] if VENDOR == "postgresql" else []),
    *[app for apps in placement.chosen(GROUP).values() for app in apps if app not in LEFT_OUT],
    *(["haystack", "widget_tweaks", "django_tables2"] if GROUP == "oscar" else []),
    "phonenumber_field",
    "migrator",
]
MIGRATOR = {"MAKEMIGRATIONS": "check"}

ROOT_URLCONF = "config.urls"
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    *(["allauth.account.middleware.AccountMiddleware"] if GROUP == "many" else []),
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "/static/"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "German")]
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
OAUTH2_PROVIDER_APPLICATION_MODEL = "identity.Application"
CONSTANCE_BACKEND = "constance.backends.database.DatabaseBackend"
CMS_CONFIRM_VERSION4 = True
WAGTAIL_SITE_NAME = "Healthy"
WAGTAILADMIN_BASE_URL = "http://localhost"
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
STRIPE_LIVE_MODE = False
DEFENDER_REDIS_URL = None
DEFENDER_MOCK_REDIS = True
SILENCED_SYSTEM_CHECKS = [
    # Partial indexes and conditional constraints are left out on MySQL, which Django points out.
    "models.W036",
    "models.W037",
    "models.W038",
    "models.W040",
    "models.W043",
    "models.W044",
]
DRAMATIQ_BROKER = {"BROKER": "dramatiq.brokers.stub.StubBroker", "OPTIONS": {}, "MIDDLEWARE": []}
Q_CLUSTER = {"orm": "jobs", "timeout": 60, "retry": 120}
