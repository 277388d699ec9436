"""Losses that hide from the gate, on real databases; `tests/unit` has the spellings."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.integration.test_gate import INITIAL, MIGRATE, Shop, codes, migration
from tests.projects import Project
from tests.servers import Database
from tests.zygote import Zygote

Make = Callable[..., Project]


@pytest.fixture
def shop(create_database: Callable[..., Database], make_project: Make, zygote: Zygote) -> Shop:
    database = create_database("postgresql")
    project = make_project(
        databases={"default": database.settings()},
        apps={"shop": {"migrations": {"0001_initial": INITIAL}}},
        settings_extra='MIGRATOR["BACKUP"] = "never"',
        installed=(),
    )
    return Shop(project, database, zygote)


@pytest.mark.postgresql
def test_several_statements_of_one_text_are_followed(shop: Shop) -> None:
    shop.execute("CREATE SCHEMA legacy; CREATE TABLE legacy.t AS SELECT 1 AS id")
    script = (
        "ALTER TABLE shop_order RENAME note TO nn; ALTER TABLE public.shop_order DROP nn;"
        "ALTER TABLE shop_order ALTER code TYPE varchar(50) USING upper(code);"
        "ALTER TABLE shop_order ALTER ratio TYPE double precision USING 0;"
        "ALTER TABLE public.shop_order_tags RENAME TO zz; DROP TABLE zz;"
        "SET search_path TO legacy; DROP TABLE t"
    )
    shop.add(f"migrations.RunSQL({script!r})")
    _, findings = shop.stopped()
    assert sorted(codes(findings), key=str) == [
        ("DL106", "shop_order", "ratio", 2),  # no code has a letter, so upper() changes none
        ("DS101", "t", "", None),
        ("DS101", "zz", "", 1),
        ("DS102", 'public"."shop_order', "nn", 1),
    ]


@pytest.mark.postgresql
def test_where_only_other_schemas_hold_anything(
    create_database: Callable[..., Database], make_project: Make, zygote: Zygote
) -> None:
    database = create_database("postgresql")
    database.execute("CREATE SCHEMA legacy; CREATE TABLE legacy.t AS SELECT 1 AS id")
    drop = 'migrations.RunSQL("DROP SCHEMA legacy CASCADE")'
    first = migration(drop).replace('("shop", "0001_initial")', "")
    project = make_project(
        databases={"default": database.settings()},
        apps={"shop": {"migrations": {"0001_initial": first}}},
        settings_extra='MIGRATOR["BACKUP"] = "never"',
        installed=(),
    )
    ended = zygote.run(project, *MIGRATE)
    assert ended.code == 3, str(ended)
    (finding,) = json.loads(ended.stdout)["databases"][0]["findings"]
    assert finding["code"] == "DS105"
    assert database.query("SELECT id FROM legacy.t") == [(1,)]


def test_consent_is_to_what_was_lost_then(
    create_database: Callable[..., Database], make_project: Make, zygote: Zygote
) -> None:
    database = create_database("sqlite")
    project = make_project(
        databases={"default": database.settings()},
        apps={"shop": {"migrations": {"0001_initial": INITIAL}}},
        settings_extra='MIGRATOR["BACKUP"] = "never"',
        installed=(),
    )
    shop = Shop(project, database, zygote)
    shop.execute("UPDATE shop_order SET unused = NULL")
    shop.add(
        'migrations.RemoveField("Order", "note")',
        'migrations.RemoveField("Order", "unused")',
        'migrations.RunSQL("SELECT * FROM nowhere")',
    )
    run = shop.run("--allow-destructive", code=1)["run_id"]
    assert shop.run("--resume", run, code=1)["error"]["type"] == "MigrationFailed"
    shop.execute("UPDATE shop_order SET unused = 'written since'")
    message, _ = shop.stopped("--resume", run)
    assert "shop_order.unused (2 rows)" in message
    assert database.query("SELECT DISTINCT unused FROM shop_order") == [("written since",)]


TREE = """\
    class Migration(migrations.Migration):
        initial = True
        operations = [
            migrations.CreateModel(
                "Place",
                [("id", models.BigAutoField(primary_key=True)), ("name", models.TextField())],
            ),
            migrations.CreateModel(
                "Bar",
                [
                    (
                        "place_ptr",
                        models.OneToOneField(
                            "shop.Place", models.CASCADE, parent_link=True, primary_key=True
                        ),
                    ),
                    ("beers", models.IntegerField(default=3)),
                ],
                bases=("shop.place",),
            ),
            migrations.CreateModel(
                "Pub", [], options={"proxy": True}, bases=("shop.bar",)
            ),
            migrations.CreateModel(
                "Foreign",
                [("id", models.BigAutoField(primary_key=True))],
                options={"managed": False, "db_table": "shop_foreign"},
            ),
            migrations.CreateModel(
                "Guest",
                [
                    ("id", models.BigAutoField(primary_key=True)),
                    ("visits", models.ManyToManyField("shop.Place")),
                ],
            ),
        ]
    """
MOVED = """\
    class Migration(migrations.Migration):
        dependencies = [("shop", "0001_initial")]
        operations = [
            migrations.DeleteModel("Pub"),
            migrations.DeleteModel("Foreign"),
            migrations.SeparateDatabaseAndState(
                database_operations=[
                    migrations.AlterModelTable("Bar", "tavern"),
                ],
                state_operations=[
                    migrations.AlterModelTable("Bar", "tavern"),
                ],
            ),
            migrations.SeparateDatabaseAndState(
                state_operations=[
                    migrations.CreateModel(
                        "Visit",
                        [
                            ("id", models.BigAutoField(primary_key=True)),
                            ("guest", models.ForeignKey("shop.Guest", models.CASCADE)),
                            ("place", models.ForeignKey("shop.Place", models.CASCADE)),
                        ],
                        options={"db_table": "shop_guest_visits"},
                    ),
                    migrations.AlterField(
                        "Guest",
                        "visits",
                        models.ManyToManyField("shop.Place", through="shop.Visit"),
                    ),
                ]
            ),
            migrations.RenameField("Bar", "beers", "taps"),
            migrations.AlterField("Bar", "taps", models.BigIntegerField(default=4, null=True)),
            migrations.RunSQL(migrations.RunSQL.noop, "DROP TABLE tavern"),
            migrations.RunSQL("CREATE INDEX by_name ON shop_place (id)", "DROP INDEX by_name"),
            migrations.SeparateDatabaseAndState(
                state_operations=[
                    migrations.RemoveField("Guest", "visits"),
                    migrations.DeleteModel("Visit"),
                ]
            ),
        ]
    """


@pytest.mark.parametrize(
    "vendor", [pytest.param("postgresql", marks=pytest.mark.postgresql), "sqlite"]
)
def test_operations_that_only_look_as_if_they_lost_something(
    create_database: Callable[..., Database], make_project: Make, zygote: Zygote, vendor: str
) -> None:
    database = create_database(vendor)
    project = make_project(
        databases={"default": database.settings()},
        apps={"shop": {"migrations": {"0001_initial": TREE}}},
        settings_extra='MIGRATOR["BACKUP"] = "never"',
        installed=(),
    )
    assert zygote.run(project, *MIGRATE).code == 0
    database.execute("CREATE TABLE shop_foreign (id int)")
    for sql in (
        "INSERT INTO shop_foreign VALUES (1)",
        "INSERT INTO shop_place (name) VALUES ('x')",
        "INSERT INTO shop_bar (place_ptr_id, beers) VALUES (1, 7)",
        "INSERT INTO shop_guest DEFAULT VALUES",
        "INSERT INTO shop_guest_visits (guest_id, place_id) VALUES (1, 1)",
    ):
        database.execute(sql)
    project.write_migration("shop", "0002_moved", MOVED)
    ended = zygote.run(project, *MIGRATE)
    assert ended.code == 0, str(ended)
    assert json.loads(ended.stdout)["databases"][0]["findings"] == []
    assert database.query("SELECT taps FROM tavern") == [(7,)]
    assert database.query("SELECT place_id FROM shop_guest_visits") == [(1,)]
