"""What a live schema is held against beside migration state: a snapshot, a replay, a file.

A record tells what a database was at one moment, and what was recorded in it then;
`core.laying` brings it forward to what is recorded now, which makes it a reference.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from migrator.core.effects import MigrationKey
from migrator.core.incidents import Evidence
from migrator.core.schema import Schema


@dataclass(frozen=True, slots=True)
class Reference:
    """A schema that differences are proved against.

    Attributes:
        schema: As it should be now.
        evidence: SNAPSHOT or REPLAY.
        origin: Why a difference from it is one, as it ends a sentence: "changed since run …".
        run_id: The run that a snapshot comes from; "" for anything else.
        laid: Keys of tables on which effects were laid: compared as leniently as state is.
        unsure: Folded keys of tables about which it proves nothing; None: about none at all.
        restated: Folded keys of tables that state expects otherwise than it did then: that
            the reference has a difference too is no excuse for it.
        whole: Whether it speaks for views, functions and the like as well.
        advisory: It weighs what state finds; what it alone would find is the run's own doing.
    """

    schema: Schema
    evidence: Evidence = Evidence.SNAPSHOT
    origin: str = ""
    run_id: str = ""
    laid: frozenset[str] = frozenset()
    unsure: frozenset[str] | None = frozenset()
    restated: frozenset[str] = frozenset()
    whole: bool = True
    advisory: bool = False

    def proves(self, table: str) -> bool:
        """Whether it proves anything about a table (folded key)."""
        return self.unsure is not None and table not in self.unsure


@dataclass(frozen=True, slots=True)
class Record:
    """What a database was at one moment, as it is kept in the journal or in a file.

    Attributes:
        schema: What was there.
        recorded: The recorded migrations that were nodes of the graph, in plan order.
        rows: All rows of django_migrations.
        expected: A digest of each table as state expected it; None where it was not kept.
    """

    schema: Schema
    recorded: tuple[MigrationKey, ...]
    rows: frozenset[MigrationKey] = frozenset()
    expected: Mapping[str, str] | None = field(default=None)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data; `from_dict` reads it back."""
        return {
            "schema": self.schema.to_dict(),
            "recorded": [str(key) for key in self.recorded],
            "rows": sorted(str(key) for key in self.rows),
            "expected": dict(self.expected) if self.expected is not None else None,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: The data is no record.
        """
        return cls(
            schema=Schema.from_dict(data["schema"]),
            recorded=tuple(_key(text) for text in data["recorded"]),
            rows=frozenset(_key(text) for text in data.get("rows") or ()),
            expected=data.get("expected"),
        )


@dataclass(frozen=True, slots=True)
class Held:
    """A record with what it is worth.

    Attributes:
        record: What was.
        evidence: What a difference from it is to be called.
        origin, run_id: See Reference.
        binding: What is recorded in it has to be recorded in the database.
    """

    record: Record
    evidence: Evidence
    origin: str
    run_id: str = ""
    binding: bool = False


def _key(text: str) -> MigrationKey:
    app, dot, name = text.partition(".")
    if not (app and dot and name):
        raise ValueError(f"{text!r} is not app.name")
    return MigrationKey(app, name)


def digest_tables(expected: Schema) -> dict[str, str]:
    """A digest of each table of an expected schema, by its key.

    Args:
        expected: From migration state.
    """
    return {
        key: hashlib.sha256(json.dumps(table.to_dict(), sort_keys=True).encode()).hexdigest()[:16]
        for key, table in expected.tables.items()
    }
