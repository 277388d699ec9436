"""The functions of the corpus' RunPython operations."""

from __future__ import annotations

from typing import Any

from django.db import transaction


def fill_slugs_at_once(apps: Any, editor: Any) -> None:
    """Every row of the large table, in the migration's transaction."""
    item = apps.get_model("shop", "Item")
    item.objects.using(editor.connection.alias).update(unused=1)


def fill_in_batches(apps: Any, editor: Any) -> None:
    """A thousand rows at a time, each batch in a transaction of its own."""
    items = apps.get_model("shop", "Item").objects.using(editor.connection.alias)
    last = 0
    while True:
        keys = list(items.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:1000])
        if not keys:
            return
        with transaction.atomic(using=editor.connection.alias):
            items.filter(pk__in=keys, unused=None).update(unused=1)
        last = keys[-1]


def unfill(apps: Any, editor: Any) -> None:
    """The way back from filling."""


def fill_small(apps: Any, editor: Any) -> None:
    """Every row of the small table."""
    small = apps.get_model("shop", "Small")
    small.objects.using(editor.connection.alias).filter(holes=None).update(holes=0)


def add_category(apps: Any, editor: Any) -> None:
    """One more row."""
    category = apps.get_model("shop", "Category")
    category.objects.using(editor.connection.alias).create(name="new")


def remove_category(apps: Any, editor: Any) -> None:
    """That row goes again."""
    category = apps.get_model("shop", "Category")
    category.objects.using(editor.connection.alias).filter(name="new").delete()


def delete_all_items(apps: Any, editor: Any) -> None:
    """Every row goes."""
    apps.get_model("shop", "Item").objects.using(editor.connection.alias).all().delete()


def move_category(apps: Any, editor: Any) -> None:
    """Writes a column with a deferred foreign key, in a few rows."""
    small = apps.get_model("shop", "Small")
    small.objects.using(editor.connection.alias).filter(pk__lte=3).update(category_id=5)


def drop_by_cursor(apps: Any, editor: Any) -> None:
    """A schema change that hides in Python."""
    editor.execute("ALTER TABLE shop_item DROP COLUMN note")
