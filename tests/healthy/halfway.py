"""A healthy database at many points of its history, with all that follows still pending.

That is what every deploy finds, and where what is pending could be taken for what is there.
`python -m tests.healthy --halfway` applies each migration to all databases at once, as `stock`
does, and scans one of them after every few, each in its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

EVERY = 3

Tell = Callable[[int, str, list[str]], None]


def walk_halfway(aliases: Sequence[str], tell: Tell, every: int = EVERY) -> None:
    """Go along the history of some databases.

    Args:
        aliases: Of empty databases.
        tell: Called after each scan: which one it was, where, and the incidents that block.
        every: Scan one of them after so many migrations.
    """
    from django.db import connections

    from migrator.backends import backend_for
    from migrator.scanner import scan_target
    from tests.healthy.stock import migrate_everywhere

    looks = 0

    def look(number: int, migration: Any) -> None:
        nonlocal looks
        if number % every:
            return
        alias = aliases[looks % len(aliases)]
        looks += 1
        connection: Any = connections[alias]
        backend = backend_for(connection.vendor)
        scan = scan_target(connection, backend, alias=alias, phase="scan", emit=lambda event: None)
        incidents = [
            f"{i.code.value} {i.evidence.value} {i.object} [{i.migration}] {i.message}"
            for i in scan.blocking
        ]
        tell(looks, f"{alias} after {migration}", incidents)

    migrate_everywhere(aliases, look)
