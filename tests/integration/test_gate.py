"""The gate on real databases: what loses data is stopped before anything is touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.projects import Project
from tests.servers import Database
from tests.zygote import Ended, Zygote

HISTORY = "SELECT app, name FROM django_migrations ORDER BY 1, 2"
MIGRATE = ("migrate_all", "--non-interactive", "--skip-makemigrations", "--format", "json")

INITIAL = """\
    class Migration(migrations.Migration):
        initial = True
        operations = [
            migrations.CreateModel(
                "Order",
                [
                    ("id", models.BigAutoField(primary_key=True)),
                    ("note", models.TextField(null=True)),
                    ("unused", models.TextField(null=True)),
                    ("price", models.DecimalField(max_digits=10, decimal_places=4, null=True)),
                    ("ratio", models.FloatField(null=True)),
                    ("at", models.DateTimeField(null=True)),
                    ("code", models.CharField(max_length=50, null=True)),
                ],
            ),
            migrations.CreateModel(
                "Tag",
                [
                    ("id", models.BigAutoField(primary_key=True)),
                    ("name", models.TextField(null=True)),
                ],
            ),
            migrations.CreateModel("Void", [("id", models.BigAutoField(primary_key=True))]),
            migrations.AddField("Order", "tags", models.ManyToManyField("shop.Tag")),
        ]
    """

ROWS = (
    "INSERT INTO shop_order (note, price, ratio, at, code) VALUES"
    " ('a note that is rather long', 1.2345, 1.5, '2026-01-01 10:00:00', '007'),"
    " (NULL, 1, 2, '2026-01-01 00:00:00', '7')"
)


def migration(*operations: str, body: str = "", after: str = "0001_initial") -> str:
    lines = "\n".join(f"            {operation}," for operation in operations)
    return (
        "class Migration(migrations.Migration):\n"
        f'    dependencies = [("shop", "{after}")]\n'
        f"    {body}\n"
        f"    operations = [\n{lines}\n    ]\n"
    )


class Shop:
    """A project with one app, its database, and what is done with both."""

    def __init__(self, project: Project, database: Database, zygote: Zygote) -> None:
        self.project = project
        self.database = database
        self.zygote = zygote
        self.run()
        self.execute(ROWS)
        self.execute("INSERT INTO shop_tag (name) VALUES ('x')")
        self.execute("INSERT INTO shop_order_tags (order_id, tag_id) VALUES (1, 1)")

    def execute(self, sql: str) -> None:
        self.database.execute(sql)

    def add(self, *operations: str, body: str = "", name: str = "0002_next", **how: Any) -> None:
        self.project.write_migration("shop", name, migration(*operations, body=body, **how))

    def run(self, *args: str, code: int = 0) -> dict[str, Any]:
        """A run; the report of its only database."""
        ended: Ended = self.zygote.run(self.project, *MIGRATE, *args)
        assert ended.code == code, str(ended)
        report = json.loads(ended.stdout)
        found: dict[str, Any] = report["databases"][0]
        return {**found, "run_id": report["run_id"]}

    def picture(self) -> tuple[str, list[tuple[Any, ...]]]:
        return self.database.dump(schema_only=False), self.database.query(HISTORY)

    def stopped(self, *args: str) -> tuple[str, list[dict[str, Any]]]:
        """A run that the gate stops, and that has touched nothing: message and findings."""
        before = self.picture()
        report = self.run(*args, code=3)
        assert self.picture() == before
        assert report["error"]["type"] == "DestructiveStep", report
        assert "--allow-destructive" in report["error"]["hint"]
        return report["error"]["message"], report["findings"]

    def consents(self, run_id: str) -> list[dict[str, Any]]:
        shown = self.zygote.run(
            self.project, "journal", "show", run_id, "--format", "json", console=True
        )
        entries = json.loads(shown.stdout)["entries"]
        return [entry["payload"] for entry in entries if entry["kind"] == "consent"]


@pytest.fixture
def shop(database: Database, make_project: Callable[..., Project], zygote: Zygote) -> Shop:
    project = make_project(
        databases={"default": database.settings()},
        apps={"shop": {"migrations": {"0001_initial": INITIAL}}},
        settings_extra='MIGRATOR["BACKUP"] = "never"',
        installed=(),
    )
    return Shop(project, database, zygote)


def codes(findings: list[dict[str, Any]]) -> list[tuple[str, str, str, int | None]]:
    return [
        (each["code"], each["table"] or "", each["column"] or "", each["rows"]) for each in findings
    ]


def test_what_loses_rows_is_stopped_and_goes_on_with_consent(shop: Shop) -> None:
    shop.add(
        'migrations.RemoveField("Order", "tags")',
        'migrations.RemoveField("Order", "note")',
        'migrations.DeleteModel("Tag")',
    )
    message, findings = shop.stopped()
    assert codes(findings) == [
        ("DS101", "shop_order_tags", "", 1),
        ("DS102", "shop_order", "note", 1),
        ("DS101", "shop_tag", "", 1),
    ]
    assert message == (
        "default: shop.0002_next would lose data: shop_order_tags (1 row), "
        "shop_order.note (1 row), shop_tag (1 row). Nothing was touched."
    )
    report = shop.run("--allow-destructive")
    assert report["outcome"] == "done"
    assert ("shop", "0002_next") in shop.database.query(HISTORY)
    (consent,) = shop.consents(report["run_id"])
    assert consent["how"] == "--allow-destructive"
    assert consent["by"]
    assert len(consent["findings"]) == 3


def test_who_is_asked_hears_what_fails_on_the_rows_that_are_there(shop: Shop) -> None:
    shop.add(
        'migrations.RemoveField("Order", "note")',
        'migrations.AlterField("Order", "unused", models.TextField())',
    )
    message, findings = shop.stopped()
    assert codes(findings) == [
        ("DS102", "shop_order", "note", 1),
        ("MF101", "shop_order", "unused", 2),
    ]
    assert "unused" not in message


def test_what_holds_nothing_is_not_asked_about(shop: Shop) -> None:
    shop.add(
        'migrations.DeleteModel("Void")',
        'migrations.RemoveField("Order", "unused")',
        'migrations.RenameField("Order", "note", "remark")',
        'migrations.RenameModel("Tag", "Label")',
        'migrations.AlterField("Order", "code", models.CharField(max_length=80, null=True))',
        'migrations.CreateModel("Tmp", [("id", models.BigAutoField(primary_key=True)),'
        ' ("text", models.TextField(null=True))])',
        "migrations.RunSQL(\"INSERT INTO shop_tmp (text) VALUES ('x')\")",
        'migrations.RemoveField("Tmp", "text")',
        'migrations.RunSQL("DELETE FROM shop_tmp")',
        'migrations.DeleteModel("Tmp")',
        "migrations.SeparateDatabaseAndState("
        'state_operations=[migrations.RemoveField("Order", "at")])',
        'migrations.RunSQL("DROP TABLE IF EXISTS shop_gone")',
    )
    report = shop.run()
    assert report["findings"] == []
    assert shop.consents(report["run_id"]) == []
    assert shop.database.query("SELECT remark FROM shop_order WHERE remark IS NOT NULL")


@pytest.mark.parametrize(
    "database",
    [pytest.param("postgresql", marks=pytest.mark.postgresql), "sqlite"],
    indirect=True,
)
def test_a_later_name_is_counted_under_the_name_of_today(shop: Shop) -> None:
    shop.add(
        'migrations.RenameModel("Order", "Purchase")',
        'migrations.RenameField("Purchase", "note", "remark")',
        'migrations.AddField("Purchase", "extra", models.TextField(null=True))',
    )
    shop.add(
        'migrations.RemoveField("Purchase", "extra")',
        'migrations.RemoveField("Purchase", "remark")',
        name="0003_more",
        after="0002_next",
    )
    _, findings = shop.stopped()
    assert codes(findings) == [("DS102", "shop_purchase", "remark", 1)]


def test_sql_by_hand_is_judged_alike(shop: Shop) -> None:
    truncate = "DELETE" if shop.database.vendor == "sqlite" else "TRUNCATE TABLE"
    script = [
        f"{truncate.replace('DELETE', 'DELETE FROM')} shop_order_tags",
        "ALTER TABLE shop_order DROP COLUMN note",
        "DELETE FROM shop_tag WHERE name = 'y'",
        "DELETE FROM shop_tag",
        "DROP TABLE shop_order",
        "DROP TABLE shop_void",
    ]
    shop.add(*(f"migrations.RunSQL({sql!r})" for sql in script))
    _, findings = shop.stopped()
    assert codes(findings) == [
        ("DS104" if truncate == "DELETE" else "DS103", "shop_order_tags", "", 1),
        ("DS102", "shop_order", "note", 1),
        ("DS104", "shop_tag", "", 1),
        ("DS101", "shop_order", "", 2),
    ]
    shop.add(*(f"migrations.RunSQL({f'/* {sql} */ SELECT 1'!r})" for sql in script))
    assert shop.run()["findings"] == []


def python(call: str, manager: str = "apps.get_model('shop', 'Order').objects") -> str:
    code = f"lambda apps, editor: {manager}.using(editor.connection.alias).{call}"
    return f"migrations.RunPython({code}, migrations.RunPython.noop)"


def test_python_is_judged_by_what_it_is_seen_to_do(shop: Shop) -> None:
    through = "apps.get_model('shop', 'Order').tags.through.objects"
    shop.add(
        python("update(unused='x')"),  # which holds nothing
        python("filter(note='another').delete()"),  # which no row has
        python("update(code='x')"),
        python("all().delete()", through),
    )
    _, findings = shop.stopped()
    assert codes(findings) == [
        ("DL105", "shop_order", "code", 2),
        ("DS104", "shop_order_tags", "", 1),
    ]
    report = shop.run("--allow-destructive")
    assert len(shop.consents(report["run_id"])) == 1
    assert shop.database.query("SELECT count(*) FROM shop_order_tags") == [(0,)]


def test_an_update_of_every_row_is_asked_about_and_one_that_loses_nothing_is_not(
    shop: Shop,
) -> None:
    shop.add("migrations.RunSQL(\"UPDATE shop_order SET unused = 'x'\")")
    assert shop.run()["outcome"] == "done"
    shop.add(
        "migrations.RunSQL(\"UPDATE shop_order SET code = 'x'\")",
        name="0003_next",
        after="0002_next",
    )
    _, findings = shop.stopped()
    assert codes(findings) == [("DL105", "shop_order", "code", 2)]


COMPUTED = """\
    from django.db import migrations
    from django.db.models import Case, F, Value, When
    from django.db.models.functions import Coalesce, Lower, Trim

    def rows(apps, editor):
        return apps.get_model("shop", "Order").objects.using(editor.connection.alias)

    def by_expressions(apps, editor):
        orders = rows(apps, editor)
        orders.update(price=F("price") * 2, note=Trim(Lower("note")))
        orders.update(ratio=Case(When(ratio=2, then=Value(3.0)), default=F("ratio")))
        orders.update(code=Coalesce("code", Value("none")))

    def in_a_loop(apps, editor):
        for order in rows(apps, editor).order_by("pk"):
            order.code = f"{order.code}-{order.pk}"
            order.price += 1
            order.save(update_fields=["code", "price"])

    def in_bulk(apps, editor):
        found = list(rows(apps, editor))
        for order in found:
            order.note = (order.note or "").strip()
        rows(apps, editor).bulk_update(found, ["note"])

    def of_some(apps, editor):
        rows(apps, editor).filter(note__isnull=True).update(note="")
        rows(apps, editor).filter(code="7").update(code="007")
        rows(apps, editor).update_or_create(pk=1, defaults={"code": "1"})
        rows(apps, editor).get_or_create(pk=1)

    def back(apps, editor):
        pass

    class Migration(migrations.Migration):
        dependencies = [("shop", "0001_initial")]
        operations = [
            migrations.RunPython(by_expressions, back),
            migrations.RunPython(in_a_loop, back),
            migrations.RunPython(in_bulk, back),
            migrations.RunPython(of_some, back),
            migrations.RunSQL("UPDATE shop_order SET price = price * 2, code = lower(code)"),
            migrations.RunSQL("UPDATE shop_order SET code = coalesce(trim(code), 'x')"),
            migrations.RunSQL("UPDATE shop_order SET note = 'x' WHERE note = ''"),
        ]
    """


def test_values_that_are_computed_from_the_old_ones_are_not_asked_about(shop: Shop) -> None:
    shop.project.write_migration("shop", "0002_next", COMPUTED)
    report = shop.run()
    assert report["outcome"] == "done"
    assert report["findings"] == []


FILLED = """\
    def fill(apps, editor):
        for order in apps.get_model("shop", "Order").objects.using(editor.connection.alias).all():
            order.slug = f"order-{order.pk}"
            order.save(update_fields=["slug"])

    def flag(apps, editor):
        apps.get_model("shop", "Order").objects.using(editor.connection.alias).update(sent=True)

    class Migration(migrations.Migration):
        dependencies = [("shop", "0002_slug")]
        operations = [
            migrations.RunPython(fill, migrations.RunPython.noop),
            migrations.RunPython(flag, migrations.RunPython.noop),
        ]
    """


def test_a_column_that_an_earlier_migration_added_may_be_filled(shop: Shop) -> None:
    """Every row holds the same, the default of then: nobody misses it."""
    shop.add(
        'migrations.AddField("Order", "slug", models.SlugField(default=""))',
        'migrations.AddField("Order", "sent", models.BooleanField(default=False))',
        name="0002_slug",
    )
    assert shop.run()["outcome"] == "done"
    shop.project.write_migration("shop", "0003_fill", FILLED)
    report = shop.run()
    assert (report["outcome"], report["findings"]) == ("done", [])


def test_one_value_for_all_rows_is_asked_about_in_a_loop_as_well(shop: Shop) -> None:
    loop = """\
    def level(apps, editor):
        nothing = None
        for order in apps.get_model("shop", "Order").objects.using(editor.connection.alias).all():
            order.code = nothing
            order.save()

    class Migration(migrations.Migration):
        dependencies = [("shop", "0001_initial")]
        operations = [migrations.RunPython(level, migrations.RunPython.noop)]
    """
    shop.project.write_migration("shop", "0002_next", loop)
    _, findings = shop.stopped()
    assert codes(findings) == [("DL105", "shop_order", "code", 2)]


NARROWED = (
    (
        'migrations.AlterField("Order", "price",'
        " models.DecimalField(max_digits=10, decimal_places=2, null=True))"
    ),
    'migrations.AlterField("Order", "ratio", models.IntegerField(null=True))',
    'migrations.AlterField("Order", "at", models.DateField(null=True))',
    'migrations.AlterField("Order", "code", models.IntegerField(null=True))',
)
SHORTER = 'migrations.AlterField("Order", "note", models.CharField(max_length=9, null=True))'


def test_values_that_a_change_of_type_would_alter(shop: Shop) -> None:
    """Each was seen to be altered without a word: by PostgreSQL all of them; MariaDB refuses to
    cut a text off; SQLite keeps any value in any column, but for "007" in one of numbers.
    """
    vendor = shop.database.vendor
    shop.add(*NARROWED, *((SHORTER,) if vendor == "postgresql" else ()))
    _, findings = shop.stopped()
    if vendor == "sqlite":
        assert codes(findings) == [("DL104", "shop_order", "code", 1)]
        return
    expected = [
        ("DL102", "shop_order", "price", 1),
        ("DL102", "shop_order", "ratio", 1),
        ("DL103", "shop_order", "at", 1),
        ("DL104", "shop_order", "code", 1),
        ("DL101", "shop_order", "note", 1),
    ]
    assert codes(findings) == expected[: len(findings)]
    assert len(findings) == (5 if vendor == "postgresql" else 4)
    shop.execute(
        "UPDATE shop_order SET price = 1, ratio = 1, at = '2026-01-01', code = '1', note = 'x'"
    )
    assert shop.run()["findings"] == []


@pytest.mark.mysql
def test_mysql_cuts_off_without_a_strict_mode_and_refuses_with_one(
    create_database: Callable[..., Database], make_project: Callable[..., Project], zygote: Zygote
) -> None:
    database = create_database("mysql")
    for mode in ("''", "'STRICT_TRANS_TABLES'"):
        settings = database.settings()
        options = {**settings.get("OPTIONS", {}), "init_command": f"SET sql_mode = {mode}"}
        project = make_project(
            databases={"default": {**settings, "OPTIONS": options}},
            apps={"shop": {"migrations": {"0001_initial": INITIAL}}},
            settings_extra='MIGRATOR["BACKUP"] = "never"',
            installed=(),
        )
        if mode == "''":
            shop = Shop(project, database, zygote)
            shop.add(SHORTER)
            _, findings = shop.stopped()
            assert codes(findings) == [("DL101", "shop_order", "note", 1)]
        else:
            project.write_migration("shop", "0002_next", migration(SHORTER))
            ended = zygote.run(project, *MIGRATE)
            assert ended.code == 1, str(ended)
            report = json.loads(ended.stdout)["databases"][0]
            assert report["findings"] == []
            assert report["error"]["type"] == "MigrationFailed"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_reason_lets_it_through_and_is_shown(shop: Shop) -> None:
    shop.add(
        'migrations.RemoveField("Order", "note")',
        body='migrator_ignore = {"DS102": "copied to the archive"}',
    )
    report = shop.run()
    ((code, _, _, _),) = codes(report["findings"])
    assert code == "DS102"
    assert report["findings"][0]["suppressed"] == "copied to the archive"
    assert shop.consents(report["run_id"]) == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_resume_does_not_ask_again_for_the_same_steps(shop: Shop) -> None:
    shop.add('migrations.RemoveField("Order", "note")')
    broken = 'migrations.RunSQL("SELECT * FROM nowhere")'
    shop.add(broken, name="0003_broken", after="0002_next")
    shop.add('migrations.DeleteModel("Tag")', name="0004_last", after="0003_broken")
    shop.execute("DELETE FROM shop_order_tags")
    run = shop.run("--allow-destructive", code=1)
    assert ("shop", "0002_next") in shop.database.query(HISTORY)
    report = shop.run("--resume", run["run_id"], code=1)
    assert report["error"]["type"] == "MigrationFailed"  # and not DestructiveStep
    assert report["consent"]["how"] == "--allow-destructive"
    assert len(shop.consents(run["run_id"])) == 1
    # Another plan is another matter.
    shop.add('migrations.DeleteModel("Order")', name="0003_broken", after="0002_next")
    before = shop.picture()
    report = shop.run("--resume", run["run_id"], "--accept-changed-migrations", code=3)
    assert report["error"]["type"] == "DestructiveStep"
    assert shop.picture() == before


def test_other_databases_go_on(
    create_database: Callable[..., Database], make_project: Callable[..., Project], zygote: Zygote
) -> None:
    databases = {alias: create_database("sqlite") for alias in ("default", "other")}
    project = make_project(
        databases={alias: found.settings() for alias, found in databases.items()},
        apps={"shop": {"migrations": {"0001_initial": INITIAL}}},
        settings_extra='MIGRATOR["BACKUP"] = "never"',
        installed=(),
    )
    assert zygote.run(project, *MIGRATE).code == 0
    databases["default"].execute(ROWS)
    project.write_migration("shop", "0002_next", migration('migrations.DeleteModel("Order")'))
    ended = zygote.run(project, *MIGRATE)
    assert ended.code == 3, str(ended)
    report = json.loads(ended.stdout)
    outcomes = {each["alias"]: each["outcome"] for each in report["databases"]}
    assert outcomes["default"] != "done"
    assert outcomes["other"] == "done"
    text = zygote.run(project, "migrate_all", "--non-interactive", "--skip-makemigrations")
    assert text.code == 3
    assert "shop_order (2 rows)" in text.stdout
    assert "--allow-destructive" in text.stdout


ODD = """\
    class Migration(migrations.Migration):
        initial = True
        operations = [
            migrations.RunSQL("CREATE SCHEMA tenant"),
            migrations.CreateModel(
                "Size",
                [
                    ("id", models.BigAutoField(primary_key=True)),
                    ("wide", models.TextField(null=True, db_column="Wie breit?")),
                ],
                options={"db_table": 'tenant"."Größe in cm'},
            ),
            migrations.RunSQL("CREATE TABLE legacy (id int); INSERT INTO legacy VALUES (1)"),
            migrations.RunSQL("CREATE TABLE tenant.old (id int)"),
            migrations.RunSQL("INSERT INTO tenant.old VALUES (1)"),
            migrations.RunSQL(
                "CREATE TABLE parts (id int) PARTITION BY RANGE (id);"
                "CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (9);"
                "INSERT INTO parts VALUES (1), (2)"
            ),
        ]
    """


@pytest.mark.postgresql
def test_tables_of_other_names_schemas_and_kinds(
    create_database: Callable[..., Database], make_project: Callable[..., Project], zygote: Zygote
) -> None:
    database = create_database("postgresql")
    project = make_project(
        databases={"default": database.settings()},
        apps={"shop": {"migrations": {"0001_initial": ODD}}},
        settings_extra='MIGRATOR["BACKUP"] = "never"',
        installed=(),
    )
    assert zygote.run(project, *MIGRATE).code == 0
    database.execute('INSERT INTO tenant."Größe in cm" ("Wie breit?") VALUES (\'x\')')
    script = [
        "DROP TABLE public.legacy",
        "DROP TABLE tenant.old, parts",
        "DO $$ BEGIN DROP TABLE legacy; END $$",
        "DROP TABLE IF EXISTS tenant.never",
        "DROP SCHEMA tenant CASCADE",
    ]
    project.write_migration(
        "shop",
        "0002_next",
        migration(
            'migrations.RemoveField("Size", "wide")',
            'migrations.DeleteModel("Size")',
            *(f"migrations.RunSQL({sql!r})" for sql in script),
        ),
    )
    before = database.dump(schema_only=False)
    ended = zygote.run(project, *MIGRATE)
    assert ended.code == 3, str(ended)
    assert database.dump(schema_only=False) == before
    report = json.loads(ended.stdout)["databases"][0]
    assert sorted(codes(report["findings"]), key=str) == sorted(
        [
            ("DS101", 'public"."legacy', "", 1),
            ("DS101", 'tenant"."Größe in cm', "", 1),
            ("DS101", 'tenant"."old', "", 1),
            ("DS101", "parts", "", 2),
            ("DS102", 'tenant"."Größe in cm', "Wie breit?", 1),
            ("DS105", "", "", None),
            ("DS106", "", "", None),
        ],
        key=str,
    )
    assert "tenant.Größe in cm.Wie breit? (1 row)" in report["error"]["message"]
    assert "and 2 more" in report["error"]["message"]
