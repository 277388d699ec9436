"""The project of the corpus: a shop with a large table, small ones and an empty one."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import migrations, models

from tests.history import History

ROWS = 50_000
"""Of the large table."""

APP = "shop"
INITIAL = (APP, "0001_initial")


def initial() -> list[migrations.CreateModel]:
    """What has been applied, with rows in it."""
    return [
        migrations.CreateModel(
            "Category",
            [
                ("id", models.AutoField(primary_key=True)),
                ("name", models.CharField(max_length=50)),
            ],
        ),
        migrations.CreateModel(
            "Item",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("name", models.CharField(max_length=50)),
                ("code", models.CharField(max_length=50)),
                ("sku", models.CharField(max_length=50, db_index=True)),
                ("note", models.TextField(default="")),
                ("digits", models.TextField(default="0")),
                ("wide", models.CharField(max_length=200, default="w")),
                ("slug", models.CharField(max_length=50, null=True)),
                ("filled", models.IntegerField(null=True)),
                ("given", models.IntegerField(null=True, default=0)),
                ("holes", models.IntegerField(null=True, default=0)),
                ("same", models.IntegerField(default=1)),
                ("serial", models.IntegerField()),
                ("signed", models.IntegerField(default=0)),
                ("small", models.SmallIntegerField(default=0)),
                ("big", models.BigIntegerField(default=0)),
                ("huge", models.BigIntegerField(default=0)),
                ("price", models.DecimalField(max_digits=12, decimal_places=4, default=0)),
                ("cents", models.DecimalField(max_digits=12, decimal_places=2, default=0)),
                ("ratio", models.FloatField(default=0)),
                ("moment", models.DateTimeField(null=True)),
                ("day", models.DateField(null=True)),
                ("loose_id", models.IntegerField(null=True)),
                ("tied_id", models.IntegerField(null=True)),
                ("indexed", models.IntegerField(default=0, db_index=True)),
                ("stated", models.IntegerField(db_default=7)),
                ("flag", models.BooleanField(default=False)),
                ("data", models.JSONField(default=dict)),
                ("token", models.UUIDField(null=True)),
                ("unused", models.IntegerField(null=True)),
                ("category", models.ForeignKey("shop.Category", models.CASCADE, null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["big"], name="item_big_idx")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(serial__gte=0), name="item_serial_gte_0"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            "Small",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("name", models.CharField(max_length=50)),
                ("holes", models.IntegerField(null=True, default=0)),
                ("same", models.IntegerField(default=1)),
                ("given", models.IntegerField(null=True, default=0)),
                ("labels", models.ManyToManyField("shop.Category")),
                (
                    "category",
                    models.ForeignKey(
                        "shop.Category", models.CASCADE, null=True, related_name="smalls"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["name"], name="small_name_uniq"),
                ],
            },
        ),
        migrations.CreateModel(
            "Empty",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("name", models.CharField(max_length=50)),
                ("holes", models.IntegerField(null=True, default=0)),
            ],
        ),
    ]


def history() -> History:
    """The history up to where each case begins."""
    return History().add(APP, "0001_initial", initial(), initial=True)


# -- rows --------------------------------------------------------------------------------

_TEXT = {"postgresql": "'{0}' || n", "sqlite": "'{0}' || n", "mysql": "CONCAT('{0}', n)"}
_ITEM = {
    "name": "text:name ",
    "code": "CASE WHEN n = 3 THEN '{long}' ELSE {code} END",
    "sku": "text:sku",
    "note": "CASE WHEN n % 2 = 0 THEN '12' ELSE '{thirty}' END",
    "digits": "text:",
    "wide": "'wide'",
    "slug": "CASE WHEN n <= 40 THEN NULL ELSE {slug} END",
    "filled": "n",
    "given": "n % 100",
    "holes": "CASE WHEN n <= 40 THEN NULL ELSE n END",
    "same": "n % 7",
    "serial": "n",
    "signed": "CASE WHEN n = 5 THEN -1 ELSE n END",
    "small": "n % 100",
    "big": "n",
    "huge": "1099511627776 + n",
    "price": "1.2345",
    "cents": "1.50",
    "ratio": "1.5",
    "moment": "'2026-01-02 03:04:05'",
    "day": "'2026-01-02'",
    "loose_id": "CASE WHEN n <= 3 THEN 900000 ELSE NULL END",
    "tied_id": "1 + n % 20",
    "indexed": "n % 100",
    "flag": "{true}",
    "data": "'{{\"a\": 1}}'",
    "token": "NULL",
    "unused": "NULL",
    "category_id": "1 + n % 20",
}
_NUMBERS = {
    "postgresql": "generate_series(1, {rows}) AS g(n)",
    "mysql": "(SELECT seq AS n FROM seq_1_to_{rows}) AS g",
    "sqlite": "(WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g"
    " WHERE n < {rows}) SELECT n FROM g) AS g",
}


def fill(vendor: str, rows: int = ROWS) -> Iterable[str]:
    """The statements that put the rows in.

    Args:
        vendor: Whose SQL.
        rows: Of the large table.
    """

    def text(prefix: str) -> str:
        return _TEXT[vendor].format(prefix)

    def numbers(count: int) -> str:
        return _NUMBERS[vendor].format(rows=count)

    yield f"INSERT INTO shop_category (name) SELECT {text('c')} FROM {numbers(20)}"
    values = {
        column: text(expression[5:])
        if expression.startswith("text:")
        else expression.format(
            long="c" * 40,
            thirty="x" * 30,
            code=text("code"),
            slug=text("slug"),
            true="(n % 2 = 0)",
        )
        for column, expression in _ITEM.items()
    }
    if vendor == "postgresql":
        values |= {
            "moment": "timestamptz '2026-01-02 03:04:05+00'",
            "day": "date '2026-01-02'",
            "data": "'{\"a\": 1}'::jsonb",
            "token": "NULL::uuid",
            "unused": "NULL::integer",
        }
    columns, expressions = ", ".join(values), ", ".join(values.values())
    yield f"INSERT INTO shop_item ({columns}) SELECT {expressions} FROM {numbers(rows)}"
    yield (
        "INSERT INTO shop_small (name, holes, same, given, category_id) SELECT "
        f"{text('s')}, CASE WHEN n <= 3 THEN NULL ELSE n END, n % 3, n, n FROM {numbers(20)}"
    )
    yield f"INSERT INTO shop_small_labels (small_id, category_id) SELECT n, n FROM {numbers(20)}"
    if vendor == "mysql":
        yield "ANALYZE TABLE shop_item, shop_small, shop_category, shop_empty, shop_small_labels"
    else:
        yield "ANALYZE"


__all__ = ["APP", "INITIAL", "ROWS", "fill", "history", "initial"]
