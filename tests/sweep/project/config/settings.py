"""Settings of the project that is killed: databases and the journal come from the environment."""

import json
import os
from pathlib import Path

import pymysql

pymysql.install_as_MySQLdb()

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "only for tests"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.contenttypes", "migrator", "bank", "archive"]
DATABASES = json.loads(os.environ["SWEEP_DATABASES"])
DATABASE_ROUTING_RULES = {"archive": "archive"} if "archive" in DATABASES else {}
DATABASE_ROUTERS = ["migrator.routers.AppRouter"]
MIGRATOR = {"JOURNAL_URL": os.environ["SWEEP_JOURNAL"]}
