"""What one entry of the corpus is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.migrations.operations.base import Operation

POSTGRESQL = ("postgresql",)
EVERYWHERE = ("postgresql", "mysql", "sqlite")


@dataclass(frozen=True, slots=True)
class Case:
    """One migration (or two that are applied together).

    Attributes:
        name: Stable; the key of its label.
        operations: Its operations.
        atomic: Of the migration.
        before: Operations that have been applied and recorded, where it begins elsewhere.
        setup: Statements that were run on the database by hand.
        then: A second migration of the same plan.
        vendors: Where it is applied.
    """

    name: str
    operations: Sequence[Operation]
    atomic: bool = True
    before: Sequence[Operation] = ()
    setup: Sequence[str] = ()
    then: Sequence[Operation] = ()
    vendors: tuple[str, ...] = POSTGRESQL
