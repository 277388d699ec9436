"""What the rows of django_migrations say, held against the migrations on disk. Data only.

Stricter than nothing and no stricter than Django: duplicate rows, rows of replaced
migrations and rows that only a squash's `replaces` names are all part of a healthy database
(`MigrationRecorder.applied_migrations`, `MigrationLoader.build_graph`,
`MigrationLoader.check_consistent_history`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from migrator.core.effects import MigrationKey
from migrator.core.incidents import Incident


@dataclass(frozen=True, slots=True)
class HistoryFacts:
    """The migration graph and the recorded rows, as data.

    Attributes:
        nodes: Every migration on disk, replaced ones included (`loader.disk_migrations`).
        parents: Dependencies of each migration on disk, `__first__`/`__latest__` resolved,
            `run_before` included. Those of replaced migrations too.
        replacements: Of each squashed migration on disk, the migrations that it replaces.
        recorded: The rows of django_migrations by id, duplicates included.
        apps: Labels of the installed apps; None when unknown.
    """

    nodes: frozenset[MigrationKey] = frozenset()
    parents: Mapping[MigrationKey, tuple[MigrationKey, ...]] = field(default_factory=dict)
    replacements: Mapping[MigrationKey, tuple[MigrationKey, ...]] = field(default_factory=dict)
    recorded: tuple[MigrationKey, ...] = ()
    apps: frozenset[str] | None = None


def classify_history(facts: HistoryFacts) -> tuple[Incident, ...]:
    """Ghosts (DR109), rows without their dependency (DR110), partial squashes (DR111).

    Args:
        facts: The graph and the rows.

    Returns:
        Incidents, ordered by code, then migration.
    """
    raise NotImplementedError
