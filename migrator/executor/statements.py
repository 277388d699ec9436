"""The statements inside one operation that no transaction covers: recorded and replayed.

MySQL commits each DDL statement by itself, so a killed CreateModel may have left its table
without its many-to-many table. The schema editor is a deterministic function of the two
states and of what it looks up in the database (names of constraints, before it drops them):
an AlterField that finds no foreign key, because the killed attempt has dropped it already,
would not create it again. So the look-ups are journaled along with the statements, and a
resumed operation is run again with the same answers; statements that are known to be done are
passed over, and the one in doubt may find that its effect is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from migrator.exceptions import DecisionNeeded
from migrator.executor.ports import ExecutionJournal, Kind, latest_attempt

_ALREADY_THERE: dict[str, frozenset[object]] = {
    # https://mariadb.com/docs/server/reference/error-codes and MySQL's errmsg: table exists,
    # unknown table, duplicate column, key, primary key, nothing to drop, no such table or
    # column, duplicate foreign key or check, unknown check, errno 121 in CREATE and ALTER.
    "mysql": frozenset({1050, 1051, 1060, 1061, 1068, 1091, 1146, 1054, 1826, 3822, 3821, 1005}),
    # duplicate_table, _column, _object; multiple primary keys; undefined_object, _column, _table.
    "postgresql": frozenset({"42P07", "42701", "42710", "42P16", "42704", "42703", "42P01"}),
}


def error_code(error: BaseException) -> object:
    """The vendor's code of a database error: an SQLSTATE, or MySQL's number; None without."""
    cause = error.__cause__ or error
    if cause.args and isinstance(cause.args[0], int):  # MySQL's; PyMySQL has an sqlstate too
        return cause.args[0]
    return getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)


def is_already_there(vendor: str, error: DatabaseError) -> bool:
    """Whether a statement failed because its effect is there already."""
    return error_code(error) in _ALREADY_THERE.get(vendor, frozenset())


def first_line(error: BaseException) -> str:
    """The first line of an error, with its class unless it is a database's."""
    said = error.args
    # MySQL's drivers give (number, message).
    numbered = len(said) == 2 and isinstance(said[0], int)
    lines = str(said[1] if numbered else error).strip().splitlines()
    text = lines[0] if lines else ""
    if numbered:
        text = f"{text} ({said[0]})"
    if isinstance(error, DatabaseError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def run_deferred(editor: BaseDatabaseSchemaEditor) -> None:
    """Run the deferred SQL as the editor's __exit__ would; nothing is left for it."""
    pending = list(editor.deferred_sql)
    for sql in pending:
        editor.execute(sql, None)
    editor.deferred_sql = []


class StatementLog:
    """What one operation sends through a schema editor, journaled statement by statement.

    Statement k's entry is written before it runs, and says that those before it are done. The
    first needs none unless something was looked up before it: the operation's own intent says
    as much.
    """

    def __init__(
        self,
        editor: BaseDatabaseSchemaEditor,
        journal: ExecutionJournal,
        name: str,
        *,
        resumed: bool,
    ) -> None:
        """Prepare; nothing is changed before `recording`.

        Args:
            editor: The editor that the operation is given.
            journal: Where statements go.
            name: Name of the operation.
            resumed: Whether an earlier attempt may have run some of the statements.
        """
        self._editor = editor
        self._journal = journal
        self._name = name
        self._count = 0
        self._lookups: list[Any] = []
        last = latest_attempt(journal.entries(Kind.STATEMENT), Kind.STATEMENT, name)
        last = last if resumed else None
        self._doubtful = (last.number if last else 1) if resumed else 0
        self._doubtful_sql: str | None = last.payload["sql"] if last else None
        self._answers: list[Any] = list(last.payload["lookups"]) if last else []
        self._execute = editor.execute
        self._get_constraints = editor.connection.introspection.get_constraints

    @property
    def may_have_effects(self) -> bool:
        """Whether any statement was finished: an error in the first one leaves nothing."""
        return self._doubtful > 0 or self._count > 1

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Stand between the operation and its editor."""
        editor: Any = self._editor
        introspection = editor.connection.introspection
        editor.execute = self._on_execute
        introspection.get_constraints = self._on_lookup
        try:
            yield
        finally:
            del editor.execute
            del introspection.get_constraints

    def _on_lookup(self, cursor: Any, table: str) -> Any:
        if len(self._lookups) < len(self._answers):
            found = self._answers[len(self._lookups)]
        else:
            # Through JSON also the first time, so that a replay sees what the first run saw.
            found = json.loads(json.dumps(self._get_constraints(cursor, table), default=list))
        self._lookups.append(found)
        return found

    def _on_execute(self, sql: Any, params: Any = ()) -> None:
        self._count += 1
        if self._count < self._doubtful:
            return
        text = str(sql) if not params else f"{sql} -- {params!r}"
        in_doubt = self._count == self._doubtful
        if in_doubt and self._doubtful_sql not in (None, text):
            raise DecisionNeeded(
                f"Operation {self._name} was interrupted at a statement that it no longer "
                f"consists of: {self._doubtful_sql}",
                hint="Restore the migration file as it was, or finish the operation by hand and "
                "resume with --assume-applied.",
            )
        if self._count > 1 or self._lookups:
            payload = {"sql": text, "lookups": list(self._lookups)}
            self._journal.intent(Kind.STATEMENT, self._name, self._count, payload)
        try:
            self._execute(sql, params)
        except DatabaseError as error:
            if not (in_doubt and is_already_there(self._editor.connection.vendor, error)):
                raise
