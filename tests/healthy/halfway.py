"""A healthy database at many points of its history, with all that follows still pending.

That is what every deploy finds, and where what is pending could be taken for what is there.
`python -m tests.healthy --halfway` applies each migration with Django's own executor and scans
after every so many.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

EVERY = 9


def walk_halfway(alias: str, every: int = EVERY) -> Iterator[tuple[str, list[str]]]:
    """Go along the history of one database.

    Args:
        alias: Of an empty database.
        every: Scan after so many migrations; and after each that adds to a squash.

    Yields:
        Each migration after which was scanned, with the incidents that block.
    """
    from django.db import connections
    from django.db.migrations.executor import MigrationExecutor

    from migrator.backends import backend_for
    from migrator.scanner import scan_target

    connection: Any = connections[alias]
    backend = backend_for(connection.vendor)
    connection.prepare_database()
    executor: Any = MigrationExecutor(connection)
    executor.recorder.ensure_schema()
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    state = executor._create_project_state(with_applied_migrations=True)
    for number, (migration, _) in enumerate(plan, 1):
        state = executor.apply_migration(state, migration)
        executor.check_replacements()
        if number % every and number != len(plan):
            continue
        scan = scan_target(connection, backend, alias=alias, phase="scan", emit=lambda event: None)
        yield (
            f"{migration.app_label}.{migration.name}",
            [
                f"{i.code.value} {i.evidence.value} {i.object} [{i.migration}] {i.message}"
                for i in scan.blocking
            ],
        )
