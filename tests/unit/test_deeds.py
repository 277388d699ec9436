"""What the source of a RunPython tells before any state is at hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from django.db.models import F

from migrator.sources.deeds import may_lose_rows


def seeds(apps: Any, schema_editor: Any) -> None:
    tags = apps.get_model("shop", "Tag").objects.using(schema_editor.connection.alias)
    for name in ("red", "blue"):
        tags.get_or_create(name=name)


def fills_slugs(apps: Any, schema_editor: Any) -> None:
    for order in apps.get_model("shop", "Order").objects.all():
        order.slug = f"order-{order.pk}"
        order.save(update_fields=["slug"])


def doubles(apps: Any, schema_editor: Any) -> None:
    apps.get_model("shop", "Order").objects.update(price=F("price") * 2)


def fills_some(apps: Any, schema_editor: Any) -> None:
    apps.get_model("shop", "Order").objects.filter(note__isnull=True).update(note="")


def levels(apps: Any, schema_editor: Any) -> None:
    apps.get_model("shop", "Order").objects.update(price=0)


def levels_in_a_loop(apps: Any, schema_editor: Any) -> None:
    for order in apps.get_model("shop", "Order").objects.all():
        order.price = 0
        order.save()


def empties(apps: Any, schema_editor: Any) -> None:
    apps.get_model("shop", "Order").objects.all().delete()


def sends_sql(apps: Any, schema_editor: Any) -> None:
    with connections[schema_editor.connection.alias].cursor() as cursor:
        cursor.execute("DELETE FROM shop_order")


def puts_sql_together(apps: Any, schema_editor: Any) -> None:
    table = apps.get_model("shop", "Order")._meta.db_table
    schema_editor.execute(f"TRUNCATE {table}")


def clears_by_relation(apps: Any, schema_editor: Any) -> None:
    for tag in apps.get_model("shop", "Tag").objects.all():
        tag.order_set.all().delete()


def clears_many(apps: Any, schema_editor: Any) -> None:
    for order in apps.get_model("shop", "Order").objects.all():
        order.tags.clear()


@pytest.mark.parametrize("code", [seeds, fills_slugs, doubles, fills_some])
def test_code_that_loses_nothing_needs_no_plan(code: Callable[..., None]) -> None:
    assert not may_lose_rows(code, "postgresql")


@pytest.mark.parametrize(
    "code",
    [
        levels,
        levels_in_a_loop,
        empties,
        sends_sql,
        puts_sql_together,
        clears_by_relation,
        clears_many,
        len,
    ],
)
def test_code_that_loses_something_or_cannot_be_followed_needs_one(
    code: Callable[..., None],
) -> None:
    assert may_lose_rows(code, "postgresql")
