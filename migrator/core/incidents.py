"""The incident: one disagreement between what is expected and what is live."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from migrator.core.effects import MigrationKey


class Code(StrEnum):
    """Stable codes. Never reused; each has a line in docs/reference/incidents.md."""

    RECORDED_MISSING = "DR101"
    UNRECORDED_PRESENT = "DR102"
    HALF_APPLIED = "DR103"
    COLUMN_DIFFERS = "DR104"
    CONSTRAINT_OR_INDEX = "DR105"
    INVALID = "DR106"
    EXTRA_REQUIRED_COLUMN = "DR107"
    EXTRA = "DR108"
    GHOST = "DR109"
    WRONG_ORDER = "DR110"
    PARTIAL_SQUASH = "DR111"
    SEQUENCE_BEHIND = "DR112"


class Evidence(StrEnum):
    """What a difference was proved against, strongest first."""

    SNAPSHOT = "snapshot"
    REPLAY = "replay"
    STATE = "state"
    UNCONFIRMED = "unconfirmed"
    """State alone, where something opaque may have touched the table: never blocks."""


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """What an incident is about.

    Attributes:
        kind: "table" | "column" | "index" | "unique" | "foreign key" | "check" | "primary key"
            | "exclusion" | "sequence" | "trigger" | "migration" | "view" | …
        table: Key of the table; "" for objects outside of tables.
        name: Name of the object; for a table, its own key again.
    """

    kind: str
    table: str = ""
    name: str = ""

    def __str__(self) -> str:
        if self.kind in {"table", "migration"} or not self.table:
            return f"{self.kind} {self.name or self.table}"
        return f"{self.kind} {self.table}.{self.name}"


@dataclass(frozen=True, slots=True)
class Incident:
    """One disagreement.

    Attributes:
        code: Stable code.
        blocking: Whether it stops the alias.
        evidence: What it was proved against.
        object: What it is about.
        expected: What should be there, readable ("varchar(100) NOT NULL"); "" for nothing.
        live: What is there; "" for nothing.
        migration: The migration that it belongs to, where one can be named.
        operation: Index of the operation within that migration, where one can be named.
        message: One sentence: what is wrong.
        hint: One sentence: what to do next.
        sql: Statements that would mend it; may be empty.
        mendable: Whether `--repair` may mend it.
        objects: For classified migrations (DR101-103): each object and whether its effect is
            live.
        since: The run whose snapshot it differs from; "" for any other evidence.
    """

    code: Code
    blocking: bool
    evidence: Evidence
    object: ObjectRef
    expected: str = ""
    live: str = ""
    migration: MigrationKey | None = None
    operation: int | None = None
    message: str = ""
    hint: str = ""
    sql: tuple[str, ...] = ()
    mendable: bool = False
    objects: tuple[tuple[ObjectRef, bool], ...] = field(default=())
    since: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The documented JSON shape of an incident."""
        return {
            "code": self.code.value,
            "blocking": self.blocking,
            "evidence": self.evidence.value,
            "object": {
                "kind": self.object.kind,
                "table": self.object.table,
                "name": self.object.name,
            },
            "expected": self.expected,
            "live": self.live,
            "migration": (
                {
                    "app": self.migration.app,
                    "name": self.migration.name,
                    "operation": self.operation,
                }
                if self.migration
                else None
            ),
            "message": self.message,
            "hint": self.hint,
            "sql": list(self.sql),
            "mendable": self.mendable,
            "since": self.since or None,
        }
