"""Lets operations write their SQL into a list, and nothing anywhere else.

As `Migration.apply(collect_sql=True)` (django/db/migrations/migration.py, 5.2), one operation at
a time and with three holes closed: a RunPython inside of a SeparateDatabaseAndState is not run;
an operation of somebody else's that sends SQL past the schema editor is stopped at its first
statement that is not a question; and what is looked up in the database is answered as of the
operation's turn (`migrator.planning.catalog`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import operations as django_operations
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from migrator.planning.catalog import Catalog
from migrator.sources import Ownership

_QUESTIONS = frozenset(
    {
        *("select", "show", "pragma", "with", "values", "explain", "describe"),
        # Of a savepoint, which an operation may open around what it asks.
        *("savepoint", "release", "rollback", "begin"),
    }
)


class Unshowable(Exception):
    """The argument says why the SQL of an operation cannot be shown."""


class Collector:
    """Collects the SQL of one migration.

    Args:
        connection: The target.
        atomic: Whether the migration is.
        catalog: Answers what is looked up.
    """

    def __init__(self, connection: BaseDatabaseWrapper, *, atomic: bool, catalog: Catalog) -> None:
        self.connection = connection
        self.catalog = catalog
        self.editor: Any = connection.schema_editor(collect_sql=True, atomic=atomic)
        self.editor.deferred_sql = []
        if connection.vendor == "sqlite":
            setattr(self.editor, "execute", self._collect_sqlite)  # noqa: B010
        self._ownership = Ownership(connection)
        self._taken = 0

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """For the duration, look-ups are the catalog's and nothing is written.

        The editor is never entered: on SQLite its exit reads the whole database. PostgreSQL's
        operations look whether they are inside of a transaction, so there they are.
        """
        with ExitStack() as stack:
            if self.connection.vendor == "postgresql" and self.editor.atomic_migration:
                stack.enter_context(_rolled_back(self.connection))
            stack.enter_context(self.connection.execute_wrapper(_only_questions))
            stack.enter_context(self.catalog.answering(self.connection, self.editor))
            yield

    def forwards(
        self, operation: Operation, app_label: str, before: ProjectState, after: ProjectState
    ) -> tuple[str, ...]:
        """The SQL of one operation.

        Args:
            operation: As in the migration.
            app_label: Of the migration.
            before, after: The states around it.

        Raises:
            Unshowable: The SQL cannot be told; the argument says why.
        """
        self._run(operation, app_label, before, after, backwards=False)
        return self.take()

    def backwards(
        self, operation: Operation, app_label: str, before: ProjectState, after: ProjectState
    ) -> tuple[str, ...]:
        """The SQL that takes one operation back.

        Args:
            operation: As in the migration.
            app_label: Of the migration.
            before: The state with the operation.
            after: The state without it.

        Raises:
            Unshowable: The SQL cannot be told; the argument says why.
        """
        self._run(operation, app_label, before, after, backwards=True)
        return self.take()

    def deferred(self) -> tuple[str, ...]:
        """What the editor has put off to the end of the migration."""
        for sql in self.editor.deferred_sql:
            self.editor.execute(sql, None)
        self.editor.deferred_sql = []
        return self.take()

    def take(self) -> tuple[str, ...]:
        """What was collected since the last call, without semicolons at the ends."""
        found = self.editor.collected_sql[self._taken :]
        self._taken = len(self.editor.collected_sql)
        return tuple(bare for text in found if (bare := _bare(text)))

    def _collect_sqlite(self, sql: Any, params: Any = ()) -> None:
        """As the wrapper of the driver puts parameters in (SQLiteCursorWrapper.convert_query).

        The editor's own way fails on a percent sign that the driver leaves alone.
        """
        # Only here: the module loads the driver, which is of no use to other vendors.
        from django.db.backends.sqlite3.base import FORMAT_QMARK_REGEX

        text = str(sql)
        if params is not None:
            values = iter([str(self.editor.quote_value(value)) for value in params])
            text = FORMAT_QMARK_REGEX.sub(lambda _: next(values), text).replace("%%", "%")
        self.editor.collected_sql.append(text)

    # -- one operation ---------------------------------------------------------------

    def _run(
        self,
        operation: Operation,
        app_label: str,
        before: ProjectState,
        after: ProjectState,
        *,
        backwards: bool,
    ) -> None:
        if is_plainly_separate(operation):
            self._separate(operation, app_label, before, after, backwards=backwards)
            return
        if not operation.reduces_to_sql:
            if runs_here(operation, app_label, self._ownership, backwards=backwards):
                raise Unshowable("it is code")
            return
        if hidden := _hidden_code(operation):
            raise Unshowable(f"it holds {hidden}, which is code")
        self.catalog.begin_operation(len(self.editor.collected_sql))
        # RenameModel, RenameField and RenameIndex swap their own names for the time that they are
        # taken back; an error on the way would leave them swapped for good.
        method: Callable[..., None] = (
            copy.copy(operation).database_backwards if backwards else operation.database_forwards
        )
        try:
            method(app_label, self.editor, before, after)
        except Unshowable:
            raise
        except Exception as error:  # whatever Django or somebody's operation finds wrong
            raise Unshowable(_reason(error)) from error

    def _separate(
        self,
        operation: Any,
        app_label: str,
        before: ProjectState,
        after: ProjectState,
        *,
        backwards: bool,
    ) -> None:
        """As SeparateDatabaseAndState itself (operations/special.py), part by part."""
        parts = list(operation.database_operations)
        states = [before.clone() if not backwards else after.clone()]
        for part in parts:
            state = states[-1].clone()
            part.state_forwards(app_label, state)
            states.append(state)
        unshown: list[str] = []
        steps = list(zip(parts, states, states[1:], strict=False))
        if backwards:
            steps = [(part, later, earlier) for part, earlier, later in reversed(steps)]
        for part, first, second in steps:
            try:
                self._run(part, app_label, first, second, backwards=backwards)
            except Unshowable as reason:
                unshown.append(f"{part.describe()}: {reason}")
        if unshown:
            raise Unshowable("; ".join(unshown))


def is_plainly_separate(operation: Operation) -> bool:
    """Whether an operation is a SeparateDatabaseAndState with nobody's own way about it."""
    kind = django_operations.SeparateDatabaseAndState
    return (
        isinstance(operation, kind)
        and type(operation).database_forwards is kind.database_forwards
        and type(operation).database_backwards is kind.database_backwards
    )


def runs_here(
    operation: Operation, app_label: str, ownership: Ownership, *, backwards: bool = False
) -> bool:
    """Whether code that is no SQL does anything on this database.

    Args:
        operation: Any operation that is not reduced to SQL.
        app_label: Of its migration.
        ownership: The routers' view of the database.
        backwards: Whether it is taken back.
    """
    if isinstance(operation, django_operations.RunPython):
        code = operation.reverse_code if backwards else operation.code
        if code is django_operations.RunPython.noop or code is None:
            return False
    return ownership.runs(app_label, **getattr(operation, "hints", {}))


def _hidden_code(operation: Operation) -> str:
    """The description of code that an operation of somebody else's holds among its attributes."""
    if type(operation).__module__.startswith(("django.db.migrations.", "django.contrib.")):
        return ""
    for value in vars(operation).values():
        for held in value if isinstance(value, list | tuple) else [value]:
            if isinstance(held, Operation) and not held.reduces_to_sql:
                return str(held.describe())
    return ""


@contextmanager
def _rolled_back(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """A transaction, or a savepoint within one, of which nothing stays."""
    with transaction.atomic(using=connection.alias):
        try:
            yield
        finally:
            transaction.set_rollback(True, using=connection.alias)


def _only_questions(
    execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    word = str(sql).lstrip(" \n\t(").partition(" ")[0].partition("\n")[0].lower()
    if word.strip(";") not in _QUESTIONS:
        raise Unshowable("it sends SQL of its own to the database")
    return execute(sql, params, many, context)


def _bare(text: str) -> str:
    """A statement without the semicolon at its end, nor the comments that say "nothing"."""
    bare = text.strip().removesuffix(";").rstrip()
    return "" if bare in ("--", "-- (no-op)") else bare


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
