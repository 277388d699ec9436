"""Evidence, end to end: a project with everything that migration state does not know of.

Each test runs one process that makes many changes to the database, one at a time, and looks at
each: a scan in a process of its own for each would cost more than all the rest.
"""

from __future__ import annotations

import json
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.projects import Project, kill
from tests.servers import (
    Database,
    MySQLDatabase,
    PostgresDatabase,
    PostgresServer,
    SQLiteServer,
)

VENDORS = [
    pytest.param("postgresql", marks=pytest.mark.postgresql),
    "sqlite",
    pytest.param("mysql", marks=pytest.mark.mysql),
]

LOOK = """\
import json
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
import django

django.setup()
from django.db import connection

from migrator import Migrator, MigratorOptions


def execute(statements):
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def look(options):
    report = Migrator(MigratorOptions(skip_makemigrations=True, **options)).migrate_all()
    (found,) = report.db_reports
    incidents = found.drift.incidents if found.drift else ()
    return {
        "outcome": report.outcome,
        "run": report.run_id,
        "error": found.error.message if found.error else "",
        "incidents": [incident.to_dict() for incident in incidents],
    }


results = []
for step in json.load(sys.stdin):
    execute(step.get("do", []))
    results.append(look(step["options"]) if "options" in step else None)
    execute(step.get("undo", []))
json.dump(results, sys.stdout)
"""

SHOP = {
    "models": """\
        from django.db import models

        class Book(models.Model):
            title = models.CharField(max_length=50)
            price = models.IntegerField(default=0)

        class Author(models.Model):
            name = models.CharField(max_length=50, db_index=True)
        """,
    "apps": """\
        from django.apps import AppConfig
        from django.db.models.signals import post_migrate

        def index_titles(sender, using, **kwargs):
            from django.db import connections

            with connections[using].cursor() as cursor:
                names = connections[using].introspection.get_constraints(cursor, "shop_book")
                if "by_receiver" not in names:
                    cursor.execute("CREATE INDEX by_receiver ON shop_book (title, price)")

        class ShopConfig(AppConfig):
            name = "shop"

            def ready(self):
                post_migrate.connect(index_titles, sender=self)
        """,
    "migrations": {
        "0001_initial": """\
            class Migration(migrations.Migration):
                initial = True
                operations = [
                    migrations.CreateModel("Book", [
                        ("id", models.BigAutoField(primary_key=True)),
                        ("title", models.CharField(max_length=50)),
                        ("price", models.IntegerField(default=0)),
                    ]),
                    migrations.CreateModel("Author", [
                        ("id", models.BigAutoField(primary_key=True)),
                        ("name", models.CharField(max_length=50, db_index=True)),
                    ]),
                ]
            """,
        "0002_opaque": """\
            def by_hand(apps, schema_editor):
                with schema_editor.connection.cursor() as cursor:
                    cursor.execute("ALTER TABLE shop_book ADD COLUMN extra integer")
                    cursor.execute("CREATE INDEX by_python ON shop_book (price)")

            class Migration(migrations.Migration):
                dependencies = [("shop", "0001_initial")]
                operations = [
                    migrations.RunSQL("CREATE UNIQUE INDEX by_sql ON shop_book (title)"),
                    migrations.RunSQL("CREATE VIEW titles AS SELECT title FROM shop_book"),
                    migrations.RunPython(by_hand),
                ]
            """,
    },
}


def shop(make_project: Callable[..., Project], database: Database, **changes: Any) -> Project:
    project = make_project(
        databases={"default": database.settings()},
        apps={"shop": SHOP},
        installed=("django.contrib.contenttypes",),
        **changes,
    )
    settings = project.root / "config/settings.py"
    settings.write_text(settings.read_text().replace("'shop'", "'shop.apps.ShopConfig'"))
    project.write("look.py", LOOK)
    return project


def look(project: Project, *steps: dict[str, Any]) -> list[dict[str, Any]]:
    """Run the steps in one process; what each look found."""
    done = project._run(
        [sys.executable, "look.py"],
        check=True,
        env=None,
        timeout=250,
        stdin=json.dumps(steps),
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


CHECK = {"check": True}
DEEP = {"check": True, "deep": True}


def index_drop(vendor: str, name: str) -> str:
    return f"DROP INDEX {name}" + (" ON shop_book" if vendor == "mysql" else "")


def mutations(vendor: str) -> list[tuple[dict[str, Any], tuple[str, bool, str]]]:
    """A change behind the back of state, its reverse, and the incident that it is."""
    return [
        (
            {
                "do": [index_drop(vendor, "by_sql")],
                "undo": ["CREATE UNIQUE INDEX by_sql ON shop_book (title)"],
            },
            # A unique index serves as a unique constraint does.
            ("DR105", True, "unique" if vendor == "mysql" else "index"),
        ),
        (
            {
                "do": [index_drop(vendor, "by_receiver")],
                "undo": ["CREATE INDEX by_receiver ON shop_book (title, price)"],
            },
            ("DR105", True, "index"),
        ),
        (
            {
                "do": ["ALTER TABLE shop_book DROP COLUMN extra"],
                "undo": ["ALTER TABLE shop_book ADD COLUMN extra integer"],
            },
            ("DR101", True, "column"),
        ),
        (
            {
                "do": ["DROP VIEW titles"],
                "undo": ["CREATE VIEW titles AS SELECT title FROM shop_book"],
            },
            ("DR108", False, "view"),
        ),
    ]


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_state_does_not_know_of_is_proved_by_snapshot_and_by_replay(
    vendor: str,
    create_database: Callable[..., Database],
    make_project: Callable[..., Project],
) -> None:
    database = create_database(vendor)
    project = shop(make_project, database)
    project.manage("migrate", "-v0", check=True)
    cases = mutations(vendor)
    snapshot = [{**step, "options": CHECK} for step, _ in cases]
    replay = [{**step, "options": DEEP} for step, _ in cases]
    steps = [{"options": CHECK}, {"options": DEEP}, *replay, {"options": {"verbosity": 0}}]
    results = look(project, *steps, {"options": CHECK}, {"options": DEEP}, *snapshot)
    first, deep, *rest = results
    count = len(cases)
    replayed, verified = rest[:count], rest[count]
    again, deep_again, *snapped = rest[count + 1 :]

    assert not [i for i in first["incidents"] if i["blocking"]], first
    assert {i["evidence"] for i in first["incidents"]} <= {"unconfirmed"}
    assert deep["outcome"] == "complete", deep
    assert not [i for i in deep["incidents"] if i["evidence"] == "replay"], deep
    assert verified["outcome"] == "complete", verified
    for healthy in (again, deep_again):
        assert healthy["outcome"] == "complete", healthy
        assert not [i for i in healthy["incidents"] if i["evidence"] != "unconfirmed"], healthy

    for evidence, outcomes in (("replay", replayed), ("snapshot", snapped)):
        for (step, wanted), outcome in zip(cases, outcomes, strict=True):
            found = [i for i in outcome["incidents"] if i["evidence"] == evidence]
            assert [(i["code"], i["blocking"], i["object"]["kind"]) for i in found] == [wanted], (
                step,
                outcome,
            )
            assert found[0]["since"] == (verified["run"] if evidence == "snapshot" else None)
            assert (verified["run"] in found[0]["message"]) == (evidence == "snapshot")


# -- a file ---------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_file_made_from_another_database_proves_as_much(
    vendor: str,
    create_database: Callable[..., Database],
    make_project: Callable[..., Project],
) -> None:
    made = shop(make_project, create_database(vendor))
    made.manage("migrate", "-v0", check=True)
    file = made.root / "schema.json"
    said = made.migrator("schema", "snapshot", "--output", str(file), check=True)
    assert "1 database in" in said.stderr
    document = json.loads(file.read_text())
    assert (document["format"], [d["alias"] for d in document["databases"]]) == (1, ["default"])
    assert document["databases"][0]["recorded"][-1] == "shop.0002_opaque"
    assert oct(file.stat().st_mode & 0o777) == "0o600"

    database = create_database(vendor)
    project = shop(make_project, database)
    project.manage("migrate", "-v0", check=True)
    options = {"check": True, "expected": str(file)}
    cases = mutations(vendor)
    ahead = "DELETE FROM django_migrations WHERE name = '0002_opaque'"
    results = look(
        project,
        {"options": options},
        *({**step, "options": options} for step, _ in cases),
        {"do": [ahead], "options": options},
        {"options": {"check": True, "expected": str(file.with_name("absent.json"))}},
    )
    healthy, *mutated, refused, absent = results
    assert healthy["outcome"] == "complete", healthy
    for (_, wanted), outcome in zip(cases, mutated, strict=True):
        found = [i for i in outcome["incidents"] if i["evidence"] == "replay"]
        assert [(i["code"], i["blocking"], i["object"]["kind"]) for i in found] == [wanted]
        assert "not what schema.json has" in found[0]["message"]
    assert refused["outcome"] == "failed"
    assert "not recorded here: shop.0002_opaque" in refused["error"]
    assert "absent.json cannot be read" in absent["error"]


def test_what_is_recorded_beyond_a_file_is_laid_on_top(
    sqlite_database: Database, make_project: Callable[..., Project]
) -> None:
    project = shop(make_project, sqlite_database)
    project.manage("migrate", "-v0", check=True)
    file = project.root / "schema.json"
    project.migrator("schema", "snapshot", "--output", str(file), check=True)
    project.write_migration(
        "shop",
        "0003_pages",
        """\
        class Migration(migrations.Migration):
            dependencies = [("shop", "0002_opaque")]
            operations = [
                migrations.AddField("Author", "born", models.IntegerField(null=True)),
                migrations.CreateModel("Tag", [("id", models.BigAutoField(primary_key=True))]),
            ]
        """,
    )
    project.manage("migrate", "-v0", check=True)
    options = {"check": True, "expected": str(file)}
    healthy, dropped = look(
        project,
        {"options": options},
        {"do": ["ALTER TABLE shop_author DROP COLUMN born"], "options": options},
    )
    assert healthy["outcome"] == "complete", healthy
    (incident,) = [i for i in dropped["incidents"] if i["blocking"]]
    assert (incident["evidence"], incident["migration"]["name"]) == ("replay", "0003_pages")


def test_a_file_that_is_no_snapshot_is_refused(
    sqlite_database: Database, make_project: Callable[..., Project]
) -> None:
    project = shop(make_project, sqlite_database)
    project.manage("migrate", "-v0", check=True)
    contents = ["{", "[]", '{"format": 2}', '{"format": 1}', '{"format": 1, "databases": []}']
    contents.append(json.dumps({"format": 1, "databases": [{"alias": "default"}]}))
    contents.append(
        json.dumps({"format": 1, "databases": [{"alias": "default", "vendor": "sqlite"}]})
    )
    files = [project.write(f"{number}.json", text) for number, text in enumerate(contents)]
    results = look(
        project, *({"options": {"check": True, "expected": str(file)}} for file in files)
    )
    assert [result["outcome"] for result in results] == ["failed"] * len(files)
    whys = [
        "it is not JSON",
        'it has no "format": 1',
        'it has no "format": 1',
        "it lists no databases",
        "does not hold the alias 'default' (it holds none)",
        "as it is on None; here it is on sqlite",
        "of 'default' it has no schema that can be read",
    ]
    for result, why in zip(results, whys, strict=True):
        assert why in result["error"], result


# -- scratch databases ------------------------------------------------------------------


def scratch_databases(database: Database, temporary: Path) -> list[str]:
    """The scratch databases that there are of this project's runs."""
    if isinstance(database, PostgresDatabase):
        rows = database.query("SELECT datname FROM pg_database")
    elif isinstance(database, MySQLDatabase):
        rows = database.query("SHOW DATABASES")
    else:
        rows = [(path.name,) for path in temporary.iterdir()]
    return sorted(name for (name,) in rows if name.endswith(ALIAS) or ALIAS + "." in name)


ALIAS = "evidence_alias"
SLOW = """\
    import os
    import time

    from django.db import migrations

    def wait(apps, schema_editor):
        flag = os.environ.get("REPLAY_FLAG")
        if flag and "migrator_scratch_" in str(schema_editor.connection.settings_dict["NAME"]):
            open(flag, "w").close()
            if os.environ.get("REPLAY_FAILS"):
                raise ValueError("no pages")
            time.sleep(600)

    class Migration(migrations.Migration):
        dependencies = [("shop", "0002_opaque")]
        operations = [migrations.RunPython(wait)]
    """


@pytest.fixture(params=VENDORS)
def slow_shop(
    request: pytest.FixtureRequest,
    create_database: Callable[..., Database],
    make_project: Callable[..., Project],
    tmp_path: Path,
) -> Iterator[tuple[Project, Database, Path]]:
    """A project whose replay can be made to hang or to fail, on an alias of its own."""
    database = create_database(request.param)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    app = {**SHOP, "migrations": {**SHOP["migrations"], "0003_slow": SLOW}}
    project = make_project(
        databases={"default": {}, ALIAS: database.settings()},
        apps={"shop": app},
        installed=("django.contrib.contenttypes",),
        routing={"shop": ALIAS, "contenttypes": ALIAS},
    )
    project.env["TMPDIR"] = str(temporary)
    project.manage("migrate", "-v0", "--database", ALIAS, check=True)
    yield project, database, temporary
    assert scratch_databases(database, temporary) == []


AGAIN = ("migrate_all", "--database", ALIAS, "--skip-makemigrations", "-v0")
ARGUMENTS = ("migrate_all", "--check", "--deep", "--database", ALIAS)


def test_a_replay_that_fails_says_which_migration_and_leaves_nothing(
    slow_shop: tuple[Project, Database, Path],
) -> None:
    project, database, temporary = slow_shop
    flag = project.root / "flag"
    before = database.dump(schema_only=False)
    done = project.manage(*ARGUMENTS, env={"REPLAY_FLAG": str(flag), "REPLAY_FAILS": "1"})
    assert done.returncode == 1, done
    assert "cannot be replayed: MigratorError: migration shop.0003_slow: ValueError: no pages" in (
        " ".join(done.stdout.split())
    )
    assert database.dump(schema_only=False) == before
    assert scratch_databases(database, temporary) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["SIGINT", "SIGKILL"])
@pytest.mark.slow
def test_a_replay_that_is_cut_short_leaves_nothing_for_long(
    slow_shop: tuple[Project, Database, Path], number: int
) -> None:
    project, database, temporary = slow_shop
    flag = project.root / "flag"
    process = project.popen(*ARGUMENTS, env={"REPLAY_FLAG": str(flag)})
    try:
        deadline = time.monotonic() + 100
        while not flag.exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert scratch_databases(database, temporary) != []
        # Whoever comes meanwhile leaves it alone: its owner lives.
        done = project.manage(*AGAIN)
        assert done.returncode == 0, done
        assert scratch_databases(database, temporary) != []
    finally:
        out, err = kill(process, number)
    if number == signal.SIGINT:
        assert process.returncode == 130, (out, err)
    else:
        assert scratch_databases(database, temporary) != []
        done = project.manage(*AGAIN)
        assert done.returncode == 0, done
    assert scratch_databases(database, temporary) == []


# -- who may not make one, and where else --------------------------------------------------


def test_a_role_that_may_not_create_databases_is_told_what_to_do(
    postgres: PostgresServer,
    create_database: Callable[..., Database],
    make_project: Callable[..., Project],
) -> None:
    database = create_database("postgresql")
    role = f"no_scratch_{uuid.uuid4().hex[:8]}"
    database.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'quite secret'")
    try:
        database.execute(f"GRANT ALL ON SCHEMA public TO {role}")
        entry = {**database.settings(), "USER": role, "PASSWORD": "quite secret"}
        project = make_project(databases={"default": entry}, installed=())
        project.write_app("shop", {**SHOP, "apps": "# no receiver"})
        settings = project.root / "config/settings.py"
        elsewhere = {"USER": database.settings()["USER"], "PASSWORD": ""}
        text = settings.read_text().replace("'migrator'", "'migrator', 'shop'")
        settings.write_text(text)
        project.manage("migrate", "-v0", check=True)
        refused = project.manage("migrate_all", "--check", "--deep")
        assert refused.returncode == 1, refused
        said = " ".join(refused.stdout.split())
        assert "cannot be made: permission denied to create database" in said
        assert "ALTER ROLE … CREATEDB" in said
        assert "quite secret" not in refused.output
        # Another role, another server: whatever the setting says.
        settings.write_text(
            text.replace("MIGRATOR = {", f"MIGRATOR = {{'SCRATCH': {{'default': {elsewhere!r}}}, ")
        )
        done = project.manage("migrate_all", "--check", "--deep")
        assert done.returncode == 0, done
    finally:
        database.execute(f"DROP OWNED BY {role}")
        database.execute(f"DROP ROLE {role}")


def test_a_replay_never_writes_to_another_database_of_the_project(
    sqlite: SQLiteServer, make_project: Callable[..., Project]
) -> None:
    """A migration that writes to an alias of its own choosing is refused, not obeyed."""
    here, there = sqlite.create_database("here"), sqlite.create_database("there")
    there.execute("CREATE TABLE log (said text)")
    source = """\
        from django.db import connections, migrations

        def shout(apps, schema_editor):
            with connections["there"].cursor() as cursor:
                cursor.execute("INSERT INTO log VALUES ('again')")

        class Migration(migrations.Migration):
            operations = [migrations.RunPython(shout)]
        """
    project = make_project(
        databases={"default": here.settings(), "there": there.settings()},
        apps={"loud": {"migrations": {"0001_initial": source}}},
        installed=(),
        routing={"loud": "default"},
    )
    project.manage("migrate", "-v0", check=True)
    assert there.query("SELECT count(*) FROM log") == [(1,)]
    done = project.manage("migrate_all", "--check", "--deep", "--database", "default")
    assert done.returncode == 1, done
    assert "loud.0001_initial: OperationalError: attempt to write a readonly database" in (
        " ".join(done.stdout.split())
    )
    assert there.query("SELECT count(*) FROM log") == [(1,)]


# -- repair and verification ------------------------------------------------------------------


@pytest.mark.parametrize("vendor", VENDORS[:2])
def test_a_repair_that_restores_what_was_verified_is_clean_and_verified_again(
    vendor: str,
    create_database: Callable[..., Database],
    make_project: Callable[..., Project],
) -> None:
    database = create_database(vendor)
    project = shop(make_project, database)
    repair = {"repair": True}
    run: dict[str, Any] = {}
    opaque = {"do": [index_drop(vendor, "by_sql")]}
    first, refused, repaired, clean, told, unverified = look(
        project,
        {"options": run},
        # What no migration state knows of, no repair makes again: it is named, and stays.
        {**opaque, "options": repair, "undo": ["CREATE UNIQUE INDEX by_sql ON shop_book (title)"]},
        {"do": ["DROP TABLE shop_author"], "options": repair},
        {"options": CHECK},
        {"do": ["DROP VIEW titles"], "options": run},
        {"options": CHECK},
    )
    assert first["outcome"] == "complete", first
    assert refused["outcome"] == "failed", refused
    assert "by_sql" in refused["error"]
    assert f"changed since run {first['run']}" in refused["error"]
    assert repaired["outcome"] == "complete", repaired
    assert not [i for i in clean["incidents"] if i["evidence"] == "snapshot"], clean
    assert told["outcome"] == "complete", told
    # The run that went on without the view has verified the database as it is now.
    assert not [i for i in unverified["incidents"] if i["evidence"] == "snapshot"], unverified


def test_migrations_recorded_since_by_others_are_laid_on_top(
    sqlite_database: Database, make_project: Callable[..., Project]
) -> None:
    """A plain `migrate` after a verified run, SQL that state knows nothing of included."""
    project = shop(make_project, sqlite_database)
    (verified,) = look(project, {"options": {}})
    assert verified["outcome"] == "complete", verified
    project.write_migration(
        "shop",
        "0003_more",
        """\
        class Migration(migrations.Migration):
            dependencies = [("shop", "0002_opaque")]
            operations = [
                migrations.AddField("Author", "born", models.IntegerField(null=True)),
                migrations.RunSQL("ALTER TABLE shop_book DROP COLUMN extra"),
            ]
        """,
    )
    project.manage("migrate", "-v0", check=True)
    healthy, dropped, restored, undone = look(
        project,
        {"options": CHECK},
        {
            "do": ["ALTER TABLE shop_author DROP COLUMN born"],
            "options": CHECK,
            "undo": ["ALTER TABLE shop_author ADD COLUMN born integer NULL"],
        },
        {"options": CHECK},
        {
            "do": [
                "ALTER TABLE shop_author DROP COLUMN born",
                "ALTER TABLE shop_book ADD COLUMN extra integer",
                "DELETE FROM django_migrations WHERE name = '0003_more'",
            ],
            "options": CHECK,
        },
    )
    assert healthy["outcome"] == "complete", healthy
    (incident,) = [i for i in dropped["incidents"] if i["blocking"]]
    assert (incident["evidence"], incident["since"]) == ("snapshot", verified["run"])
    assert restored["outcome"] == "complete", restored
    assert not [i for i in undone["incidents"] if i["blocking"]], undone


@pytest.mark.parametrize("vendor", VENDORS)
def test_an_index_made_by_hand_before_its_migration_is_recorded_by_a_repair(
    vendor: str,
    create_database: Callable[..., Database],
    make_project: Callable[..., Project],
) -> None:
    """On a table that SQL has touched as well: to make it again would fail all the same."""
    database = create_database(vendor)
    project = shop(make_project, database)
    (verified,) = look(project, {"options": {}})
    assert verified["outcome"] == "complete", verified
    project.write_migration(
        "shop",
        "0003_index",
        """\
        class Migration(migrations.Migration):
            dependencies = [("shop", "0002_opaque")]
            operations = [
                migrations.AddIndex("Book", models.Index(fields=["price", "title"], name="hand")),
            ]
        """,
    )
    by_hand = "CREATE INDEX hand ON shop_book (price, title)"
    found, repaired, clean = look(
        project,
        {"do": [by_hand], "options": CHECK},
        {"options": {"repair": True}},
        {"options": CHECK},
    )
    assert [(i["code"], i["migration"]["name"]) for i in found["incidents"] if i["blocking"]] == [
        ("DR102", "0003_index")
    ]
    assert repaired["outcome"] == clean["outcome"] == "complete", (repaired, clean)

    project.write_migration(
        "shop",
        "0004_another",
        f"""\
        class Migration(migrations.Migration):
            dependencies = [("shop", "0003_index")]
            operations = [
                migrations.RunSQL("{index_drop(vendor, "later")}"),
                migrations.AddIndex("Book", models.Index(fields=["title", "id"], name="later")),
            ]
        """,
    )
    going, migrated = look(
        project,
        {"do": ["CREATE INDEX later ON shop_book (title, id)"], "options": CHECK},
        {"options": {}},
    )
    assert not [i for i in going["incidents"] if i["blocking"]], going
    assert migrated["outcome"] == "complete", migrated


@pytest.mark.postgresql
def test_what_was_dumped_and_restored_is_what_a_replay_makes(
    postgres_database: PostgresDatabase, make_project: Callable[..., Project]
) -> None:
    """The server spells views and domains otherwise that it has read in from a dump."""
    project = shop(make_project, postgres_database)
    project.write_migration(
        "shop",
        "0003_words",
        """\
        class Migration(migrations.Migration):
            dependencies = [("shop", "0002_opaque")]
            operations = [
                migrations.RunSQL(
                    "CREATE MATERIALIZED VIEW words AS SELECT title, count(*) AS number"
                    " FROM shop_book WHERE title IN ('new', 'old') GROUP BY title;"
                    "CREATE DOMAIN word AS varchar(9) CHECK (VALUE IN ('new', 'old'))"
                ),
            ]
        """,
    )
    (verified,) = look(project, {"options": {}})
    assert verified["outcome"] == "complete", verified
    dumped = postgres_database.dump(schema_only=False)
    restorable = "\n".join(line for line in dumped.splitlines() if not line.startswith("\\"))
    postgres_database.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    postgres_database.execute(restorable)
    for found in look(project, {"options": CHECK}, {"options": DEEP}):
        assert found["outcome"] == "complete", found
        assert {i["evidence"] for i in found["incidents"]} <= {"unconfirmed"}, found


@pytest.mark.postgresql
def test_partitions_of_a_models_table_come_and_go(
    postgres_database: PostgresDatabase, make_project: Callable[..., Project]
) -> None:
    """They are the table's data: nothing to be told, in any kind of evidence."""
    project = shop(make_project, postgres_database)
    project.write_migration(
        "shop",
        "0003_partitions",
        """\
        class Migration(migrations.Migration):
            dependencies = [("shop", "0002_opaque")]
            operations = [
                migrations.RunSQL(
                    "DROP TABLE shop_author;"
                    "CREATE TABLE shop_author (id bigint"
                    " PRIMARY KEY, name varchar(50) NOT NULL) PARTITION BY RANGE (id);"
                    "CREATE INDEX shop_author_name ON shop_author (name);"
                    "CREATE INDEX name_like ON shop_author (name varchar_pattern_ops);"
                    "CREATE TABLE first PARTITION OF shop_author FOR VALUES FROM (1) TO (100);"
                    "CREATE TABLE other PARTITION OF shop_author DEFAULT"
                    " PARTITION BY RANGE (id);"
                    "CREATE TABLE below PARTITION OF other DEFAULT"
                ),
            ]
        """,
    )
    project.manage("migrate", "-v0", check=True)
    changed = [
        "DROP TABLE first",
        "CREATE TABLE second PARTITION OF shop_author FOR VALUES FROM (100) TO (200)",
    ]
    looks: list[dict[str, Any]] = [{"options": CHECK}, {"options": DEEP}, {"options": {}}]
    for found in look(project, *looks, {"do": changed, "options": CHECK}, {"options": DEEP}):
        assert found["outcome"] == "complete", found
        names = {i["object"]["name"] for i in found["incidents"]}
        assert not names & {"first", "other", "below", "second"}, found
