"""The crash-safe MigrationExecutor: killed anywhere, resumed anywhere, nothing done twice.

- `crashsafe`: `CrashSafeExecutor`, Django's executor with rows and DDL in one transaction.
- `attempts`: one attempt of a migration, its intent, its outcome, and its errors in words.
- `stepwise`: migrations that no single transaction covers, one operation at a time.
- `doubt`: what is in doubt after a crash, and what settles it.
- `statements`: the statements inside one such operation, recorded and replayed.
- `operations`: what an operation is, and so what may be concluded after a crash.
- `patience`: short limits on waiting for locks, and another attempt after a pause.
- `watcher`: who is in the way, said while a statement waits.
- `probe`: looking at the live schema to tell whether an operation's effect is there.
- `witness`: what a database remembers of a transaction whose outcome was lost.
- `states`: the state before a migration, once more for another attempt.
- `recorder`: what each migration sent, for the report.
- `reconciliation`: the journal held against the recorded rows, as a pure function.
- `ports`: the journal interface that the executor needs, with a null and an in-memory twin.
"""

from __future__ import annotations

from migrator.executor.attempts import checksum
from migrator.executor.crashsafe import CrashSafeExecutor
from migrator.executor.operations import irreversible_operations, online_indexes
from migrator.executor.patience import Contended, LockPatience
from migrator.executor.ports import (
    Attempt,
    ExecutionJournal,
    Kind,
    MemoryExecutionJournal,
    NullExecutionJournal,
)
from migrator.executor.probe import Probe, SchemaProbe
from migrator.executor.reconciliation import Reconciliation, Settled, lost_leaves, reconcile
from migrator.executor.recorder import StatementRecorder

__all__ = [
    "Attempt",
    "Contended",
    "CrashSafeExecutor",
    "ExecutionJournal",
    "Kind",
    "LockPatience",
    "MemoryExecutionJournal",
    "NullExecutionJournal",
    "Probe",
    "Reconciliation",
    "SchemaProbe",
    "Settled",
    "StatementRecorder",
    "checksum",
    "irreversible_operations",
    "lost_leaves",
    "online_indexes",
    "reconcile",
]
