"""Settings of the project that the mutations are done to; vendor and databases come as JSON."""

import json
import os
import sys
from pathlib import Path

import pymysql

pymysql.install_as_MySQLdb()

_HERE = Path(__file__).resolve().parent
for _root in (_HERE / "project", _HERE.parent / "project"):
    sys.path.insert(0, str(_root))

DATABASES = json.loads(os.environ["MUTATIONS_DATABASES"])
_VENDOR = DATABASES["default"]["ENGINE"].rpartition(".")[2]
MUTATIONS_COLLATION = {"postgresql": "C", "mysql": "utf8mb4_bin", "sqlite3": "NOCASE"}[_VENDOR]
BASE_DIR = _HERE / "project"
SECRET_KEY = "only for tests"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "migrator",
    "accounts",
    "library",
    "shop",
    "reviews",
    "museum",
    *(["curios"] if _VENDOR == "postgresql" else []),
]
SILENCED_SYSTEM_CHECKS = [
    f"models.W0{number}" for number in (36, 37, 38, 39, 40, 43, 44, 45, 46, 47)
]
