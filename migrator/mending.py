"""Carries out the actions of a repair plan through Django's own schema editor.

Models come from migration state at the moment that an action names, never from the code:
what is created is what the migrations would have created.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, assert_never

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState
from django.db.models import Field, Model

from migrator.core import repair as plan
from migrator.core.drift import ScanFacts
from migrator.core.effects import MigrationKey
from migrator.core.incidents import Incident
from migrator.core.schema import split_key
from migrator.exceptions import RepairFailed, UsageError


@dataclass(frozen=True, slots=True)
class Mending:
    """A repair plan and its SQL.

    Attributes:
        plan: What to do, what to ask, what to refuse.
        mender: Carries the actions out.
        shown: (description, SQL) of each action.
    """

    plan: plan.RepairPlan
    mender: Mender
    shown: tuple[tuple[str, tuple[str, ...]], ...]


def plan_mending(
    connection: BaseDatabaseWrapper,
    loader: MigrationLoader,
    recorded: Iterable[MigrationKey],
    incidents: Iterable[Incident],
    facts: ScanFacts,
    assume_applied: Iterable[str] = (),
) -> Mending:
    """Plan the repair of what a scan found, with its SQL. Changes nothing.

    Args:
        connection: The target.
        loader: Its migration graph.
        recorded: The migrations recorded there.
        incidents, facts: What the scan found, and from what.
        assume_applied: "app.name" of migrations that somebody vouches for.

    Raises:
        UsageError: One of them is no "app.name".
        RepairFailed: State does not hold what an action names.
    """
    policy = plan.RepairPolicy(frozenset(_assumed(name) for name in assume_applied))
    made = plan.plan_repair(incidents, facts, policy)
    mender = Mender(connection, loader, recorded)
    shown = tuple((action.description, mender.render_sql(action)) for action in made.actions)
    return Mending(made, mender, shown)


def _assumed(name: str) -> MigrationKey:
    app, dot, migration = name.partition(".")
    if not dot or not app or not migration:
        raise UsageError(
            f"--assume-applied takes app.name, not {name!r}.",
            hint="For example: --assume-applied blog.0007_fill_slugs.",
        )
    return MigrationKey(app, migration)


class Mender:
    """Carries out repair actions on one database."""

    def __init__(
        self,
        connection: BaseDatabaseWrapper,
        loader: MigrationLoader,
        recorded: Iterable[MigrationKey],
    ) -> None:
        """Prepare.

        Args:
            connection: The target.
            loader: Its migration graph.
            recorded: The migrations recorded there before the repair.
        """
        self._connection = connection
        self._loader = loader
        nodes = [tuple(key) for key in recorded if tuple(key) in loader.graph.nodes]
        self._head = nodes
        self._states: dict[MigrationKey | None, ProjectState] = {}
        self._recorder = MigrationRecorder(connection)

    def render_sql(self, action: plan.Action) -> tuple[str, ...]:
        """The SQL of an action, without running it.

        Args:
            action: One action of a plan.
        """
        if isinstance(action, plan.RecordMigration | plan.ForgetMigration):
            return (self._row_sql(action),)
        with self._connection.schema_editor(collect_sql=True, atomic=False) as editor:
            self.apply(action, editor)
        collected = [line for line in editor.collected_sql or () if not line.startswith("--")]
        if isinstance(action, plan.RunOperations) and action.record:
            collected.append(self._row_sql(plan.RecordMigration(action.migration)))
        return tuple(collected)

    def apply(self, action: plan.Action, editor: BaseDatabaseSchemaEditor) -> None:
        """Carry out one action; its deferred SQL stays with the editor.

        Args:
            action: One action of a plan.
            editor: An editor that has been entered. With `collect_sql` nothing is run, and
                no row is written.

        Raises:
            RepairFailed: State holds no such model, field, index or constraint.
            DatabaseError: From the server.
        """
        match action:
            case plan.RecordMigration(migration):
                self._record(migration, editor)
            case plan.ForgetMigration(migration):
                if not editor.collect_sql:
                    self._recorder.record_unapplied(*migration)
            case plan.RunOperations():
                self._run_operations(action, editor)
            case plan.CreateTable(table, state):
                model = self._model(table.key, state)
                model._meta.local_many_to_many.clear()  # each table is an action of its own
                editor.create_model(model)
            case plan.AddColumn(table, column, state):
                model = self._model(table, state)
                editor.add_field(model, _field(model, column.name))
            case plan.CreateIndex(table, index, state):
                self._create_index(self._model(table, state), index, editor)
            case plan.AddConstraint(table, constraint, state):
                self._add_constraint(self._model(table, state), constraint, editor)
            case plan.SetDefault(table, column):
                model = self._model(table, None)
                self._set_default(model, _field(model, column.name), editor)
            case plan.RebuildIndex(table, index):
                editor.execute(f"DROP INDEX {editor.quote_name(index.name)}")
                self._create_index(self._model(table, None), index, editor)
            case plan.ValidateConstraint(table, name):
                editor.execute(
                    f"ALTER TABLE {_quoted(editor, table)} "
                    f"VALIDATE CONSTRAINT {editor.quote_name(name)}"
                )
            case plan.ResetSequence(_, _, sequence, value):
                editor.execute(f"SELECT setval('{editor.quote_name(sequence)}', {int(value)})")
            case _:
                assert_never(action)

    # -- rows ----------------------------------------------------------------------

    def _record(self, migration: MigrationKey, editor: BaseDatabaseSchemaEditor) -> None:
        if editor.collect_sql:
            return
        self._recorder.record_applied(*migration)

    def _row_sql(self, action: plan.RecordMigration | plan.ForgetMigration) -> str:
        app, name = (part.replace("'", "''") for part in action.migration)
        if isinstance(action, plan.RecordMigration):
            return (
                "INSERT INTO django_migrations (app, name, applied) "
                f"VALUES ('{app}', '{name}', CURRENT_TIMESTAMP);"
            )
        return f"DELETE FROM django_migrations WHERE app = '{app}' AND name = '{name}';"

    # -- operations ----------------------------------------------------------------------

    def _run_operations(self, action: plan.RunOperations, editor: BaseDatabaseSchemaEditor) -> None:
        key = (action.migration.app, action.migration.name)
        migration = self._loader.get_migration(*key)
        state = self._loader.project_state(key, at_end=False)
        for index, operation in enumerate(migration.operations):
            before = state.clone()
            operation.state_forwards(migration.app_label, state)
            if index in action.operations:
                operation.database_forwards(migration.app_label, editor, before, state)
        if action.record:
            self._record(action.migration, editor)

    # -- models of state -------------------------------------------------------------------

    def _state(self, at: MigrationKey | None) -> ProjectState:
        if at not in self._states:
            nodes: Any = [tuple(at)] if at is not None else self._head
            self._states[at] = self._loader.project_state(nodes)
        return self._states[at]

    def _model(self, table: str, at: MigrationKey | None) -> type[Model]:
        """The model of a table, an auto-created M2M table included."""
        for model in self._state(at).apps.get_models(include_auto_created=True):
            names = {model._meta.db_table, self._truncated(model._meta.db_table)}
            if table in {'"."'.join(part for part in split_key(name) if part) for name in names}:
                return model
        raise RepairFailed(
            f"No model of the recorded state has the table {table}.",
            hint="Create it by hand, as the report shows it.",
        )

    def _truncated(self, name: str) -> str:
        limit = self._connection.ops.max_name_length()
        return name[:limit] if limit else name

    # -- indexes and constraints ------------------------------------------------------------

    def _create_index(self, model: type[Model], wanted: Any, editor: Any) -> None:
        for index in model._meta.indexes:
            if index.name == wanted.name:
                editor.add_index(model, index)
                return
        fields = [_field(model, column) for column in wanted.columns if column]
        if not fields or len(fields) != len(wanted.columns):
            raise RepairFailed(f"Index {wanted.name} on {model._meta.db_table} is not in state.")
        if wanted.unique:
            editor.execute(editor._create_unique_sql(model, fields))
        else:
            editor.execute(editor._create_index_sql(model, fields=fields))

    def _add_constraint(self, model: type[Model], wanted: Any, editor: Any) -> None:
        for constraint in model._meta.constraints:
            if constraint.name == wanted.name:
                editor.add_constraint(model, constraint)
                return
        columns = getattr(wanted, "columns", ())
        fields = [_field(model, column) for column in columns]
        if hasattr(wanted, "to_table") and len(fields) == 1:
            editor.execute(
                editor._create_fk_sql(model, fields[0], "_fk_%(to_table)s_%(to_column)s")
            )
        elif type(wanted).__name__ == "Unique" and fields:
            editor.execute(editor._create_unique_sql(model, fields))
        elif type(wanted).__name__ == "Check" and len(fields) == 1:
            params = fields[0].db_parameters(connection=self._connection)
            editor.execute(
                editor._create_check_sql(model, wanted.name or "", str(params.get("check") or ""))
            )
        else:
            raise RepairFailed(
                f"Constraint {getattr(wanted, 'name', '')} on {model._meta.db_table} "
                "is not in state."
            )

    def _set_default(self, model: type[Model], field: Any, editor: Any) -> None:
        sql, params = editor.db_default_sql(field)
        editor.execute(
            f"ALTER TABLE {editor.quote_name(model._meta.db_table)} "
            f"ALTER COLUMN {editor.quote_name(field.column)} SET DEFAULT {sql}",
            params,
        )


def _field(model: type[Model], column: str) -> Field[Any, Any]:
    for field in model._meta.local_concrete_fields:
        if field.column == column:
            return field
    raise RepairFailed(
        f"{model._meta.label} of the recorded state has no column {column}.",
        hint="Mend it by hand, as the report shows it.",
    )


def _quoted(editor: BaseDatabaseSchemaEditor, table: str) -> str:
    return ".".join(editor.quote_name(part) for part in split_key(table) if part)
