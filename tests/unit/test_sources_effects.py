"""What each operation does to one database, as data; no database is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from django.conf import settings
from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    CreateCollation,
    TrigramExtension,
    ValidateConstraint,
)
from django.db import migrations, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import override_settings
from djmoney.models.fields import CurrencyField, MoneyField

from migrator.core.effects import Effect, MigrationKey, OperationEffect
from migrator.core.schema import Table
from migrator.exceptions import ConfigurationError, MigratorError
from migrator.sources import (
    Ownership,
    StateTables,
    Walk,
    full_plan,
    load_effects,
    recorded_state,
    state_schema,
)
from tests.history import History

NOTHING: frozenset[str] = frozenset()
ANYTHING = None


@pytest.fixture
def connection(register_alias: Callable[..., BaseDatabaseWrapper]) -> Iterator[Any]:
    """A PostgreSQL alias that nobody listens on: whatever connects, fails."""
    entry = {"ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "PORT": "1"}
    wrapper = register_alias({**entry, "NAME": "nowhere"})
    yield wrapper
    assert wrapper.connection is None


def pk() -> models.Field[Any, Any]:
    return models.BigAutoField(primary_key=True)


def thing(**options: Any) -> Any:
    fields: list[tuple[str, Any]] = [("id", pk()), ("n", models.IntegerField())]
    return migrations.CreateModel("Thing", fields, options)


def only(effect: Effect) -> OperationEffect:
    (operation,) = effect.operations
    return operation


def second(connection: BaseDatabaseWrapper, *operations: Any, first: Any = None) -> Effect:
    """The effect of these operations, after one that makes shop.Thing."""
    history = History().add("shop", "0001_initial", [first or thing()])
    history.add("shop", "0002_next", operations)
    return history.walk(connection)[1][MigrationKey("shop", "0002_next")]


def changes(operation: OperationEffect) -> dict[str, str]:
    kinds = {(True, False): "created", (False, True): "dropped", (False, False): "changed"}
    return {
        table.key: kinds[table.before is None, table.after is None] for table in operation.tables
    }


def columns(table: Table | None) -> list[str]:
    assert table is not None
    return [column.name for column in table.columns]


# -- Django's own operations -------------------------------------------------------


def test_an_effect_knows_its_place_in_the_graph(connection: BaseDatabaseWrapper) -> None:
    history = History().add("a", "0001_initial").add("b", "0001_initial")
    history.add("b", "0002_second", needs=[("a", "__first__")], atomic=False)
    history.add("c", "0001_initial", run_before=[("b", "0002_second")])
    effects = history.walk(connection)[1]
    effect = effects[MigrationKey("b", "0002_second")]
    assert effect.dependencies == (
        ("a", "0001_initial"),
        ("b", "0001_initial"),
        ("c", "0001_initial"),
    )
    assert (effect.atomic, effect.initial) == (False, False)
    assert effects[MigrationKey("a", "0001_initial")].initial


def test_a_squash_names_what_it_replaces(connection: BaseDatabaseWrapper) -> None:
    history = History().add("a", "0001_initial").add("a", "0002_second")
    replaces = [("a", "0001_initial"), ("a", "0002_second")]
    history.add("a", "0001_squashed", replaces=replaces)
    history.migrations["a", "0001_squashed"].dependencies = []
    (effect,) = history.walk(connection)[1].values()
    assert effect.replaces == tuple(MigrationKey(*key) for key in replaces)


def test_load_effects_keeps_the_order_of_the_keys(connection: BaseDatabaseWrapper) -> None:
    history = History().add("a", "0001_initial", [thing()]).add("a", "0002_second")
    loader = history.graph(connection)
    effects = load_effects(loader, full_plan(loader), connection)
    assert list(effects) == list(full_plan(loader))
    assert effects == history.walk(connection)[1]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (migrations.AddField("Thing", "m", models.IntegerField()), {"shop_thing": "changed"}),
        (migrations.RemoveField("Thing", "n"), {"shop_thing": "changed"}),
        (migrations.RenameField("Thing", "n", "m"), {"shop_thing": "changed"}),
        (migrations.AlterField("Thing", "n", models.TextField()), {"shop_thing": "changed"}),
        (migrations.AlterField("Thing", "n", models.IntegerField(help_text="x")), {}),
        (migrations.AlterField("Thing", "n", models.IntegerField(default=3)), {}),
        (
            migrations.AlterField("Thing", "n", models.IntegerField(db_column="m")),
            {"shop_thing": "changed"},
        ),
        (migrations.DeleteModel("Thing"), {"shop_thing": "dropped"}),
        (
            migrations.RenameModel("Thing", "Item"),
            {"shop_thing": "dropped", "shop_item": "created"},
        ),
        (migrations.AlterModelTable("Thing", "t"), {"shop_thing": "dropped", "t": "created"}),
        (migrations.AlterModelOptions("Thing", {"ordering": ["n"]}), {}),
        (migrations.AlterModelManagers("Thing", [("objects", models.Manager())]), {}),
        (migrations.AlterModelTableComment("Thing", "x"), {}),
        (
            migrations.AddIndex("Thing", models.Index(fields=["n"], name="i")),
            {"shop_thing": "changed"},
        ),
        (
            migrations.AddField("Thing", "many", models.ManyToManyField("shop.Thing")),
            {"shop_thing_many": "created"},
        ),
        (
            migrations.AddConstraint(
                "Thing", models.CheckConstraint(condition=models.Q(n__gt=1), name="c")
            ),
            {"shop_thing": "changed"},
        ),
        (
            AddConstraintNotValid(
                "Thing", models.CheckConstraint(condition=models.Q(n__gt=1), name="c")
            ),
            {"shop_thing": "changed"},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_operation_of_django_changes_what_its_state_says(
    connection: BaseDatabaseWrapper, operation: Any, expected: dict[str, str]
) -> None:
    found = only(second(connection, operation))
    assert changes(found) == expected
    assert (found.unknown, found.opaque_tables) == (False, NOTHING)


def test_before_and_after_are_whole_tables(connection: BaseDatabaseWrapper) -> None:
    (table,) = only(second(connection, migrations.RenameField("Thing", "n", "m"))).tables
    assert (columns(table.before), columns(table.after)) == (["id", "n"], ["id", "m"])
    assert table.after is not None
    assert table.after.model == "shop.thing"


def test_a_renamed_model_takes_its_references_along(connection: BaseDatabaseWrapper) -> None:
    history = History().add("shop", "0001_initial", [thing()])
    link = [("id", pk()), ("thing", models.ForeignKey("shop.Thing", models.CASCADE))]
    many = ("things", models.ManyToManyField("shop.Thing"))
    history.add("far", "0001_initial", [migrations.CreateModel("Link", [*link, many])],
                needs=[("shop", "0001_initial")])  # fmt: skip
    history.add("shop", "0002_rename", [migrations.RenameModel("Thing", "Item")],
                needs=[("far", "0001_initial")])  # fmt: skip
    walk, effects = history.walk(connection)
    found = only(effects[MigrationKey("shop", "0002_rename")])
    assert changes(found) == {
        "far_link": "changed",
        "far_link_things": "changed",
        "shop_item": "created",
        "shop_thing": "dropped",
    }
    tables = walk.schema().tables
    assert [key.to_table for key in tables["far_link"].foreign_keys] == ["shop_item"]
    assert columns(tables["far_link_things"]) == ["id", "link_id", "item_id"]


def test_a_key_that_changes_its_type_changes_what_refers_to_it(
    connection: BaseDatabaseWrapper,
) -> None:
    parent = [("id", models.AutoField(primary_key=True)), ("n", models.IntegerField())]
    pointer = models.OneToOneField(
        "a.Parent", models.CASCADE, parent_link=True, primary_key=True, auto_created=True
    )
    reference = models.ForeignKey("a.Child", models.CASCADE)
    history = History()
    history.add(
        "a",
        "0001_initial",
        [
            migrations.CreateModel("Parent", parent),
            migrations.CreateModel("Child", [("parent_ptr", pointer)], bases=("a.parent",)),
            migrations.CreateModel("Far", [("id", pk()), ("child", reference)]),
            migrations.CreateModel("Apart", [("id", pk())]),
        ],
    )
    history.add("a", "0002_alter", [migrations.AlterField("Parent", "id", pk())])
    history.add("a", "0003_other", [migrations.AlterField("Parent", "n", models.TextField())])
    walk, effects = history.walk(connection)
    found = only(effects[MigrationKey("a", "0002_alter")])
    assert changes(found) == dict.fromkeys(["a_parent", "a_child", "a_far"], "changed")
    child = walk.schema().tables["a_far"].column("child_id")
    assert child is not None
    assert child.type == "bigint"
    assert list(changes(only(effects[MigrationKey("a", "0003_other")]))) == ["a_parent"]


def test_removed_and_added_under_the_same_name(connection: BaseDatabaseWrapper) -> None:
    effect = second(
        connection,
        migrations.RemoveField("Thing", "n"),
        migrations.AddField("Thing", "n", models.TextField(default="")),
    )
    dropped, added = effect.operations
    assert columns(dropped.tables[0].after) == ["id"]
    assert columns(added.tables[0].before) == ["id"]
    assert columns(added.tables[0].after) == ["id", "n"]


def test_a_field_that_is_renamed_takes_the_references_by_its_name_along(
    connection: BaseDatabaseWrapper,
) -> None:
    """Django rewrites the fields that operations share with the state; a walk must not."""
    history = History()
    code = models.CharField(max_length=9, unique=True)
    by_code = models.ForeignKey("a.Coded", models.CASCADE, to_field="code")
    history.add(
        "a", "0001_coded", [migrations.CreateModel("Coded", [("id", pk()), ("code", code)])]
    )
    history.add("a", "0002_link", [migrations.CreateModel("Link", [("id", pk()), ("to", by_code)])])
    history.add("a", "0003_rename", [migrations.RenameField("Coded", "code", "sign")])
    first, second_time = history.walk(connection), history.walk(connection)
    assert by_code.remote_field.field_name == "code"
    assert first[1] == second_time[1]
    (key,) = first[0].schema().tables["a_link"].foreign_keys
    assert key.to_columns == ("sign",)
    assert list(changes(only(first[1][MigrationKey("a", "0003_rename")]))) == ["a_coded", "a_link"]


def test_circular_initial_migrations(connection: BaseDatabaseWrapper) -> None:
    history = History()
    history.add("a", "0001_initial", [migrations.CreateModel("A", [("id", pk())])])
    b = [("id", pk()), ("a", models.ForeignKey("a.A", models.CASCADE))]
    history.add("b", "0001_initial", [migrations.CreateModel("B", b)],
                needs=[("a", "0001_initial")])  # fmt: skip
    back = migrations.AddField("A", "b", models.ForeignKey("b.B", models.CASCADE, null=True))
    history.add("a", "0002_back", [back], needs=[("b", "0001_initial")])
    tables = history.schema(connection).tables
    assert [key.to_table for key in tables["a_a"].foreign_keys] == ["b_b"]


def test_a_reference_to_a_model_that_comes_later_is_completed(
    connection: BaseDatabaseWrapper,
) -> None:
    late = models.ForeignKey("shop.Thing", models.CASCADE)
    history = History().add(
        "shop",
        "0001_initial",
        [migrations.CreateModel("Early", [("id", pk()), ("late", late)]), thing()],
    )
    effect = history.walk(connection)[1][MigrationKey("shop", "0001_initial")]
    assert changes(effect.operations[1]) == {"shop_early": "changed", "shop_thing": "created"}
    column = history.schema(connection).tables["shop_early"].column("late_id")
    assert column is not None
    assert column.type == "bigint"


def test_what_is_no_model_is_named(connection: BaseDatabaseWrapper) -> None:
    link = models.OneToOneField("shop.Thing", models.CASCADE, parent_link=True, primary_key=True)
    child = migrations.CreateModel(
        "Child", [("link", link), ("n", models.IntegerField())], bases=("shop.thing",)
    )
    with pytest.raises(MigratorError, match=r"migrations of shop .* model of child: FieldError"):
        second(connection, child)


def test_becoming_managed_makes_no_table(connection: BaseDatabaseWrapper) -> None:
    found = only(
        second(
            connection,
            migrations.AlterModelOptions("Thing", {"managed": True}),
            first=thing(managed=False),
        )
    )
    assert found.tables == ()
    assert found.opaque_tables == {"shop_thing"}


def test_a_custom_field_contributes_what_it_wants(connection: BaseDatabaseWrapper) -> None:
    fields = [
        ("id", pk()),
        ("price_currency", CurrencyField(default="EUR", editable=False, max_length=3)),
        ("price", MoneyField(max_digits=8, decimal_places=2, default_currency="EUR")),
    ]
    history = History().add("shop", "0001_initial", [migrations.CreateModel("Priced", fields)])
    table = history.schema(connection).tables["shop_priced"]
    assert sorted(columns(table)) == ["id", "price", "price_currency"]


# -- what cannot be observed -----------------------------------------------------------


def uses_models(apps: Any, schema_editor: Any) -> None:
    apps.get_model("shop", "Thing").objects.update(n=1)


def alters(apps: Any, schema_editor: Any) -> None:
    schema_editor.execute("ALTER TABLE x ADD y int")


@pytest.mark.parametrize(
    ("operation", "unknown", "opaque"),
    [
        (migrations.RunPython(migrations.RunPython.noop), False, NOTHING),
        (migrations.RunPython(uses_models), True, NOTHING),
        (migrations.RunPython(alters), True, ANYTHING),
        (migrations.RunSQL(migrations.RunSQL.noop), False, NOTHING),
        (migrations.RunSQL("UPDATE shop_thing SET n = 1"), True, NOTHING),
        (migrations.RunSQL("ALTER TABLE shop_thing ADD m int"), True, {"shop_thing"}),
        (migrations.RunSQL("DO $$ BEGIN END $$"), True, ANYTHING),
        (TrigramExtension(), True, NOTHING),
        (CreateCollation("c", "de"), True, NOTHING),
        (ValidateConstraint("Thing", "c"), True, NOTHING),
    ],
)
def test_code_and_sql_are_unknown_unless_they_do_nothing(
    connection: BaseDatabaseWrapper, operation: Any, unknown: bool, opaque: Any
) -> None:
    found = only(second(connection, operation))
    assert (found.tables, found.unknown, found.opaque_tables) == ((), unknown, opaque)


def test_what_is_elidable_is_said(connection: BaseDatabaseWrapper) -> None:
    effect = second(
        connection,
        migrations.RunPython(uses_models, elidable=True),
        migrations.RunPython(uses_models),
        migrations.RunPython(migrations.RunPython.noop),
    )
    assert [operation.elidable for operation in effect.operations] == [True, False, True]


def test_sql_with_state_can_be_looked_for(connection: BaseDatabaseWrapper) -> None:
    rename = migrations.RunSQL(
        "ALTER TABLE shop_thing RENAME TO things",
        state_operations=[migrations.AlterModelTable("Thing", "things")],
    )
    found = only(second(connection, rename))
    assert changes(found) == {"shop_thing": "dropped", "things": "created"}
    assert (found.unknown, found.opaque_tables) == (False, {"shop_thing", "things"})
    moved = migrations.RunSQL(
        "UPDATE shop_thing SET n = 1; ALTER TABLE shop_thing ADD m int NULL",
        state_operations=[migrations.AddField("Thing", "m", models.IntegerField(null=True))],
    )
    assert only(second(connection, moved)).unknown


def test_state_alone_does_nothing_and_hides_its_tables(connection: BaseDatabaseWrapper) -> None:
    state = [migrations.AddField("Thing", "m", models.IntegerField())]
    separate = migrations.SeparateDatabaseAndState(state_operations=state)
    history = History().add("shop", "0001_initial", [thing()])
    history.add("shop", "0002_next", [separate])
    walk, effects = history.walk(connection)
    found = only(effects[MigrationKey("shop", "0002_next")])
    assert (found.tables, found.unknown, found.opaque_tables) == ((), False, {"shop_thing"})
    assert columns(walk.schema().tables["shop_thing"]) == ["id", "n", "m"]


def test_the_database_side_is_what_happens(connection: BaseDatabaseWrapper) -> None:
    separate = migrations.SeparateDatabaseAndState(
        database_operations=[
            migrations.AlterModelTable("Thing", "moved"),
            migrations.AddField("Thing", "m", models.IntegerField(null=True)),
        ],
        state_operations=[migrations.DeleteModel("Thing")],
    )
    history = History().add("shop", "0001_initial", [thing()]).add("shop", "0002_next", [separate])
    walk, effects = history.walk(connection)
    found = only(effects[MigrationKey("shop", "0002_next")])
    assert changes(found) == {"moved": "created", "shop_thing": "dropped"}
    after = {table.key: table.after for table in found.tables}
    assert columns(after["moved"]) == ["id", "n", "m"]
    assert found.opaque_tables == {"moved", "shop_thing"}
    assert walk.schema().tables == {}


def test_sql_on_the_database_side_stays_unknown(connection: BaseDatabaseWrapper) -> None:
    index = models.Index(fields=["n"], name="i")
    separate = migrations.SeparateDatabaseAndState(
        database_operations=[migrations.RunSQL("CREATE INDEX CONCURRENTLY i ON shop_thing (n)")],
        state_operations=[migrations.AddIndex("Thing", index)],
    )
    found = only(second(connection, separate))
    assert (found.tables, found.unknown, found.opaque_tables) == ((), True, {"shop_thing"})


class AddFieldIfMissing(migrations.AddField):
    """As third parties write them."""


class Sneaky(migrations.operations.base.Operation):
    """Writes to state.models without telling anybody."""

    def state_forwards(self, app_label: str, state: Any) -> None:
        copied = state.models[app_label, "thing"].clone()
        copied.fields["sneaked"] = models.IntegerField()
        state.models[app_label, "thing"] = copied

    def database_forwards(self, *args: Any) -> None: ...


def test_an_operation_of_a_third_party_is_unknown_on_its_tables(
    connection: BaseDatabaseWrapper,
) -> None:
    found = only(second(connection, AddFieldIfMissing("Thing", "m", models.IntegerField())))
    assert changes(found) == {"shop_thing": "changed"}
    assert (found.unknown, found.opaque_tables) == (True, {"shop_thing"})


def test_an_operation_that_writes_to_the_state_behind_its_back_is_seen(
    connection: BaseDatabaseWrapper,
) -> None:
    found = only(second(connection, Sneaky()))
    assert changes(found) == {"shop_thing": "changed"}
    assert (found.unknown, found.opaque_tables) == (True, ANYTHING)


# -- routers ---------------------------------------------------------------------------


class ByModel:
    """As a custom router would: it looks at the class that it is given."""

    asked: ClassVar[list[tuple[str, dict[str, Any]]]] = []

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        self.asked.append((app_label, hints))
        if hints.get("away"):
            return False
        model = hints.get("model")
        if model is None:
            return None
        assert hints["model_name"] == model._meta.model_name
        return not model._meta.db_table.startswith("away_")


class Broken:
    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        raise KeyError("a rule")


@pytest.fixture
def by_model() -> Iterator[type[ByModel]]:
    ByModel.asked.clear()
    with override_settings(DATABASE_ROUTERS=[f"{__name__}.ByModel"]):
        yield ByModel


def test_models_that_the_routers_keep_away_have_no_effect(
    connection: BaseDatabaseWrapper, by_model: type[ByModel]
) -> None:
    away = thing(db_table="away_things")
    effect = second(
        connection,
        migrations.AddField("Thing", "m", models.IntegerField()),
        migrations.RunPython(uses_models, hints={"away": True}),
        migrations.RunSQL("ALTER TABLE x ADD y int", hints={"away": True}),
        first=away,
    )
    assert effect.inert
    assert all(operation.opaque_tables == NOTHING for operation in effect.operations)
    hints = [hints for _, hints in by_model.asked if "model" in hints]
    assert {hint["model"].__module__ for hint in hints} == {"__fake__"}


class NotHere:
    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return app_label != "shop"


def test_operations_of_third_parties_are_kept_away_as_well(
    connection: BaseDatabaseWrapper,
) -> None:
    with override_settings(DATABASE_ROUTERS=[f"{__name__}.NotHere"]):
        effect = second(
            connection, AddFieldIfMissing("Thing", "m", models.IntegerField()), Sneaky()
        )
    assert effect.inert
    assert all(operation.opaque_tables == NOTHING for operation in effect.operations)


def test_a_broken_router_is_named(connection: BaseDatabaseWrapper) -> None:
    history = History().add("shop", "0001_initial", [thing()])
    with (
        override_settings(DATABASE_ROUTERS=[f"{__name__}.Broken"]),
        pytest.raises(ConfigurationError, match=r"router failed.*'shop'.*'thing'.*KeyError"),
    ):
        history.schema(connection)


def test_apps_are_owned_where_a_table_of_theirs_lives(
    connection: BaseDatabaseWrapper, by_model: type[ByModel]
) -> None:
    history = History().add("shop", "0001_initial", [thing()])
    history.add("off", "0001_initial", [thing(db_table="away_off")])
    history.add("views", "0001_initial", [thing(managed=False)])
    state = recorded_state(history.graph(None, history.migrations))
    ownership = Ownership(connection)
    tables = StateTables(state, connection, ownership.owns)
    assert ownership.owned_apps(tables) == {"shop", "views"}
    assert tables.owned_tables() == {"shop_thing"}


# -- state without effects ---------------------------------------------------------------


def test_a_state_can_be_had_without_effects(connection: BaseDatabaseWrapper) -> None:
    history = History().add("shop", "0001_initial", [thing()])
    history.add("shop", "0002_next", [migrations.AddField("Thing", "m", models.TextField())])
    loader = history.graph(connection, [("shop", "0001_initial")])
    recorded = state_schema(recorded_state(loader), connection)
    assert columns(recorded.tables["shop_thing"]) == ["id", "n"]
    walk = Walk(loader, Ownership(connection))
    walk.apply(MigrationKey("shop", "0001_initial"))
    assert walk.schema() == recorded


def test_a_predicate_may_say_what_belongs_there(connection: BaseDatabaseWrapper) -> None:
    history = History().add("shop", "0001_initial", [thing()])
    state = recorded_state(history.graph(None, history.migrations))
    assert state_schema(state, connection, owns=lambda model: False).tables == {}


def test_a_swapped_model_has_no_table_and_is_referred_to_by_its_replacement(
    connection: BaseDatabaseWrapper,
) -> None:
    swappable = migrations.CreateModel(
        "Original", [("id", models.AutoField(primary_key=True))],
        options={"swappable": "SHOP_THING_MODEL"},
    )  # fmt: skip
    own = migrations.CreateModel("Own", [("id", models.UUIDField(primary_key=True))])
    with override_settings(SHOP_THING_MODEL="own.Own"):
        reference = models.ForeignKey(settings.SHOP_THING_MODEL, models.CASCADE)
        link = migrations.CreateModel("Link", [("id", pk()), ("thing", reference)])
        history = (
            History().add("shop", "0001_initial", [swappable]).add("own", "0001_initial", [own])
        )
        history.add("shop", "0002_link", [link], needs=[("own", "0001_initial")])
        tables = history.schema(connection).tables
    assert set(tables) == {"own_own", "shop_link"}
    column = tables["shop_link"].column("thing_id")
    assert column is not None
    assert column.type == "uuid"


def test_ids_that_no_migration_mentions_have_no_certain_type(
    connection: BaseDatabaseWrapper,
) -> None:
    """They got what DEFAULT_AUTO_FIELD said on the day; changing it alters no such column."""
    many = migrations.AddField("Thing", "many", models.ManyToManyField("shop.Thing"))
    bare = migrations.CreateModel("Bare", [("n", models.IntegerField())])
    reference = models.ForeignKey("shop.Bare", models.CASCADE)
    link = migrations.CreateModel("Link", [("id", pk()), ("bare", reference)])
    history = History().add("shop", "0001_initial", [thing(), many, bare, link])
    tables = history.schema(connection).tables
    assert columns(tables["shop_thing_many"]) == ["id", "from_thing_id", "to_thing_id"]
    found = {
        (key, column.name): (column.type, column.identity)
        for key, table in tables.items()
        for column in table.columns
    }
    assert found["shop_thing_many", "id"] == ("", "by default")
    assert found["shop_bare", "id"] == ("", "by default")
    assert found["shop_link", "bare_id"] == ("", "")
    assert found["shop_thing_many", "from_thing_id"] == ("bigint", "")


def test_index_together_of_old_migrations_is_still_read(connection: BaseDatabaseWrapper) -> None:
    fields = [("id", pk()), ("a", models.IntegerField()), ("b", models.IntegerField())]
    history = History().add(
        "shop",
        "0001_initial",
        [migrations.CreateModel("Old", fields, {"index_together": {("a", "b")}})],
    )
    history.add(
        "shop",
        "0002_named",
        [migrations.RenameIndex("Old", new_name="ab_idx", old_fields=("a", "b"))],
    )
    walk, effects = history.walk(connection)
    before = effects[MigrationKey("shop", "0001_initial")].operations[0].tables[0].after
    assert before is not None
    assert [index.columns for index in before.indexes] == [("a", "b")]
    (index,) = walk.schema().tables["shop_old"].indexes
    assert (index.name, index.columns) == ("ab_idx", ("a", "b"))


def test_walking_renders_no_whole_state(
    connection: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db.migrations.state import StateApps

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("the whole state was rendered")

    monkeypatch.setattr(StateApps, "__init__", refuse)
    history = History().add("shop", "0001_initial", [thing()])
    history.add("shop", "0002_rename", [migrations.RenameModel("Thing", "Item")])
    assert set(history.schema(connection).tables) == {"shop_item"}
