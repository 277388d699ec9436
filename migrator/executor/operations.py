"""What an operation is, and so what may be concluded about it after a crash."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum, auto
from typing import Any

from django.db.migrations import Migration, operations
from django.db.migrations.operations.base import Operation

_OWN = ("django.db.migrations.operations.", "django.contrib.postgres.operations")
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_DDL = re.compile(r"\s*(create|alter|drop)\b", re.IGNORECASE)
_DML = re.compile(r"\s*(insert|update|delete|replace|select|with)\b", re.IGNORECASE)


class Nature(Enum):
    """How the effect of an operation can be known."""

    INERT = auto()
    """Does nothing to the database."""
    SCHEMA = auto()
    """Django's own DDL: a function of the two states, sent through the schema editor."""
    INDEX = auto()
    """One index, built in a way of its own (CONCURRENTLY): its name tells."""
    CODE = auto()
    """RunPython or RunSQL: cannot be observed."""
    CUSTOM = auto()
    """A class that is not Django's: only a probe can tell."""


def nature_of(operation: Operation) -> Nature:
    """Sort one operation.

    Args:
        operation: As it stands in the migration.
    """
    if isinstance(operation, operations.SeparateDatabaseAndState):
        return _nature_of_several(operation.database_operations)
    if _does_nothing(operation):
        return Nature.INERT
    if isinstance(operation, operations.RunPython | operations.RunSQL):
        return Nature.CODE
    index = isinstance(operation, operations.AddIndex | operations.RemoveIndex)
    if index and type(operation) not in (operations.AddIndex, operations.RemoveIndex):
        return Nature.INDEX
    if type(operation).__module__.startswith(_OWN):
        return Nature.SCHEMA
    return Nature.CUSTOM


def _nature_of_several(several: Sequence[Operation]) -> Nature:
    natures = {nature_of(operation) for operation in several} - {Nature.INERT}
    if not natures:
        return Nature.INERT
    if Nature.CODE in natures:
        return Nature.CODE
    if natures == {Nature.INDEX}:
        return Nature.INDEX if len(several) == 1 else Nature.CUSTOM
    return Nature.SCHEMA if natures == {Nature.SCHEMA} else Nature.CUSTOM


def _does_nothing(operation: Operation) -> bool:
    if isinstance(operation, operations.RunPython):
        return operation.code is operations.RunPython.noop
    if isinstance(operation, operations.RunSQL):
        return operation.sql in ("", [], ())
    return type(operation) in (operations.AlterModelOptions, operations.AlterModelManagers)


def index_operation(operation: Operation) -> Any:
    """The AddIndex or RemoveIndex that an operation of nature INDEX is, or holds."""
    if isinstance(operation, operations.SeparateDatabaseAndState):
        return operation.database_operations[0]
    return operation


def online_indexes(migrations: Iterable[Migration]) -> frozenset[str]:
    """Names of the indexes that migrations build outside of a transaction (CONCURRENTLY)."""
    return frozenset(
        str(index_operation(operation).index.name)
        for migration in migrations
        for operation in migration.operations
        if nature_of(operation) is Nature.INDEX
        and isinstance(index_operation(operation), operations.AddIndex)
    )


def runs_in_transaction(migration: Migration, operation: Operation) -> bool:
    """Whether Django itself puts this operation of a non-atomic migration (or of any migration
    on a vendor without transactional DDL) into a transaction of its own.
    """
    declared: bool | None = operation.atomic
    return bool(declared or (migration.atomic and declared is not False))


def fills_nulls(operation: Operation, from_state: Any, app_label: str) -> bool:
    """Whether an AlterField writes a default into rows before it alters the column.

    On PostgreSQL that UPDATE may leave trigger events pending (a deferred foreign key), after
    which ALTER TABLE is refused until the transaction ends. So where the author said
    `atomic = False`, no transaction must be put around it.
    """
    if not isinstance(operation, operations.AlterField):
        return False
    model = from_state.models.get((app_label, operation.model_name_lower))
    before = model.fields.get(operation.name) if model else None
    return bool(before is not None and before.null and not operation.field.null)


def is_plain_dml(operation: Operation) -> bool:
    """Whether a RunSQL holds nothing but INSERT, UPDATE, DELETE and the like."""
    if not isinstance(operation, operations.RunSQL):
        return False
    statements = list(_statements(operation.sql))
    return bool(statements) and all(_DML.match(statement) for statement in statements)


def is_ddl_with_state(operation: Operation) -> bool:
    """Whether a RunSQL is one DDL statement, all or nothing on every server, whose effect its
    state operations say.
    """
    if not isinstance(operation, operations.RunSQL) or not operation.state_operations:
        return False
    statements = list(_statements(operation.sql))
    return len(statements) == 1 and _DDL.match(statements[0]) is not None


def _statements(sql: Any) -> Iterator[str]:
    if isinstance(sql, str):
        # A semicolon inside a literal only makes a piece that does not look like DML.
        yield from (p for p in _COMMENT.sub(" ", sql).split(";") if p.strip())
        return
    for item in sql:
        yield from _statements(item if isinstance(item, str) else item[0])
