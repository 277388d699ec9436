"""More functions of RunPython operations, of kinds that public projects have."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Upper


def fill_in_a_loop(apps: Any, schema_editor: Any) -> None:
    Item = apps.get_model("shop", "Item")
    for item in Item.objects.using(schema_editor.connection.alias).iterator():
        item.unused = item.serial
        item.save(update_fields=["unused"])


def shout_in_a_loop(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    for small in Small.objects.using(schema_editor.connection.alias).all():
        small.name = small.name.upper()
        small.save()


def fill_holes_in_a_loop(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    for small in Small.objects.using(schema_editor.connection.alias).filter(holes__isnull=True):
        small.holes = 0
        small.save(update_fields=["holes"])


def assign_the_first(apps: Any, schema_editor: Any) -> None:
    alias = schema_editor.connection.alias
    Category = apps.get_model("shop", "Category")
    Small = apps.get_model("shop", "Small")
    first, _ = Category.objects.using(alias).get_or_create(name="c1")
    smalls = Small.objects.using(alias)
    smalls.update(category_id=first.pk)


def copy_into_the_new(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    Small.objects.using(schema_editor.connection.alias).update(extra=F("same"))


def seed(apps: Any, schema_editor: Any) -> None:
    Category = apps.get_model("shop", "Category")
    rows = Category.objects.using(schema_editor.connection.alias)
    for name in ("red", "green", "blue"):
        rows.get_or_create(name=name)


def unseed(apps: Any, schema_editor: Any) -> None:
    Category = apps.get_model("shop", "Category")
    rows = Category.objects.using(schema_editor.connection.alias)
    rows.filter(name__in=["red", "green", "blue"]).delete()


def seed_many(apps: Any, schema_editor: Any) -> None:
    Empty = apps.get_model("shop", "Empty")
    Empty.objects.using(schema_editor.connection.alias).bulk_create(
        [Empty(name=f"e{number}") for number in range(20)]
    )


def empty_the_empty(apps: Any, schema_editor: Any) -> None:
    apps.get_model("shop", "Empty").objects.using(schema_editor.connection.alias).all().delete()


def overwrite_by_cursor(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("UPDATE shop_small SET same = 0")


def one_by_cursor(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("UPDATE shop_item SET unused = %s WHERE id = %s", [1, 7])


def count_by_cursor(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM shop_small WHERE holes IS NULL")
        (count,) = cursor.fetchone()
        if count > 1000:
            raise RuntimeError(f"{count} rows of shop_small have no holes; fill them first.")


def index_on_postgresql(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute("CREATE INDEX IF NOT EXISTS shop_item_moment ON shop_item (moment)")


def unindex_on_postgresql(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS shop_item_moment")


def extension_on_postgresql(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("CREATE EXTENSION IF NOT EXISTS plpgsql")


def refuse_the_nameless(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    nameless = Small.objects.using(schema_editor.connection.alias).filter(name="")
    if nameless.exists():
        raise RuntimeError("There are rows without a name; name them and run this again.")


def copy_where_null(apps: Any, schema_editor: Any) -> None:
    Item = apps.get_model("shop", "Item")
    items = Item.objects.using(schema_editor.connection.alias)
    items.filter(unused__isnull=True, serial__isnull=False).update(unused=F("serial"))


def delete_all_but_one(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    Small.objects.using(schema_editor.connection.alias).exclude(pk=1).delete()


def _wipe(rows: Any) -> None:
    rows.all().delete()


def delete_by_a_helper(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    _wipe(Small.labels.through.objects.using(schema_editor.connection.alias))


def clear_labels(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    for small in Small.objects.using(schema_editor.connection.alias).all():
        small.labels.clear()


def delete_one_by_one(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    for small in Small.objects.using(schema_editor.connection.alias).all():
        small.delete()


def two_rows(apps: Any, schema_editor: Any) -> None:
    Item = apps.get_model("shop", "Item")
    Item.objects.using(schema_editor.connection.alias).filter(pk__in=[1, 2]).update(unused=5)


def fill_in_bulk(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    rows = list(Small.objects.using(schema_editor.connection.alias).filter(holes=None))
    for row in rows:
        row.holes = 1
    Small.objects.using(schema_editor.connection.alias).bulk_update(rows, ["holes"])


def batches_in_one_transaction(apps: Any, schema_editor: Any) -> None:
    Item = apps.get_model("shop", "Item")
    items = Item.objects.using(schema_editor.connection.alias)
    size = 5000
    top = items.order_by("-pk").values_list("pk", flat=True).first() or 0
    for start in range(0, top + 1, size):
        with transaction.atomic(using=schema_editor.connection.alias):
            items.filter(pk__gte=start, pk__lt=start + size).update(unused=1)


def delete_in_batches(apps: Any, schema_editor: Any) -> None:
    alias = schema_editor.connection.alias
    rows = apps.get_model("shop", "Small").labels.through.objects.using(alias)
    while True:
        keys = list(rows.values_list("pk", flat=True)[:5])
        if not keys:
            break
        with transaction.atomic(using=alias):
            rows.filter(pk__in=keys).delete()


def shout(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    Small.objects.using(schema_editor.connection.alias).update(name=Upper("name"))


def keep_the_first_of_each(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    seen = set()
    for small in Small.objects.using(schema_editor.connection.alias).order_by("pk"):
        if small.same in seen:
            small.delete()
        else:
            seen.add(small.same)


def rename_a_choice(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    Small.objects.using(schema_editor.connection.alias).filter(same=1).update(same=9)


def the_name_of_nobody(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    Small.objects.using(schema_editor.connection.alias).filter(name="nobody").update(same=9)


def does_nothing(apps: Any, schema_editor: Any) -> None:
    """The way back."""
