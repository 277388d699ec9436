"""The crash-safe MigrationExecutor: killed anywhere, resumed anywhere, nothing done twice.

- `crashsafe`: `CrashSafeExecutor`, Django's executor with rows and DDL in one transaction.
- `stepwise`: migrations that no single transaction covers, one operation at a time.
- `doubt`: what is in doubt after a crash, and what settles it.
- `statements`: the statements inside one such operation, recorded and replayed.
- `operations`: what an operation is, and so what may be concluded after a crash.
- `probe`: looking at the live schema to tell whether an operation's effect is there.
- `reconciliation`: the journal held against the recorded rows, as a pure function.
- `ports`: the journal interface that the executor needs, with a null and an in-memory twin.
"""

from __future__ import annotations

from migrator.executor.crashsafe import CrashSafeExecutor, checksum
from migrator.executor.operations import online_indexes
from migrator.executor.ports import (
    Attempt,
    ExecutionJournal,
    Kind,
    MemoryExecutionJournal,
    NullExecutionJournal,
)
from migrator.executor.probe import Probe, SchemaProbe
from migrator.executor.reconciliation import Reconciliation, Settled, lost_leaves, reconcile

__all__ = [
    "Attempt",
    "CrashSafeExecutor",
    "ExecutionJournal",
    "Kind",
    "MemoryExecutionJournal",
    "NullExecutionJournal",
    "Probe",
    "Reconciliation",
    "SchemaProbe",
    "Settled",
    "checksum",
    "lost_leaves",
    "online_indexes",
    "reconcile",
]
