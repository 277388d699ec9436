"""The router that the library ships."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.test import override_settings

from migrator.routers import AppRouter

RULES = {"auth": "people_db", "shop": "shop_db", "plain": "default"}


@pytest.fixture
def router() -> Iterator[AppRouter]:
    with override_settings(DATABASE_ROUTING_RULES=RULES):
        yield AppRouter()


def of_app(label: str) -> Any:
    return SimpleNamespace(_meta=SimpleNamespace(app_label=label))


def test_reads_and_writes_go_where_the_rule_says(router: AppRouter) -> None:
    assert router.db_for_read(Group) == router.db_for_write(Group) == "people_db"


def test_without_a_rule_django_chooses(router: AppRouter) -> None:
    assert router.db_for_read(ContentType) is None
    assert router.db_for_write(ContentType, instance=ContentType()) is None


@pytest.mark.parametrize(
    ("one", "other", "allowed"),
    [
        ("auth", "auth", True),
        ("auth", "shop", False),
        ("auth", "contenttypes", False),
        ("plain", "contenttypes", True),
        ("contenttypes", "sessions", None),
    ],
)
def test_relations_stay_within_one_database(
    router: AppRouter, one: str, other: str, allowed: bool | None
) -> None:
    assert router.allow_relation(of_app(one), of_app(other)) is allowed
    assert router.allow_relation(of_app(other), of_app(one)) is allowed


def test_relations_of_real_models(router: AppRouter) -> None:
    assert router.allow_relation(Group(), Permission()) is True


@pytest.mark.parametrize(
    ("alias", "label", "allowed"),
    [
        ("people_db", "auth", True),
        ("default", "auth", False),
        ("shop_db", "auth", False),
        ("default", "contenttypes", True),
        ("people_db", "contenttypes", False),
        ("shop_db", "an_app_nobody_heard_of", False),
    ],
)
def test_apps_migrate_where_they_live_and_nowhere_else(
    router: AppRouter, alias: str, label: str, allowed: bool
) -> None:
    assert router.allow_migrate(alias, label) is allowed
    assert router.allow_migrate(alias, label, model_name="x", some_hint=1) is allowed


def test_a_model_hint_has_the_last_word(router: AppRouter) -> None:
    assert router.allow_migrate("people_db", "shop", model=Group)
    assert not router.allow_migrate("shop_db", "shop", model_name="group", model=Group)


def test_rules_are_read_again_when_the_setting_changes(router: AppRouter) -> None:
    with override_settings(DATABASE_ROUTING_RULES={"auth": "elsewhere"}):
        assert router.db_for_read(Group) == "elsewhere"
    assert router.db_for_read(Group) == "people_db"


def test_without_rules_everything_lives_in_default() -> None:
    with override_settings(DATABASE_ROUTING_RULES={}):
        assert AppRouter().db_for_read(Group) is None
        assert AppRouter().allow_migrate("default", "auth")
        assert not AppRouter().allow_migrate("other", "auth")
