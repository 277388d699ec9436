"""Each rule of the lint on real migrations and real rows: one example that it is about, and one
that is safe.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    RemoveIndexConcurrently,
    ValidateConstraint,
)
from django.db import connections, migrations, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.operations.base import Operation
from django.db.models.functions import Now

from migrator.core.rules import all_rules
from tests.integration.lint_shop import codes, fill, lint_steps, shop
from tests.servers import PostgresServer

Q = models.Q
SQL = migrations.RunSQL


@pytest.fixture(scope="module")
def connection(postgres: PostgresServer) -> Iterator[BaseDatabaseWrapper]:
    database = postgres.create_database("lint")
    entry = database.settings()
    connections.configure_settings({"default": {}, "lint": entry})
    connections.settings["lint"] = entry
    wrapper = connections["lint"]
    fill(wrapper)
    yield wrapper
    wrapper.close()
    del connections["lint"]
    del connections.settings["lint"]
    database.drop()


def forwards(apps: Any, schema_editor: Any) -> None:
    apps.get_model("shop", "Item").objects.using(schema_editor.connection.alias).update(same=2)


def backwards(apps: Any, schema_editor: Any) -> None:
    apps.get_model("shop", "Item").objects.using(schema_editor.connection.alias).update(same=1)


def touches_nothing(apps: Any, schema_editor: Any) -> None:
    items = apps.get_model("shop", "Item").objects.using(schema_editor.connection.alias)
    items.filter(pk=-1).update(same=2)


def add(name: str, made: models.Field[Any, Any], model: str = "Item") -> Operation:
    return migrations.AddField(model, name, made)


def alter(name: str, made: models.Field[Any, Any], model: str = "Item") -> Operation:
    return migrations.AlterField(model, name, made)


def check(condition: Q, name: str = "item_ck") -> models.CheckConstraint:
    return models.CheckConstraint(condition=condition, name=name)


@dataclass(frozen=True)
class Case:
    """Operations of one migration (or several), and what is to be said of them."""

    name: str
    steps: Sequence[Sequence[Operation]]
    expected: dict[str, str] = field(default_factory=dict)
    atomic: bool = True


def one(name: str, *operations: Operation, atomic: bool = True, **expected: str) -> Case:
    return Case(name, [operations], expected, atomic)


def several(name: str, *steps: Sequence[Operation], **expected: str) -> Case:
    return Case(name, steps, expected)


NEW = migrations.CreateModel(
    "Fresh",
    [("id", models.BigAutoField(primary_key=True)), ("text", models.CharField(max_length=9))],
)

UNSAFE = [
    # -- data that is there
    one(
        "not null with nulls",
        alter("holes", models.IntegerField()),
        MF101="error",
        LK105="warning",
        BC106="warning",
    ),
    one(
        "unique with duplicates",
        alter("same", models.IntegerField(default=1, unique=True)),
        MF102="error",
        LK106="warning",
    ),
    one(
        "unique constraint with duplicates",
        migrations.AddConstraint("Item", models.UniqueConstraint(fields=["same"], name="u")),
        MF102="error",
        LK106="warning",
    ),
    one(
        "partial unique index with duplicates",
        migrations.AddConstraint(
            "Item",
            models.UniqueConstraint(fields=["same"], condition=Q(big__gt=5), name="u"),
        ),
        MF102="error",
        IX101="warning",
    ),
    one(
        "unique together",
        migrations.AlterUniqueTogether("Item", {("name", "code")}),
        LK106="warning",
    ),
    one(
        "foreign key with orphans",
        SQL(
            "ALTER TABLE shop_item ADD CONSTRAINT fk FOREIGN KEY (loose_id) "
            "REFERENCES shop_category (id)",
            SQL.noop,
        ),
        MF103="error",
        LK103="warning",
    ),
    one(
        "check that is violated",
        migrations.AddConstraint("Item", check(Q(big__gt=100))),
        MF104="error",
        LK104="warning",
    ),
    one(
        "text too long",
        alter("code", models.CharField(max_length=20)),
        MF105="error",
        LK101="warning",
        BC108="warning",
    ),
    one(
        "number out of range",
        alter("huge", models.IntegerField(default=0)),
        MF106="error",
        LK101="warning",
        BC108="warning",
    ),
    one(
        "text that is no number",
        alter("note", models.IntegerField(default=0)),
        MF107="error",
        LK101="warning",
        BC108="warning",
    ),
    one(
        "required column without any value",
        SQL("ALTER TABLE shop_item ADD COLUMN x integer NOT NULL", SQL.noop),
        MF108="error",
        BC105="error",
        LK102="warning",
    ),
    one(
        "unique with one default for all",
        add("token", models.IntegerField(default=0, unique=True)),
        MF102="error",
        LK106="warning",
        BC105="error",
    ),
    # -- data that is lost
    one(
        "text is cut off",
        alter("note", models.CharField(max_length=20, default="")),
        DL101="error",
        LK101="warning",
        BC108="warning",
    ),
    one(
        "decimals are rounded",
        alter("price", models.DecimalField(max_digits=12, decimal_places=2)),
        DL102="error",
        LK101="warning",
        BC108="warning",
    ),
    one(
        "column is dropped",
        migrations.RemoveField("Item", "name"),
        DS102="error",
        BC103="error",
    ),
    one(
        "model is deleted",
        migrations.DeleteModel("Small"),
        DS101="error",
        BC104="error",
    ),
    # -- running code
    one(
        "field is renamed",
        migrations.RenameField("Item", "name", "title"),
        BC102="error",
    ),
    one(
        "model is renamed",
        migrations.RenameModel("Small", "Tiny"),
        BC101="error",
    ),
    one(
        "table is renamed",
        migrations.AlterModelTable("Small", "tiny"),
        BC101="error",
    ),
    one(
        "required field with a Python default",
        add("stock", models.IntegerField(default=0)),
        BC105="error",
    ),
    one(
        "database default goes",
        alter("stated", models.IntegerField()),
        BC107="warning",
    ),
    # -- locks
    one(
        "type is rewritten",
        alter("filled", models.BigIntegerField(null=True)),
        LK101="warning",
    ),
    one(
        "volatile default",
        SQL("ALTER TABLE shop_item ADD COLUMN u uuid DEFAULT gen_random_uuid()", SQL.noop),
        LK101="warning",
    ),
    one(
        "generated column",
        add(
            "twice",
            models.GeneratedField(
                expression=models.F("big") * 2,
                output_field=models.BigIntegerField(),
                db_persist=True,
            ),
        ),
        LK101="warning",
    ),
    one(
        "key becomes bigger",
        migrations.AlterField("Category", "id", models.BigAutoField(primary_key=True)),
        LK107="warning",
    ),
    one(
        "check",
        migrations.AddConstraint("Item", check(Q(big__gte=0))),
        LK104="warning",
    ),
    one(
        "positive",
        alter("same", models.PositiveIntegerField(default=1)),
        LK104="warning",
    ),
    one(
        "required",
        alter("filled", models.IntegerField()),
        LK105="warning",
        BC106="warning",
    ),
    one(
        "validated in the same migration",
        AddConstraintNotValid("Item", check(Q(big__gte=0))),
        ValidateConstraint("Item", "item_ck"),
        LK109="warning",
    ),
    one(
        "every row in one statement",
        SQL("UPDATE shop_item SET same = 5", SQL.noop),
        DL105="error",
        LK110="warning",
    ),
    # -- indexes
    one(
        "index",
        migrations.AddIndex("Item", models.Index(fields=["name"], name="item_name_idx")),
        IX101="warning",
    ),
    one(
        "index of a field",
        alter("name", models.CharField(max_length=50, db_index=True)),
        IX101="warning",
    ),
    one(
        "index of a new foreign key",
        add(
            "parent",
            models.ForeignKey("shop.Category", models.CASCADE, null=True, related_name="+"),
        ),
        IX101="warning",
        LK109="warning",
    ),
    one(
        "concurrently in a transaction",
        AddIndexConcurrently("Item", models.Index(fields=["name"], name="item_name_idx")),
        IX103="error",
        UA103="warning",
    ),
    one(
        "concurrently in a transaction, by SQL",
        SQL("CREATE INDEX CONCURRENTLY i ON shop_item (name)", "DROP INDEX CONCURRENTLY i"),
        IX103="error",
    ),
    one(
        "concurrently if not exists",
        SQL("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON shop_item (name)", SQL.noop),
        atomic=False,
        IX104="warning",
    ),
    one("reindex", SQL("REINDEX TABLE shop_item", SQL.noop), IX105="warning"),
    # -- how it is put together
    one("code without a way back", migrations.RunPython(touches_nothing), IR101="warning"),
    one(
        "every row by code",
        migrations.RunPython(forwards, backwards),
        DL105="error",
        LK110="warning",
    ),
    one(
        "SQL without a way back",
        SQL("COMMENT ON TABLE shop_item IS 'x'"),
        IR102="warning",
    ),
    one(
        "schema and data",
        add("extra", models.IntegerField(null=True)),
        migrations.RunPython(forwards, backwards),
        MX101="warning",
        DL105="error",
        LK110="warning",
    ),
    one(
        "data, then schema",
        migrations.RunPython(forwards, backwards),
        add("extra", models.IntegerField(null=True)),
        MX101="warning",
        MX102="warning",
        DL105="error",
        LK110="warning",
    ),
    one(
        "several without a transaction",
        add("extra", models.IntegerField(null=True)),
        add("more", models.IntegerField(null=True)),
        atomic=False,
        NA101="warning",
    ),
    one("vacuum", SQL("VACUUM shop_item", SQL.noop), NA102="error"),
    one("opaque", SQL("DO $$ BEGIN PERFORM 1; END $$", SQL.noop), UA101="warning"),
]

SAFE = [
    one("nullable field", add("extra", models.IntegerField(null=True))),
    one("database default", add("extra", models.IntegerField(db_default=0))),
    one("database default now", add("extra", models.DateTimeField(db_default=Now()))),
    one("longer", alter("name", models.CharField(max_length=80))),
    one("without a limit", alter("name", models.TextField())),
    one("more digits", alter("price", models.DecimalField(max_digits=14, decimal_places=4))),
    one("nullable", alter("name", models.CharField(max_length=50, null=True))),
    one("help text", alter("name", models.CharField(max_length=50, help_text="x"))),
    one("database default comes", alter("same", models.IntegerField(db_default=1))),
    one("choices", alter("same", models.IntegerField(default=1, choices=[(1, "a")]))),
    one("new model", NEW),
    one(
        "new model and its index",
        NEW,
        migrations.AddIndex("Fresh", models.Index(fields=["text"], name="fresh_idx")),
        migrations.AddField("Fresh", "extra", models.IntegerField(default=0)),
        migrations.AlterField("Fresh", "text", models.CharField(max_length=5)),
        migrations.RenameField("Fresh", "text", "words"),
        migrations.RemoveField("Fresh", "extra"),
    ),
    several(
        "new model, changed later",
        [NEW],
        [migrations.AlterField("Fresh", "text", models.CharField(max_length=5, unique=True))],
        [migrations.RenameModel("Fresh", "Fresher")],
        [migrations.DeleteModel("Fresher")],
    ),
    one(
        "new model with a foreign key to a large table",
        migrations.CreateModel(
            "Fresh",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("item", models.ForeignKey("shop.Item", models.CASCADE)),
            ],
        ),
    ),
    one("options", migrations.AlterModelOptions("Item", {"verbose_name": "x"})),
    one(
        "index, concurrently",
        AddIndexConcurrently("Item", models.Index(fields=["name"], name="item_name_idx")),
        atomic=False,
    ),
    one("index goes, concurrently", RemoveIndexConcurrently("Item", "item_big_idx"), atomic=False),
    one("index goes", migrations.RemoveIndex("Item", "item_big_idx")),
    one(
        "index is renamed", migrations.RenameIndex("Item", "item_big2_idx", old_name="item_big_idx")
    ),
    one("check, not valid", AddConstraintNotValid("Item", check(Q(big__gte=0)))),
    several(
        "check, validated later",
        [AddConstraintNotValid("Item", check(Q(big__gte=0)))],
        [ValidateConstraint("Item", "item_ck")],
    ),
    one(
        "foreign key, not valid",
        SQL(
            "ALTER TABLE shop_item ADD CONSTRAINT fk FOREIGN KEY (tied_id) "
            "REFERENCES shop_category (id) NOT VALID",
            "ALTER TABLE shop_item DROP CONSTRAINT fk",
        ),
    ),
    one(
        "foreign key without index and constraint",
        add(
            "parent",
            models.ForeignKey(
                "shop.Category",
                models.CASCADE,
                null=True,
                related_name="+",
                db_index=False,
                db_constraint=False,
            ),
        ),
    ),
    one(
        "the field leaves the model",
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField("Item", "name")]
        ),
    ),
    one(
        "renamed field, same column",
        alter("name", models.CharField(max_length=50, db_column="name")),
        migrations.RenameField("Item", "name", "title"),
    ),
    one(
        "renamed model, same table",
        migrations.AlterModelTable("Small", "shop_small"),
        migrations.RenameModel("Small", "Tiny"),
    ),
    one("data alone", migrations.RunPython(touches_nothing, backwards)),
    one(
        "data alone, without a transaction",
        migrations.RunPython(touches_nothing, backwards),
        atomic=False,
    ),
    one("block that does nothing", SQL("DO $$ BEGIN NULL; END $$", SQL.noop)),
    one("nothing", migrations.RunPython(migrations.RunPython.noop, migrations.RunPython.noop)),
    one("empty table", alter("name", models.CharField(max_length=5), "Empty"), BC108="warning"),
    one("empty table goes", migrations.DeleteModel("Empty"), BC104="warning"),
    one(
        "unique on an empty table",
        alter("name", models.CharField(max_length=50, unique=True), "Empty"),
    ),
    one(
        "tiny table: unique",
        alter("name", models.CharField(max_length=50, unique=True), "Small"),
    ),
    one("tiny table: type", alter("holes", models.BigIntegerField(null=True), "Small")),
    one(
        "tiny table: index",
        migrations.AddIndex("Small", models.Index(fields=["name"], name="s_idx")),
    ),
]


@pytest.mark.parametrize("case", UNSAFE, ids=lambda case: case.name)
def test_what_is_unsafe_is_told(connection: BaseDatabaseWrapper, case: Case) -> None:
    found = lint_steps(connection, *case.steps, atomic=case.atomic)
    assert codes(found) == case.expected, [f"{f.code}: {f.message}" for f in found]


@pytest.mark.parametrize("case", SAFE, ids=lambda case: case.name)
def test_what_is_safe_is_not_flagged(connection: BaseDatabaseWrapper, case: Case) -> None:
    found = lint_steps(connection, *case.steps, atomic=case.atomic)
    assert codes(found) == case.expected, [f"{f.code}: {f.message}" for f in found]


# -- the safe way as code ------------------------------------------------------------------------


SHOWN = [
    *UNSAFE,
    one("index goes", migrations.RemoveIndex("Item", "item_big_idx")),
    one(
        "foreign key with a default",
        add("home", models.ForeignKey("shop.Category", models.CASCADE, default=1)),
    ),
    one(
        "altered behind code",
        migrations.RunPython(forwards, backwards),
        alter("name", models.CharField(max_length=60)),
    ),
    one("required column without a value", add("extra", models.IntegerField())),
]
"""What safe ways are shown for, notes among it."""


def migrations_of(alternative: str) -> list[tuple[list[Operation], bool]]:
    """The migrations that a piece of code holds: their operations, and whether they are atomic."""
    found = []
    known = (forwards, backwards, touches_nothing)
    scope: dict[str, Any] = {each.__name__: each for each in known}
    for node in ast.parse(alternative).body:
        exec(compile(ast.Module([node], []), "<alternative>", "exec"), scope)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "operations":
            found.append((scope.pop("operations"), scope.pop("atomic", True)))
    return found


def found_again(connection: BaseDatabaseWrapper, case: Case) -> list[str]:
    """What is found again in the safe way of each finding of a case; it is code that runs."""
    again = []
    for finding in lint_steps(connection, *case.steps, atomic=case.atomic):
        if not finding.alternative:
            continue
        steps = migrations_of(finding.alternative)
        assert steps, finding.alternative
        if "..." in finding.alternative or "# what is to be set" in finding.alternative:
            continue
        if finding.code.startswith(("IR", "MX", "UA")) or finding.operation is None:
            continue  # a part of the migration: judged with it
        if "next release" in finding.alternative:
            steps = steps[:1]
        found = lint_steps(connection, *steps)
        if finding.code in codes(found, at_least=finding.severity):
            said = "\n".join(f"{each.code}: {each.message}" for each in found)
            again.append(f"{finding.code} again: {finding.alternative}\n{said}")
    return again


@pytest.mark.parametrize("case", SHOWN, ids=lambda case: case.name)
def test_the_safe_way_is_code_that_runs_and_is_safe(
    connection: BaseDatabaseWrapper, case: Case
) -> None:
    assert found_again(connection, case) == []


def test_every_rule_that_shows_a_safe_way_is_tried(connection: BaseDatabaseWrapper) -> None:
    showing = {each.code for each in all_rules() if "alternative=" in inspect.getsource(each.find)}
    tried = {
        finding.code
        for case in SHOWN
        for finding in lint_steps(connection, *case.steps, atomic=case.atomic)
        if finding.alternative
    }
    assert showing - tried == {"LK107"}  # shows none for a primary key


def applicable() -> Iterator[Case]:
    """Cases that fail on no row that is there."""
    for case in UNSAFE:
        if not any(code.startswith(("MF", "DL")) for code in case.expected):
            yield case


@pytest.mark.slow
@pytest.mark.parametrize("case", list(applicable()), ids=lambda case: case.name)
def test_the_safe_way_can_be_applied(
    connection: BaseDatabaseWrapper,
    postgres: PostgresServer,
    register_alias: Callable[..., BaseDatabaseWrapper],
    case: Case,
) -> None:
    """By Django itself, to a copy of the database with all its rows."""
    found = lint_steps(connection, *case.steps, atomic=case.atomic)
    alternatives = {
        finding.alternative: finding
        for finding in found
        if finding.alternative and "# what is to be set" not in finding.alternative
    }
    original = connection.settings_dict["NAME"]
    for alternative in alternatives:
        connection.close()  # a template may have no session
        name = f"{original}_copy"
        with postgres.connect() as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}"')
            admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{original}"')
        copy = register_alias({**connection.settings_dict, "NAME": name})
        try:
            history = shop()
            for number, (operations, atomic) in enumerate(migrations_of(alternative), 2):
                history.add("shop", f"{number:04}_step", operations, atomic=atomic)
            history.migrate(copy)
        except Exception as error:
            pytest.fail(f"{type(error).__name__}: {error}\n{alternative}")
        finally:
            copy.close()
            with postgres.connect() as admin:
                admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
