"""What an operation is, and so what may be concluded about it after a crash."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
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


TAKEN_BACK = ", taken back"
"""How the description of an operation ends that goes backwards."""


class Reversed(Operation):
    """An operation on its way back: what it does forwards is what the other does backwards."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation

    @property
    def atomic(self) -> bool | None:  # type: ignore[override]
        """As the other's."""
        declared: bool | None = self.operation.atomic
        return declared

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """The way back. The name of the local is what an error is traced to its operation by."""
        operation = self.operation
        unswapped(operation).database_backwards(app_label, schema_editor, from_state, to_state)

    def describe(self) -> str:
        """As the other's, and that it is taken back."""
        return self.operation.describe() + TAKEN_BACK


def unswapped(operation: Operation) -> Operation:
    """A copy to be taken back: RenameModel, RenameField and RenameIndex swap their own names for
    that time, and an error on the way would leave them swapped for every later attempt.
    """
    copied: Any = copy.copy(operation)
    if isinstance(operation, operations.SeparateDatabaseAndState):
        copied.database_operations = [unswapped(each) for each in operation.database_operations]
    fresh: Operation = copied
    return fresh


def nature_of(operation: Operation) -> Nature:
    """Sort one operation.

    Args:
        operation: As it stands in the migration, or reversed.
    """
    if isinstance(operation, Reversed):
        return _nature_of_reversed(operation.operation)
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


def _nature_of_reversed(operation: Operation) -> Nature:
    if isinstance(operation, operations.SeparateDatabaseAndState):
        return _nature_of_several([Reversed(each) for each in operation.database_operations])
    if isinstance(operation, operations.RunPython):
        noop = operation.reverse_code is operations.RunPython.noop
        return Nature.INERT if noop else Nature.CODE
    if isinstance(operation, operations.RunSQL):
        return Nature.INERT if operation.reverse_sql in ("", [], ()) else Nature.CODE
    return nature_of(operation)


def _does_nothing(operation: Operation) -> bool:
    if isinstance(operation, operations.RunPython):
        return operation.code is operations.RunPython.noop
    if isinstance(operation, operations.RunSQL):
        return operation.sql in ("", [], ())
    return type(operation) in (operations.AlterModelOptions, operations.AlterModelManagers)


def index_operation(operation: Operation) -> Any:
    """The AddIndex or RemoveIndex that an operation of nature INDEX is, or holds."""
    if isinstance(operation, Reversed):
        operation = operation.operation
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


def runs_code(migration: Migration) -> bool:
    """Whether anything but Django's own operations is in it: it may change the session, or
    write to another database.
    """
    if type(migration).apply is not Migration.apply:
        return True
    code = (Nature.CODE, Nature.CUSTOM)
    return any(nature_of(operation) in code for operation in migration.operations)


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
    altered = operation.operation if isinstance(operation, Reversed) else operation
    if not isinstance(altered, operations.AlterField):
        return False
    model = from_state.models.get((app_label, altered.model_name_lower))
    before = model.fields.get(altered.name) if model else None
    # Of one that is taken back, nobody has looked whether it was nullable before.
    filled = altered is not operation or not altered.field.null
    return bool(before is not None and before.null and filled)


def is_reversible(operation: Operation) -> bool:
    """Whether an operation can be taken back.

    Unlike Django's own attribute, of a SeparateDatabaseAndState this looks at what it does to
    the database: Django would find out in the middle.
    """
    if isinstance(operation, operations.SeparateDatabaseAndState):
        return all(map(is_reversible, operation.database_operations))
    return bool(operation.reversible)


def irreversible_operations(
    migration: Migration, runs: Callable[..., bool]
) -> tuple[tuple[int, str], ...]:
    """What keeps a migration from being taken back on one database.

    Args:
        migration: Which.
        runs: `runs(app_label, **hints)`: whether the routers let it run there. What did nothing
            there needs no way back.

    Returns:
        (index, description) of each such operation.
    """
    return tuple(
        (index, operation.describe())
        for index, operation in enumerate(migration.operations)
        if not is_reversible(operation)
        and runs(migration.app_label, **getattr(operation, "hints", {}))
    )


def passing_over_irreversible(migration: Migration, runs: Callable[..., bool]) -> Migration:
    """The migration with what is irreversible, and did nothing on this database, made to do
    nothing on the way back either; Django refuses it wherever the routers put it.

    Args:
        migration: Which.
        runs: As for `irreversible_operations`.
    """
    kept = [
        operation
        if is_reversible(operation) or runs(migration.app_label, **getattr(operation, "hints", {}))
        else operations.SeparateDatabaseAndState(state_operations=_state_of(operation))
        for operation in migration.operations
    ]
    if all(one is other for one, other in zip(kept, migration.operations, strict=True)):
        return migration
    patient = copy.copy(migration)
    patient.__dict__["operations"] = kept
    return patient


def to_take_back(migration: Migration) -> Migration:
    """A copy of a migration whose operations are `unswapped`."""
    copied = copy.copy(migration)
    copied.__dict__["operations"] = [unswapped(each) for each in migration.operations]
    return copied


def _state_of(operation: Operation) -> list[Operation]:
    """What an operation does to the state, as operations that do nothing else."""
    if isinstance(operation, operations.RunSQL | operations.SeparateDatabaseAndState):
        return list(operation.state_operations)
    return [] if isinstance(operation, operations.RunPython) else [operation]


def is_plain_dml(operation: Operation) -> bool:
    """Whether a RunSQL holds nothing but INSERT, UPDATE, DELETE and the like."""
    sql = _sql_of(operation)
    if sql is None:
        return False
    statements = list(_statements(sql))
    return bool(statements) and all(_DML.match(statement) for statement in statements)


def is_ddl_with_state(operation: Operation) -> bool:
    """Whether a RunSQL is one DDL statement, all or nothing on every server, whose effect its
    state operations say.
    """
    sql = _sql_of(operation)
    stated = operation.operation if isinstance(operation, Reversed) else operation
    if sql is None or not getattr(stated, "state_operations", None):
        return False
    statements = list(_statements(sql))
    return len(statements) == 1 and _DDL.match(statements[0]) is not None


def _sql_of(operation: Operation) -> Any:
    """The SQL of a RunSQL, of its way back where it is reversed; None of anything else."""
    if isinstance(operation, operations.RunSQL):
        return operation.sql
    if isinstance(operation, Reversed) and isinstance(operation.operation, operations.RunSQL):
        return operation.operation.reverse_sql
    return None


def _statements(sql: Any) -> Iterator[str]:
    if isinstance(sql, str):
        # A semicolon inside a literal only makes a piece that does not look like DML.
        yield from (p for p in _COMMENT.sub(" ", sql).split(";") if p.strip())
        return
    for item in sql:
        yield from _statements(item if isinstance(item, str) else item[0])
