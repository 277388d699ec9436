"""Carries out the actions of a repair plan through Django's own schema editor.

Models come from migration state at the moment that an action names, never from the code:
what is created is what the migrations would have created.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, assert_never

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState
from django.db.models import Field, Model

from migrator.core import repair as plan
from migrator.core.actions import Action
from migrator.core.drift import ScanFacts
from migrator.core.effects import MigrationKey
from migrator.core.incidents import Incident
from migrator.core.schema import Check, ForeignKey, PrimaryKey, Unique, split_key
from migrator.exceptions import RepairFailed, UsageError
from migrator.mending.obstacles import Obstacles


@dataclass(frozen=True, slots=True)
class Mending:
    """A repair plan and its SQL.

    Attributes:
        plan: What to do, what to ask, what to refuse.
        mender: Carries the actions out.
        steps: The actions with their SQL; what another one brings along is left out.
    """

    plan: plan.RepairPlan
    mender: Mender
    steps: tuple[tuple[Action, tuple[str, ...]], ...]

    @property
    def shown(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """(description, SQL) of each action."""
        return tuple((action.description, sql) for action, sql in self.steps)

    def obstacles(self) -> tuple[str, ...]:
        """What the rows that are there do not allow, one sentence for each. Reads only.

        Raises:
            DatabaseError: From the server.
        """
        return tuple(reason for action, _ in self.steps if (reason := self.mender.obstacle(action)))


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
    mender = Mender(connection, loader, recorded, frozenset(facts.live.tables))
    if made.refusals or made.decisions:
        return Mending(made, mender, _rendered(mender, made.actions, lenient=True))
    return Mending(made, mender, _rendered(mender, made.actions))


def _rendered(
    mender: Mender, actions: Iterable[plan.Action], *, lenient: bool = False
) -> tuple[tuple[plan.Action, tuple[str, ...]], ...]:
    """`lenient`: nothing of it is going to be done, so that what cannot be shown is no error."""
    steps = []
    for action in actions:
        try:
            sql = mender.render_sql(action)
        except Exception:
            if not lenient:
                raise
            sql = ()
        if sql or lenient:
            steps.append((action, sql))
    return tuple(steps)


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
        live: Collection[str] = (),
    ) -> None:
        """Prepare.

        Args:
            connection: The target.
            loader: Its migration graph.
            recorded: The migrations recorded there before the repair.
            live: Keys of the tables that are there before the repair.
        """
        self._live = live
        self._connection = connection
        self._loader = loader
        nodes = [tuple(key) for key in recorded if tuple(key) in loader.graph.nodes]
        self._head = nodes
        self._states: dict[MigrationKey | None, ProjectState] = {}
        self._recorder = MigrationRecorder(connection)
        self._added: set[tuple[str, str]] = set()  # (db_table, column)

    def obstacle(self, action: plan.Action) -> str:
        """What the rows that are there do not allow of an action; "" for nothing. Reads only.

        Args:
            action: One action of a plan.

        Raises:
            DatabaseError: From the server.
        """
        parts = action.parts if isinstance(action, plan.RebuildTable) else (action,)
        for part in parts:
            if not isinstance(
                part, plan.AddColumn | plan.AddConstraint | plan.CreateIndex | plan.RebuildIndex
            ):
                continue
            model = self._model(part.table, getattr(part, "state", None))
            reason = Obstacles(self._connection, model, self._live).of(part)
            if reason:
                return reason
        return ""

    def outside_transaction(self, action: plan.Action) -> bool:
        """Whether an action has to run after the transaction of the others."""
        return isinstance(action, plan.RebuildIndex) and self._connection.vendor == "postgresql"

    def render_sql(self, action: plan.Action) -> tuple[str, ...]:
        """The SQL of an action, without running it.

        Args:
            action: One action of a plan.
        """
        if isinstance(action, plan.RecordMigration | plan.ForgetMigration):
            return self._rows_sql(action)
        with self._connection.schema_editor(collect_sql=True, atomic=False) as editor:
            self.apply(action, editor)
        collected = [line for line in editor.collected_sql or () if not line.startswith("--")]
        if isinstance(action, plan.RunOperations) and action.record:
            collected += self._rows_sql(plan.RecordMigration(action.migration))
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
                editor.deferred_sql[:] = [sql for sql in editor.deferred_sql if sql is not None]
            case plan.AddColumn(table, column, state):
                self._add_column(self._model(table, state), column.name, editor)
            case plan.CreateIndex(table, index, state):
                self._create_index(self._model(table, state), index, editor)
            case plan.AddConstraint(table, constraint, state):
                self._add_constraint(self._model(table, state), constraint, editor)
            case plan.SetDefault(table, column):
                model = self._model(table, None)
                self._set_default(model, _field(model, column.name), editor)
            case plan.RebuildTable():
                self._rebuild_table(action, editor)
            case plan.RebuildIndex(table, index):
                self._rebuild_index(table, index, editor)
            case plan.ShowIndex(table, name):
                mariadb = self._connection.mysql_is_mariadb  # type: ignore[attr-defined]
                shown = "NOT IGNORED" if mariadb else "VISIBLE"
                editor.execute(
                    f"ALTER TABLE {_quoted(editor, table)} "
                    f"ALTER INDEX {editor.quote_name(name)} {shown}"
                )
            case plan.ValidateConstraint(table, name):
                quoted = editor.quote_name(name)
                enforced = f"ALTER CHECK {quoted} ENFORCED"
                validated = f"VALIDATE CONSTRAINT {quoted}"
                editor.execute(
                    f"ALTER TABLE {_quoted(editor, table)} "
                    f"{enforced if self._connection.vendor == 'mysql' else validated}"
                )
            case plan.ResetSequence(_, _, sequence, value):
                name = _quoted(editor, sequence).replace("'", "''")
                editor.execute(f"SELECT setval('{name}', {int(value)})", params=None)
            case _:
                assert_never(action)

    # -- rows ----------------------------------------------------------------------

    def _record(self, migration: MigrationKey, editor: BaseDatabaseSchemaEditor) -> None:
        if editor.collect_sql:
            return
        for row in self.records(migration):
            self._recorder.record_applied(*row)

    def records(self, migration: MigrationKey) -> tuple[MigrationKey, ...]:
        """The rows to write for a migration.

        A squash is applied for Django once all that it replaces is, whatever its own row says:
        its loader forgets that row otherwise.

        Args:
            migration: That is to be recorded.
        """
        found = self._loader.disk_migrations.get((migration.app, migration.name))
        if not found or not found.replaces:
            return (migration,)
        there = self._recorder.applied_migrations()
        rows = (*(MigrationKey(*key) for key in found.replaces), migration)
        return tuple(row for row in rows if (row.app, row.name) not in there)

    def _rows_sql(self, action: plan.RecordMigration | plan.ForgetMigration) -> tuple[str, ...]:
        recording = isinstance(action, plan.RecordMigration)
        rows = self.records(action.migration) if recording else (action.migration,)
        statements = []
        for row in rows:
            app, name = (part.replace("'", "''") for part in row)
            statements.append(
                "INSERT INTO django_migrations (app, name, applied) "
                f"VALUES ('{app}', '{name}', CURRENT_TIMESTAMP);"
                if recording
                else f"DELETE FROM django_migrations WHERE app = '{app}' AND name = '{name}';"
            )
        return tuple(statements)

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

    # -- columns and tables -------------------------------------------------------------------

    def _add_column(self, model: type[Model], column: str, editor: Any) -> None:
        field = _field(model, column)
        editor.add_field(model, field)
        self._added.add((model._meta.db_table, str(field.column)))

    def _rebuild_table(self, action: plan.RebuildTable, editor: Any) -> None:
        """Make the table anew as state has it (SQLite), missing columns given their default.

        `_remake_table` copies the columns of the model, so that they all have to be there.
        """
        model = self._model(action.table, None)
        table = editor.quote_name(model._meta.db_table)
        for part in action.parts:
            if not isinstance(part, plan.AddColumn):
                continue
            field: Any = _field(model, part.column.name)
            if field.generated:
                continue
            name = editor.quote_name(field.column)
            editor.execute(
                f"ALTER TABLE {table} ADD COLUMN {name} {field.db_type(self._connection)}"
            )
            if field.has_db_default():
                sql, params = editor.db_default_sql(field)
                editor.execute(f"UPDATE {table} SET {name} = {sql}", params or None)
            elif not field.null:
                value = editor.prepare_default(editor.effective_default(field))
                editor.execute(f"UPDATE {table} SET {name} = {value}", None)
        editor._remake_table(model)

    # -- indexes and constraints ------------------------------------------------------------

    def _create_index(self, model: type[Model], wanted: Any, editor: Any) -> None:
        if self._from_meta(model, wanted, editor):
            return
        table = model._meta.db_table
        fields = [_field(model, column) for column in wanted.columns if column]
        if not fields or len(fields) != len(wanted.columns):
            raise RepairFailed(f"Index {wanted.name} on {table} is not in state.")
        if len(fields) == 1 and (table, fields[0].column) in self._added:
            return  # came with its column
        if wanted.unique:
            editor.execute(editor._create_unique_sql(model, fields), None)
        elif any(key.opclass.endswith("_pattern_ops") for key in wanted.keys):
            editor.execute(editor._create_like_index_sql(model, fields[0]), None)
        else:
            sql = editor._create_index_sql(model, fields=fields, name=wanted.name or None)
            editor.execute(sql, None)

    def _from_meta(self, model: type[Model], wanted: Any, editor: Any) -> bool:
        """Make an index or constraint that the model's Meta names."""
        for index in model._meta.indexes:
            if index.name == wanted.name:
                editor.add_index(model, index)
                return True
        for constraint in model._meta.constraints:
            if constraint.name == wanted.name:
                editor.add_constraint(model, constraint)
                return True
        return False

    def _rebuild_index(self, table: str, index: Any, editor: Any) -> None:
        """Drop an invalid index and make it again just as it is defined, without locking
        writers out (PostgreSQL, which alone has invalid indexes); on MySQL, one that has lost
        a column, as state has it.
        """
        if self._connection.vendor != "postgresql":
            editor.execute(
                f"DROP INDEX {editor.quote_name(index.name)} ON {_quoted(editor, table)}"
            )
            self._create_index(self._model(table, None), index, editor)
            return
        name = ".".join(
            editor.quote_name(part) for part in (split_key(table)[0], index.name) if part
        )
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_get_indexdef(%s::regclass)", [name])
            (definition,) = cursor.fetchone()
        create = str(definition).replace(" INDEX ", " INDEX CONCURRENTLY ", 1)
        editor.execute(f"DROP INDEX CONCURRENTLY {name}", params=None)
        editor.execute(create, params=None)
        if editor.collect_sql:
            return
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT indisvalid FROM pg_index WHERE indexrelid = %s::regclass", [name]
            )
            (valid,) = cursor.fetchone()
        if not valid:
            raise RepairFailed(f"Index {index.name} on {table} is still not valid after a rebuild.")

    def _add_constraint(self, model: type[Model], wanted: Any, editor: Any) -> None:
        if wanted.name and self._from_meta(model, wanted, editor):
            return
        table = editor.quote_name(model._meta.db_table)
        fields: list[Any] = [_field(model, column) for column in getattr(wanted, "columns", ())]
        match wanted:
            case ForeignKey() if len(fields) == 1:
                suffix = "_fk_%(to_table)s_%(to_column)s"
                editor.execute(editor._create_fk_sql(model, fields[0], suffix), None)
            case Unique() if fields:
                editor.execute(editor._create_unique_sql(model, fields), None)
            case Check() if len(fields) == 1:
                check = fields[0].db_parameters(connection=self._connection).get("check")
                editor.execute(f"ALTER TABLE {table} ADD CHECK ({check})", params=None)
            case PrimaryKey() if fields:
                names = ", ".join(editor.quote_name(field.column) for field in fields)
                editor.execute(f"ALTER TABLE {table} ADD PRIMARY KEY ({names})", params=None)
            case _:
                raise RepairFailed(
                    f"Constraint {wanted.name} on {model._meta.db_table} is not in state."
                )

    def _set_default(self, model: type[Model], field: Any, editor: Any) -> None:
        sql, params = editor.db_default_sql(field)
        editor.execute(
            f"ALTER TABLE {editor.quote_name(model._meta.db_table)} "
            f"ALTER COLUMN {editor.quote_name(field.column)} SET DEFAULT {sql}",
            params or None,
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
