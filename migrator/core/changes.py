"""Differences of two schemas, as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from migrator.core.incidents import ObjectRef
from migrator.core.schema import (
    Check,
    Column,
    Exclusion,
    ForeignKey,
    Index,
    PrimaryKey,
    Table,
    Trigger,
    Unique,
)

Thing: TypeAlias = (
    Table | Column | PrimaryKey | Unique | ForeignKey | Check | Exclusion | Index | Trigger
)


class ChangeKind(StrEnum):
    """How live and expected differ."""

    MISSING = "missing"
    EXTRA = "extra"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes:
        kind: See ChangeKind.
        ref: Which object; its table is keyed as the expected side does, where it has it.
        expected: The object that should be there; None for an extra one.
        live: The object that is there; None for a missing one.
        attributes: What differs, for a different one.
        harmless: Nobody is hurt: a wider column, a view where a table is expected.
    """

    kind: ChangeKind
    ref: ObjectRef
    expected: Thing | None = None
    live: Thing | None = None
    attributes: tuple[str, ...] = ()
    harmless: bool = False

    @property
    def columns(self) -> frozenset[str]:
        """The columns that the object stands on; empty for a table."""
        names: set[str] = set()
        for thing in (self.expected, self.live):
            if isinstance(thing, Column):
                names.add(thing.name)
            elif isinstance(thing, PrimaryKey | Unique | ForeignKey | Check | Index):
                names.update(name for name in thing.columns if name)
        return frozenset(names)


@dataclass(frozen=True, slots=True)
class Changes:
    """All differences of two schemas, by table, then kind and name of the object."""

    items: tuple[Change, ...] = ()

    def __iter__(self) -> Iterator[Change]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __bool__(self) -> bool:
        """Whether anything differs that is not harmless."""
        return any(not change.harmless for change in self.items)

    @property
    def missing(self) -> tuple[Change, ...]:
        """What is expected and not there."""
        return tuple(c for c in self.items if c.kind is ChangeKind.MISSING)

    @property
    def extra(self) -> tuple[Change, ...]:
        """What is there and not expected."""
        return tuple(c for c in self.items if c.kind is ChangeKind.EXTRA)

    @property
    def different(self) -> tuple[Change, ...]:
        """What is there and not as expected."""
        return tuple(c for c in self.items if c.kind is ChangeKind.DIFFERENT)

    def by_table(self) -> dict[str, tuple[Change, ...]]:
        """The changes of each table, by its key."""
        found: dict[str, list[Change]] = {}
        for change in self.items:
            found.setdefault(change.ref.table, []).append(change)
        return {table: tuple(items) for table, items in found.items()}

    def find(self, ref: ObjectRef) -> Change | None:
        """The change of one object, or None."""
        return next((change for change in self.items if change.ref == ref), None)
