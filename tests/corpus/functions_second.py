"""Functions of RunPython operations of the second blind holdout."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, connections, transaction
from django.db.models import Case, Count, Exists, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce, Lower, Substr, Trim
from django.utils.text import slugify


def double(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    Small.objects.using(schema_editor.connection.alias).update(same=F("same") * 2)


def halve(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    Small.objects.using(schema_editor.connection.alias).update(same=F("same") / 2)


def trim_names(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    Small.objects.using(schema_editor.connection.alias).update(name=Trim("name"))


def coalesce_holes(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    Small.objects.using(schema_editor.connection.alias).update(holes=Coalesce("holes", Value(0)))


def case_when(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    Small.objects.using(schema_editor.connection.alias).update(
        same=Case(When(same=0, then=Value(10)), When(same=1, then=Value(11)), default=F("same"))
    )


def case_forgets_the_rest(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    Small.objects.using(schema_editor.connection.alias).update(
        given=Case(When(given=1, then=Value(10)), default=Value(None))
    )


def slugs_into_the_new(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    for small in Small.objects.using(schema_editor.connection.alias).all():
        small.slug = slugify(small.name)
        small.save(update_fields=["slug"])


def slugs_in_bulk(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    rows = Small.objects.using(schema_editor.connection.alias)
    todo = []
    for small in rows.filter(Q(slug="") | Q(slug__isnull=True)).only("pk", "name"):
        small.slug = slugify(small.name)[:50]
        todo.append(small)
    rows.bulk_update(todo, ["slug"], batch_size=500)


def update_or_create_settings(apps: Any, schema_editor: Any) -> None:
    Category = apps.get_model("shop", "Category")
    for name in ["alpha", "beta"]:
        Category.objects.using(schema_editor.connection.alias).update_or_create(
            name=name, defaults={"name": name}
        )


def update_or_create_that_is_there(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    Small.objects.using(schema_editor.connection.alias).update_or_create(
        name="s3", defaults={"same": 77}
    )


def from_a_subquery(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    Category = apps.get_model("shop", "Category")
    names = Category.objects.filter(pk=OuterRef("category_id")).values("name")[:1]
    Small.objects.using(schema_editor.connection.alias).update(title=Subquery(names))


def merge_categories(apps: Any, schema_editor: Any) -> None:
    alias = schema_editor.connection.alias
    Category = apps.get_model("shop", "Category")
    Small = apps.get_model("shop", "Small")
    Item = apps.get_model("shop", "Item")
    keep = Category.objects.using(alias).order_by("pk").first()
    if keep is None:
        return
    for other in Category.objects.using(alias).filter(name__in=["c2", "c3"]):
        Small.objects.using(alias).filter(category=other).update(category=keep)
        Item.objects.using(alias).filter(category=other, pk__lt=0).update(category=keep)


def prune_unused(apps: Any, schema_editor: Any) -> None:
    Category = apps.get_model("shop", "Category")
    rows = Category.objects.using(schema_editor.connection.alias)
    rows.annotate(used=Count("item")).filter(used=0).delete()


def remove_what_exists_elsewhere(apps: Any, schema_editor: Any) -> None:
    alias = schema_editor.connection.alias
    Small = apps.get_model("shop", "Small")
    Category = apps.get_model("shop", "Category")
    twins = Category.objects.filter(pk=OuterRef("category_id"))
    Small.labels.through.objects.using(alias).filter(
        Exists(Small.objects.filter(pk=OuterRef("small_id")).filter(Exists(twins)))
    ).delete()


def raw_delete(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    rows = Small.labels.through.objects.using(schema_editor.connection.alias)
    rows.all()._raw_delete(rows.db)


def truncate_by_editor(apps: Any, schema_editor: Any) -> None:
    table = apps.get_model("shop", "Small").labels.through._meta.db_table
    schema_editor.execute(f"DELETE FROM {schema_editor.quote_name(table)}")


def copy_to_a_new_table(apps: Any, schema_editor: Any) -> None:
    alias = schema_editor.connection.alias
    Small = apps.get_model("shop", "Small")
    Copy = apps.get_model("shop", "Copy")
    Copy.objects.using(alias).bulk_create(
        Copy(name=name, same=same)
        for name, same in Small.objects.using(alias).values_list("name", "same")
    )


def change_json(apps: Any, schema_editor: Any) -> None:
    Item = apps.get_model("shop", "Item")
    rows = Item.objects.using(schema_editor.connection.alias).filter(pk__lte=5)
    for item in rows:
        item.data["a"] = 2
        item.save(update_fields=["data"])


def parse_text(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    for small in Small.objects.using(schema_editor.connection.alias).all():
        small.extra = json.loads(json.dumps({"name": small.name}))
        small.save()


def by_setattr(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    for small in Small.objects.using(schema_editor.connection.alias).all():
        setattr(small, "same", 0)  # noqa: B010
        small.save()


def fields_by_name(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    values = {"same": 5, "holes": None}
    Small.objects.using(schema_editor.connection.alias).update(**values)


def tries_each(apps: Any, schema_editor: Any) -> None:
    alias = schema_editor.connection.alias
    Category = apps.get_model("shop", "Category")
    for name in ("x", "y"):
        try:
            with transaction.atomic(using=alias):
                Category.objects.using(alias).create(name=name)
        except IntegrityError:
            pass


def through_connections(apps: Any, schema_editor: Any) -> None:
    with connections[schema_editor.connection.alias].cursor() as cursor:
        cursor.executemany("UPDATE shop_small SET same = %s WHERE id = %s", [(50, 1), (60, 2)])


def clears_a_column(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    Small.objects.using(schema_editor.connection.alias).update(given=None)


def fills_the_empty(apps: Any, schema_editor: Any) -> None:
    Item = apps.get_model("shop", "Item")
    Item.objects.using(schema_editor.connection.alias).filter(slug__isnull=True).update(
        slug=Substr(Lower("sku"), 1, 50)
    )


def rounds(apps: Any, schema_editor: Any) -> None:
    Small = apps.get_model("shop", "Small")
    rows = list(Small.objects.using(schema_editor.connection.alias).all())
    for row in rows:
        row.same = int(Decimal(row.same) / 10)
    Small.objects.using(schema_editor.connection.alias).bulk_update(rows, ["same"])


def fix_through_a_set(apps: Any, schema_editor: Any) -> None:
    Category = apps.get_model("shop", "Category")
    for category in Category.objects.using(schema_editor.connection.alias).all():
        category.smalls.all().delete()


def nothing(apps: Any, schema_editor: Any) -> None:
    """The way back."""
