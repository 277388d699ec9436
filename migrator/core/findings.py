"""The finding: one thing about a plan that somebody should know before it is applied."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from migrator.core.effects import MigrationKey


class Severity(StrEnum):
    """How much it matters, on this database, with what is in it now."""

    ERROR = "error"
    """It will lose data, fail, or stop the application."""
    WARNING = "warning"
    """It may, where more data or more load is than here."""
    INFO = "info"
    """Worth knowing; nothing to do on this database."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing.

    Attributes:
        code: Stable code of the rule; each has a line in docs/reference/lint.md.
        severity: See above.
        alias: The database that it was judged on; "" without one.
        migration: Which.
        operation: Index of the operation in it; None for the migration as a whole.
        table, column: What is concerned; "" for none.
        message: One sentence: what happens.
        hint: One or two sentences: what to do instead.
        alternative: The safe way as code, ready to paste; "" where there is none.
        lock: The strongest lock that is taken ("ACCESS EXCLUSIVE on shop_order"); "" for none.
        destroys: Whether data is gone afterwards: what the gate asks about.
        rows: How many rows are concerned, where that was counted or estimated.
        suppressed: The reason that was given for switching it off; "" when it is in force.
        file, line: Where it is, for annotations; "" and 0 where unknown.
    """

    code: str
    severity: Severity
    migration: MigrationKey
    message: str
    alias: str = ""
    operation: int | None = None
    table: str = ""
    column: str = ""
    hint: str = ""
    alternative: str = ""
    lock: str = ""
    destroys: bool = False
    rows: int | None = None
    suppressed: str = ""
    file: str = ""
    line: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The documented JSON shape of a finding."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "alias": self.alias,
            "app": self.migration.app,
            "migration": self.migration.name,
            "operation": self.operation,
            "table": self.table or None,
            "column": self.column or None,
            "message": self.message,
            "hint": self.hint,
            "alternative": self.alternative or None,
            "lock": self.lock or None,
            "destroys": self.destroys,
            "rows": self.rows,
            "suppressed": self.suppressed or None,
            "file": self.file or None,
            "line": self.line or None,
        }
