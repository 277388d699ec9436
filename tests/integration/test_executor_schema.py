"""What the executor leaves behind is what Django's own leaves behind, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.crash import Crasher
from tests.projects import Project
from tests.servers import Database

RECORDED = "SELECT app, name FROM django_migrations ORDER BY app, name"
every_vendor = pytest.mark.parametrize(
    "vendor",
    [
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        "sqlite",
        pytest.param("mysql", marks=pytest.mark.mysql),
    ],
)
CONTRIB = (
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.admin",
    "django.contrib.sessions",
    "django.contrib.sites",
    "django.contrib.flatpages",
    "django.contrib.redirects",
    "constance",
)
SETTINGS = """
SITE_ID = 1
CONSTANCE_BACKEND = "constance.backends.database.DatabaseBackend"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {
    "context_processors": ["django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages"]}}]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware"]
INSTALLED_APPS += ["django.contrib.messages"]
"""


def picture(database: Database) -> tuple[Any, ...]:
    return database.dump(), database.query(RECORDED)


def run(project: Project, *command: str) -> None:
    ended = Crasher(project).run(*command)
    assert ended.returncode == 0, ended.output


@every_vendor
def test_contrib_apps_and_constance(
    vendor: str,
    create_database: Callable[..., Database],
    make_project: Callable[..., Project],
) -> None:
    databases = {"default": create_database(vendor), "ours": create_database(vendor)}
    project = make_project(
        databases={alias: database.settings() for alias, database in databases.items()},
        installed=CONTRIB,
        settings_extra=SETTINGS,
    )
    run(project, "migrate", "--skip-checks", "--verbosity=0")
    run(project, "executor", "ours")
    assert picture(databases["ours"]) == picture(databases["default"])


@every_vendor
def test_sample_project_forwards_and_backwards(
    vendor: str,
    create_database: Callable[..., Database],
    sample_project: Callable[..., Project],
) -> None:
    stock, ours = create_database(vendor), create_database(vendor)
    of_stock = sample_project(databases={"default": stock.settings()})
    of_ours = sample_project(databases={"default": ours.settings()})
    run(of_stock, "migrate", "--verbosity=0")
    run(of_ours, "executor", "default")
    assert picture(ours) == picture(stock)
    for app in ("shop", "library"):
        run(of_stock, "migrate", app, "zero", "--verbosity=0")
        # A rollback is a run of its own.
        (of_ours.root / "journal-default.jsonl").unlink()
        run(of_ours, "executor", "default", app, "zero")
        assert picture(ours) == picture(stock)
