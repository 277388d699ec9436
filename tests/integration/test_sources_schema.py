"""What is computed from state against what Django really makes, on every vendor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeOperators
from django.contrib.postgres.indexes import (
    BrinIndex,
    GinIndex,
    HashIndex,
    PostgresIndex,
)
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.functions import Collate, Lower, Now, Upper

from migrator.backends import backend_for
from migrator.core.diff import Change, diff
from migrator.core.schema import Column, Schema
from migrator.sources import (
    Ownership,
    Walk,
    find_differing,
    full_plan,
    stated_expressions,
)
from tests.history import History
from tests.servers import Database

Register = Callable[..., BaseDatabaseWrapper]


@pytest.fixture
def connection(database: Database, register_alias: Register) -> BaseDatabaseWrapper:
    """An empty database of each vendor."""
    return register_alias(database.settings())


def pk() -> models.Field[Any, Any]:
    return models.BigAutoField(primary_key=True)


def differences(expected: Schema, connection: BaseDatabaseWrapper) -> list[Change]:
    live = backend_for(connection.vendor).inspect(connection)
    return [
        change
        for change in diff(expected, live)
        if change.ref.table != "django_migrations"
        and not change.harmless
        and not _made_for_a_foreign_key(change, connection)
        and not _is_an_integer_all_the_same(change, connection)
    ]


def _made_for_a_foreign_key(change: Change, connection: BaseDatabaseWrapper) -> bool:
    """InnoDB gives a foreign key an index by itself, unless another one serves it."""
    return connection.vendor == "mysql" and (change.kind, change.ref.kind) == ("extra", "index")


def _is_an_integer_all_the_same(change: Change, connection: BaseDatabaseWrapper) -> bool:
    """Django leaves `integer` references to a key that became a BigAutoField; on SQLite both
    are 64 bits wide.
    """
    if connection.vendor != "sqlite" or not isinstance(change.expected, Column):
        return False
    types = {change.expected.type, getattr(change.live, "type", "")}
    return change.attributes == ("type",) and types == {"bigint", "integer"}


def assert_agrees(history: History, connection: BaseDatabaseWrapper) -> None:
    """Migrate for real, one migration at a time; state and schema agree after each."""
    loader = history.graph(connection)
    plan = full_plan(loader)
    for index, key in enumerate(plan):
        history.migrate(connection, [key])
        walk = Walk(loader, Ownership(connection))
        for done in plan[: index + 1]:
            walk.apply(done)
        assert differences(walk.schema(), connection) == [], f"after {key}"


EVERY_FIELD: list[tuple[str, Any]] = [
    ("id", models.AutoField(primary_key=True)),
    ("big", models.BigIntegerField()),
    ("binary", models.BinaryField(null=True)),
    ("boolean", models.BooleanField(default=False)),
    ("char", models.CharField(max_length=40, db_index=True)),
    ("code", models.CharField(max_length=40, unique=True)),
    ("comma", models.CharField(max_length=10, blank=True)),
    ("date", models.DateField(null=True)),
    ("datetime", models.DateTimeField(auto_now_add=True)),
    ("decimal", models.DecimalField(max_digits=9, decimal_places=3)),
    ("duration", models.DurationField(null=True)),
    ("email", models.EmailField()),
    ("file", models.FileField()),
    ("float", models.FloatField()),
    ("image_path", models.FilePathField()),
    ("integer", models.IntegerField(db_column="whole number")),
    ("ip", models.GenericIPAddressField(null=True)),
    ("json", models.JSONField(default=dict)),
    ("positive_big", models.PositiveBigIntegerField(default=1)),
    ("positive", models.PositiveIntegerField(default=1)),
    ("positive_small", models.PositiveSmallIntegerField(default=1)),
    ("slug", models.SlugField()),
    ("small", models.SmallIntegerField(null=True)),
    ("text", models.TextField()),
    ("time", models.TimeField(null=True)),
    ("url", models.URLField()),
    ("uuid", models.UUIDField(unique=True)),
]


def test_every_field_has_the_type_that_django_gives_it(connection: BaseDatabaseWrapper) -> None:
    history = History().add("shop", "0001_initial", [migrations.CreateModel("Thing", EVERY_FIELD)])
    assert_agrees(history, connection)
    assert len(history.schema(connection).tables["shop_thing"].columns) == len(EVERY_FIELD)


def relations() -> History:
    history = History()
    history.add(
        "people",
        "0001_initial",
        [
            migrations.CreateModel(
                "Person",
                [("id", pk()), ("code", models.CharField(max_length=12, unique=True))],
            ),
            migrations.CreateModel(
                "Employee",
                [
                    (
                        "person_ptr",
                        models.OneToOneField(
                            "people.Person",
                            models.CASCADE,
                            auto_created=True,
                            parent_link=True,
                            primary_key=True,
                        ),
                    ),
                    ("wage", models.IntegerField()),
                ],
                bases=("people.person",),
            ),
            migrations.CreateModel(
                "Proxy", [], options={"proxy": True}, bases=("people.employee",)
            ),
            migrations.CreateModel("Token", [("id", models.UUIDField(primary_key=True))]),
            migrations.CreateModel("Small", [("id", models.SmallAutoField(primary_key=True))]),
            migrations.CreateModel("Even", [("n", models.PositiveIntegerField(primary_key=True))]),
        ],
    )
    links: list[tuple[str, Any]] = [
        ("id", pk()),
        ("employee", models.ForeignKey("people.Employee", models.CASCADE)),
        ("proxy", models.ForeignKey("people.Proxy", models.CASCADE, related_name="+")),
        (
            "by_code",
            models.ForeignKey("people.Person", models.CASCADE, to_field="code", related_name="+"),
        ),
        ("token", models.OneToOneField("people.Token", models.CASCADE)),
        ("small", models.ForeignKey("people.Small", models.CASCADE, db_index=False)),
        ("even", models.ForeignKey("people.Even", models.CASCADE, db_constraint=False)),
        ("parent", models.ForeignKey("self", models.CASCADE, null=True)),
        ("people", models.ManyToManyField("people.Person")),
        ("others", models.ManyToManyField("self")),
        ("tokens", models.ManyToManyField("people.Token", db_table="link_tokens")),
        ("loose", models.ManyToManyField("people.Small", db_constraint=False, related_name="+")),
    ]
    history.add(
        "work",
        "0001_initial",
        [migrations.CreateModel("Link", links, options={"db_table": "Mixed Case"})],
        needs=[("people", "0001_initial")],
    )
    return history


def test_relations_take_the_type_of_what_they_refer_to(connection: BaseDatabaseWrapper) -> None:
    history = relations()
    assert_agrees(history, connection)
    tables = history.schema(connection).tables
    assert "people_proxy" not in tables
    link = tables["Mixed Case"]
    assert {key.columns[0] for key in link.foreign_keys} == {
        "employee_id",
        "proxy_id",
        "by_code_id",
        "token_id",
        "small_id",
        "parent_id",
    }
    references = {key.columns[0]: (key.to_table, key.to_columns) for key in link.foreign_keys}
    assert references["employee_id"] == ("people_employee", ("person_ptr_id",))
    assert references["proxy_id"] == ("people_employee", ("person_ptr_id",))
    assert references["by_code_id"] == ("people_person", ("code",))
    assert references["parent_id"] == ("Mixed Case", ("id",))
    assert "link_tokens" in tables


def constraints(connection: BaseDatabaseWrapper) -> History:
    options: dict[str, Any] = {
        "unique_together": {("a", "b")},
        "indexes": [
            models.Index(fields=["a", "-b"], name="plain_idx"),
            models.Index(fields=["c"], condition=models.Q(a__gt=1), name="partial_idx"),
        ],
        "constraints": [
            models.UniqueConstraint(fields=["b", "c"], name="plain_uniq"),
            models.UniqueConstraint(fields=["c"], condition=models.Q(a__gt=1), name="partial_uniq"),
            models.CheckConstraint(condition=models.Q(a__gt=0), name="a_positive"),
        ],
    }
    if connection.features.supports_expression_indexes:
        options["indexes"].append(models.Index(Lower("t"), name="lower_idx"))
        options["constraints"].append(models.UniqueConstraint(Lower("t"), "a", name="lower_uniq"))
        options["indexes"].append(models.Index(models.F("a").desc(), Lower("t"), name="mixed_idx"))
    if connection.vendor == "postgresql":
        options["indexes"] += [
            GinIndex(fields=["tags"], name="tags_gin"),
            BrinIndex(fields=["a"], name="a_brin"),
            HashIndex(fields=["b"], name="b_hash"),
            models.Index(fields=["a"], include=["b"], name="covering_idx"),
            models.Index(fields=["t"], opclasses=["varchar_pattern_ops"], name="ops_idx"),
        ]
        options["constraints"] += [
            models.UniqueConstraint(
                fields=["a"], name="deferred_uniq", deferrable=models.Deferrable.DEFERRED
            ),
            models.UniqueConstraint(fields=["t"], name="covering_uniq", include=["a"]),
            ExclusionConstraint(
                name="no_overlap", expressions=[("period", RangeOperators.OVERLAPS)]
            ),
        ]
    fields: list[tuple[str, Any]] = [
        ("id", pk()),
        ("a", models.IntegerField()),
        ("b", models.IntegerField()),
        ("c", models.IntegerField()),
        ("t", models.CharField(max_length=20)),
    ]
    if connection.vendor == "postgresql":
        fields += [
            ("tags", ArrayField(models.CharField(max_length=9), default=list)),
            ("period", DateTimeRangeField(null=True)),
        ]
    return History().add("shop", "0001_initial", [migrations.CreateModel("Thing", fields, options)])


def test_indexes_and_constraints_are_those_that_django_makes(
    connection: BaseDatabaseWrapper,
) -> None:
    assert_agrees(constraints(connection), connection)


def test_defaults_and_generated_columns_are_stated(connection: BaseDatabaseWrapper) -> None:
    fields: list[tuple[str, Any]] = [
        ("id", pk()),
        ("a", models.IntegerField(db_default=3)),
        ("at", models.DateTimeField(db_default=Now())),
        ("name", models.CharField(max_length=10, db_default="x")),
        (
            "twice",
            models.GeneratedField(
                expression=models.F("a") * 2,
                output_field=models.BigIntegerField(),
                db_persist=True,
            ),
        ),
        (
            "loud",
            models.GeneratedField(
                expression=Upper("name"),
                output_field=models.CharField(max_length=10),
                db_persist=True,
            ),
        ),
    ]
    if not connection.features.supports_expression_defaults:
        fields = [item for item in fields if item[0] != "at"]
    history = History().add("shop", "0001_initial", [migrations.CreateModel("Thing", fields)])
    assert_agrees(history, connection)
    table = history.schema(connection).tables["shop_thing"]
    twice, plain = table.column("twice"), table.column("a")
    assert twice is not None
    assert plain is not None
    assert (twice.generated is not None, twice.stored, twice.nullable) == (True, True, True)
    assert (plain.default is not None, plain.generated) == (True, None)


def evolution() -> History:
    """A life: every operation that Django has, on tables that refer to one another."""
    history = History()
    history.add(
        "blog",
        "0001_initial",
        [
            migrations.CreateModel(
                "Author", [("id", models.AutoField(primary_key=True)), ("name", models.TextField())]
            ),
            migrations.CreateModel(
                "Post",
                [
                    ("id", pk()),
                    ("title", models.CharField(max_length=50)),
                    ("slug", models.CharField(max_length=50, db_index=True)),
                    ("author", models.ForeignKey("blog.Author", models.CASCADE)),
                    ("readers", models.ManyToManyField("blog.Author", related_name="+")),
                ],
            ),
        ],
    )
    steps: list[list[Any]] = [
        [migrations.AddField("Post", "views", models.IntegerField(default=0))],
        [migrations.AlterField("Post", "title", models.CharField(max_length=90, null=True))],
        [migrations.RenameField("Post", "title", "headline")],
        [migrations.AlterField("Post", "views", models.BigIntegerField(db_column="hits"))],
        [migrations.AlterUniqueTogether("Post", {("headline", "author")})],
        [migrations.AddIndex("Post", models.Index(fields=["views"], name="views_idx"))],
        [migrations.RenameIndex("Post", new_name="hits_idx", old_name="views_idx")],
        [
            migrations.AddConstraint(
                "Post", models.UniqueConstraint(fields=["slug", "views"], name="slug_views")
            )
        ],
        [migrations.RenameModel("Author", "Writer")],
        [migrations.AlterField("Writer", "id", models.BigAutoField(primary_key=True))],
        [migrations.AlterModelTable("Writer", "the_writers")],
        [migrations.AlterModelTable("Post", "the_posts")],
        [migrations.AddField("Post", "tags", models.ManyToManyField("blog.Post"))],
        [migrations.RemoveField("Post", "readers")],
        [migrations.AlterOrderWithRespectTo("Post", "author")],
        [migrations.RemoveConstraint("Post", "slug_views")],
        [migrations.RemoveIndex("Post", "hits_idx")],
        [migrations.AlterUniqueTogether("Post", set())],
        [migrations.AlterField("Post", "slug", models.SlugField(unique=True))],
        [migrations.RemoveField("Post", "headline")],
        [migrations.AddField("Post", "headline", models.TextField(default=""))],
        [
            migrations.CreateModel(
                "Draft",
                [
                    (
                        "post_ptr",
                        models.OneToOneField(
                            "blog.Post", models.CASCADE, parent_link=True, primary_key=True
                        ),
                    )
                ],
                bases=("blog.post",),
            )
        ],
        [
            migrations.DeleteModel("Draft"),
            migrations.AlterModelOptions("Post", {"ordering": ["-views"]}),
        ],
    ]
    for number, operations in enumerate(steps, start=2):
        history.add("blog", f"{number:04}_step", operations)
    return history


def test_state_and_schema_agree_all_through_a_life(connection: BaseDatabaseWrapper) -> None:
    assert_agrees(evolution(), connection)


def indexes_of_expressions(connection: BaseDatabaseWrapper) -> list[Any]:
    collation = "C" if connection.vendor == "postgresql" else "NOCASE"
    return [
        models.Index(Lower("word"), models.F("number").desc(), name="mixed_ix"),
        models.Index(models.F("number").asc(nulls_first=True), name="ordered_ix")
        if connection.vendor == "postgresql"
        else models.Index(models.F("number").asc(), name="ordered_ix"),
        models.Index(Collate("word", collation), name="collated_ix"),
        models.Index(Collate(Lower("word"), collation).desc(), name="collated_lower_ix"),
        models.Index(
            models.ExpressionWrapper(models.F("number"), models.IntegerField()),
            name="wrapped_ix",
        ),
    ]


@pytest.mark.parametrize("database", ["postgresql", "sqlite"], indirect=True)
def test_indexes_on_columns_that_are_spelled_as_expressions(
    connection: BaseDatabaseWrapper,
) -> None:
    """The server strips what means nothing, and sees a plain column."""
    fields: list[tuple[str, Any]] = [
        ("id", pk()),
        ("word", models.CharField(max_length=20)),
        ("number", models.IntegerField()),
    ]
    options = {"indexes": indexes_of_expressions(connection)}
    history = History().add("shop", "0001", [migrations.CreateModel("Thing", fields, options)])
    assert_agrees(history, connection)


class IvfFlatLike(PostgresIndex):
    """An index of an extension's own method, as those of vectors are."""

    suffix = "hash"


class OfItsOwn(models.Index):
    """An index that writes its own SQL."""

    def create_sql(self, model: Any, schema_editor: Any, using: str = "", **kwargs: Any) -> Any:
        return super().create_sql(model, schema_editor, " USING hash", **kwargs)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_operator_classes_and_methods_that_are_spelled_out(
    connection: BaseDatabaseWrapper,
) -> None:
    """The server does not show the default operator class of a type."""
    fields: list[tuple[str, Any]] = [
        ("id", pk()),
        ("word", models.CharField(max_length=20)),
        ("number", models.IntegerField()),
        ("data", models.JSONField()),
        ("tags", ArrayField(models.IntegerField())),
    ]
    indexes = [
        models.Index(fields=["word"], opclasses=["text_ops"], name="text_ix"),
        models.Index(fields=["word"], opclasses=["pg_catalog.text_pattern_ops"], name="like_ix"),
        GinIndex(fields=["data"], opclasses=["jsonb_ops"], name="data_ix"),
        GinIndex(fields=["data"], opclasses=["jsonb_path_ops"], name="path_ix"),
        GinIndex(fields=["tags"], opclasses=["array_ops"], name="tags_ix"),
        BrinIndex(fields=["number"], opclasses=["int4_minmax_ops"], name="brin_ix"),
        HashIndex(fields=["number"], opclasses=["int4_ops"], name="hash_ix"),
        IvfFlatLike(fields=["id"], name="own_method_ix"),
    ]
    options = {"indexes": indexes}
    history = History().add("shop", "0001", [migrations.CreateModel("Thing", fields, options)])
    assert_agrees(history, connection)
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX path_ix")
    (change,) = differences(history.schema(connection), connection)
    assert change.ref.name == "path_ix"


class Nowhere(models.CheckConstraint):
    """A constraint that is checked elsewhere."""

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        return None


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_nothing_is_said_about_what_writes_its_own_sql(
    connection: BaseDatabaseWrapper,
) -> None:
    fields: list[tuple[str, Any]] = [("id", pk()), ("number", models.IntegerField())]
    options = {
        "indexes": [OfItsOwn(fields=["number"], name="own_ix")],
        "constraints": [Nowhere(condition=models.Q(number=1), name="own_ck")],
    }
    history = History().add("shop", "0001", [migrations.CreateModel("Thing", fields, options)])
    history.migrate(connection)
    (change,) = differences(history.schema(connection), connection)
    assert (change.kind, change.ref.name) == ("extra", "own_ix")


@pytest.mark.parametrize("database", ["postgresql", "sqlite"], indirect=True)
def test_expressions_follow_a_field_that_is_renamed(connection: BaseDatabaseWrapper) -> None:
    """The database renames the column in its indexes, Django's state leaves them behind."""
    fields: list[tuple[str, Any]] = [
        ("id", pk()),
        ("word", models.CharField(max_length=20)),
        ("number", models.IntegerField()),
    ]
    options: dict[str, Any] = {
        "indexes": [
            *indexes_of_expressions(connection),
            models.Index(fields=["word"], condition=models.Q(number__gt=3), name="partial_ix"),
        ],
        "constraints": [
            models.UniqueConstraint(Lower("word"), models.F("number").desc(), name="mixed_uq"),
            models.CheckConstraint(
                condition=models.Q(number__gt=3) | models.Q(number=models.F("id") + 1),
                name="number_ck",
            ),
        ],
    }
    history = (
        History()
        .add("shop", "0001", [migrations.CreateModel("Thing", fields, options)])
        .add("shop", "0002", [migrations.RenameField("Thing", "number", "count")])
        .add("shop", "0003", [migrations.RenameField("Thing", "word", "name")])
    )
    assert_agrees(history, connection)
    walk, _ = history.walk(connection)
    stated = list(stated_expressions(walk.tables.owned_classes(), connection))
    assert [item.name for item in stated] == ["number_ck", "partial_ix"]
    live = backend_for(connection.vendor).inspect(connection)
    assert list(find_differing(stated, live)) == []


def test_references_that_django_leaves_at_their_old_type(connection: BaseDatabaseWrapper) -> None:
    """SQLite: the type of a key changes, and not every table that refers to it is remade."""
    history = (
        History()
        .add(
            "shop",
            "0001",
            [
                migrations.CreateModel(
                    "Code",
                    [
                        ("code", models.CharField(max_length=8, primary_key=True)),
                        ("other", models.CharField(max_length=8, unique=True)),
                    ],
                ),
                migrations.CreateModel(
                    "Sub",
                    [
                        (
                            "code_ptr",
                            models.OneToOneField(
                                "shop.Code", models.CASCADE, parent_link=True, primary_key=True
                            ),
                        )
                    ],
                    bases=("shop.code",),
                ),
                migrations.CreateModel(
                    "Ref",
                    [
                        ("id", pk()),
                        ("seen", models.ForeignKey("shop.Code", models.CASCADE)),
                        (
                            "hidden",
                            models.ForeignKey("shop.Code", models.CASCADE, related_name="+"),
                        ),
                        ("deep", models.ForeignKey("shop.Sub", models.CASCADE)),
                        ("hidden_many", models.ManyToManyField("shop.Code", related_name="+")),
                        ("deep_many", models.ManyToManyField("shop.Sub", related_name="subs")),
                    ],
                ),
                migrations.CreateModel(
                    "ByOther",
                    [
                        ("id", pk()),
                        (
                            "other",
                            models.ForeignKey(
                                "shop.Code", models.CASCADE, to_field="other", related_name="+"
                            ),
                        ),
                    ],
                ),
            ],
        )
        .add(
            "shop",
            "0002",
            [
                migrations.AlterField(
                    "Code", "code", models.CharField(max_length=12, primary_key=True)
                )
            ],
        )
        .add(
            "shop",
            "0003",
            [migrations.AlterField("Code", "other", models.CharField(max_length=9, unique=True))],
        )
    )
    assert_agrees(history, connection)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_names_beyond_the_limit_are_cut_as_the_server_cuts_them(
    connection: BaseDatabaseWrapper,
) -> None:
    long = "a_name_that_is_certainly_longer_than_what_postgresql_accepts_for_one"
    accented = "é" * 40
    history = History().add(
        "shop",
        "0001_initial",
        [
            migrations.CreateModel("Plain", [("id", pk())], options={"db_table": long}),
            migrations.CreateModel(
                "Other",
                [
                    ("id", pk()),
                    ("number_" * 8 + "of_seventy", models.IntegerField()),
                ],
                options={"db_table": accented},
            ),
        ],
    )
    assert_agrees(history, connection)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_table_in_another_schema_is_known_by_both_names(
    connection: BaseDatabaseWrapper,
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA archive")
    history = History().add(
        "shop",
        "0001_initial",
        [
            migrations.CreateModel(
                "Thing",
                [("id", pk()), ("n", models.IntegerField())],
                options={"db_table": 'archive"."thing'},
            )
        ],
    )
    history.migrate(connection)
    expected = history.schema(connection)
    assert list(expected.tables) == ['archive"."thing']
    live = backend_for("postgresql").inspect(connection, schemas=["archive"])
    assert [c for c in diff(expected, live) if c.ref.table != "django_migrations"] == []


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_concurrent_index_has_the_effect_of_a_plain_one(
    connection: BaseDatabaseWrapper,
) -> None:
    history = History()
    history.add(
        "shop",
        "0001_initial",
        [migrations.CreateModel("Thing", [("id", pk()), ("n", models.IntegerField())])],
    )
    history.add(
        "shop",
        "0002_index",
        [AddIndexConcurrently("Thing", models.Index(fields=["n"], name="n_idx"))],
        atomic=False,
    )
    assert_agrees(history, connection)
    _, effects = history.walk(connection)
    (operation,) = effects["shop", "0002_index"].operations  # type: ignore[index]
    assert not operation.unknown
    assert operation.opaque_tables == frozenset()
    (table,) = operation.tables
    assert table.after is not None
    assert [index.name for index in table.after.indexes] == ["n_idx"]


def test_reading_state_asks_the_database_nothing(connection: BaseDatabaseWrapper) -> None:
    history = evolution()
    connection.ensure_connection()
    if connection.vendor == "mysql":
        assert connection.features.supports_foreign_keys  # cached by Django from here on
        assert connection.mysql_version  # type: ignore[attr-defined]
    asked: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        history.schema(connection)
    assert asked == []


def test_a_database_that_does_not_exist_is_not_made(
    sqlite_database: Database, register_alias: Register
) -> None:
    entry = sqlite_database.settings()
    connection = register_alias(entry)
    evolution().schema(connection)
    assert connection.connection is None
    assert not Path(entry["NAME"]).exists()
