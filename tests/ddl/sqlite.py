"""Measures what statements do on SQLite.

Which lock it holds: another connection tries to write meanwhile. Whether rows are read: the
steps of its virtual machine grow with the rows. Whether a table is written anew: as many pages
go to the log as the table has. All writers of the file wait; the table is the statement's own.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from migrator.core.costs import cost_of
from migrator.core.costs.sqlite import RESERVED
from migrator.core.plan import Cost
from migrator.sources.ddl import read_ddl
from tests.ddl.live import inspect
from tests.ddl.measured import Case, Measured, differences
from tests.ddl.sqlite_cases import ROWS, SETUP
from tests.servers import SQLiteDatabase

_FRAME = 4096 + 24
_FEW = 10


class Arena:
    """Two files of the same tables, one with few rows, one with many."""

    lacks: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="migrator-ddl-")
        self.version = sqlite3.sqlite_version_info
        self.title = f"SQLite {sqlite3.sqlite_version}"
        self._paths = {rows: Path(self._directory.name, f"{rows}.db") for rows in (_FEW, ROWS)}
        for rows in self._paths:
            self._fill(rows)
        self.schema = inspect(SQLiteDatabase(self._paths[ROWS]))

    def close(self) -> None:
        """Remove the files."""
        self._directory.cleanup()

    def _fill(self, rows: int) -> None:
        with closing(sqlite3.connect(self._paths[rows], isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(SETUP)
            connection.execute("BEGIN")
            for number in range(1, rows + 1):
                values = (number, number, number, "v", "x" * 400, number)
                connection.execute("INSERT INTO cat VALUES (?, 'n')", (number,))
                connection.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", values)
            connection.execute("COMMIT")

    def judge(self, case: Case) -> tuple[Measured, list[str]]:
        """Measure one statement, and hold what is said about it against that."""
        actions = read_ddl(case.sql, "sqlite")
        cost = cost_of(
            actions, vendor="sqlite", version=self.version, product="SQLite", schema=self.schema
        )
        try:
            few = self._run(case.sql, _FEW)
            many = self._run(case.sql, ROWS)
        except sqlite3.Error as error:
            return Measured(error=str(error)), [f"could not be run: {error}"]
        table = _said(cost)
        measured = Measured()
        if many[0]:
            measured.locks[table] = RESERVED
        if many[2] - few[2] > ROWS // 20:  # the table has about ten rows to a page
            measured.rewrites.add(table)
        if many[0] and many[1] - few[1] >= ROWS - _FEW:
            measured.scans.add(table)
        return measured, differences(measured, cost)

    def _run(self, sql: str, rows: int) -> tuple[bool, int, int]:
        """Whether another writer had to wait, steps of the machine, pages written."""
        path = self._paths[rows]
        steps = 0

        def step() -> int:
            nonlocal steps
            steps += 1
            return 0

        log = Path(f"{path}-wal")
        with (
            closing(sqlite3.connect(path, isolation_level=None)) as worker,
            closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other,
        ):
            worker.execute("PRAGMA cache_size = 5")  # what it writes goes to the log at once
            worker.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            worker.execute("BEGIN")
            worker.set_progress_handler(step, 1)
            worker.execute(sql).fetchall()
            worker.set_progress_handler(None, 0)
            try:
                other.execute("BEGIN IMMEDIATE")
                other.execute("ROLLBACK")
                waited = False
            except sqlite3.OperationalError:
                waited = True
            pages = log.stat().st_size // _FRAME if log.exists() else 0
            worker.execute("ROLLBACK")
        return waited, steps, pages


def _said(cost: Cost) -> str:
    """The table that the statement is about; a lock is on the whole file."""
    return cost.locks[0].table if cost.locks else "the file"
