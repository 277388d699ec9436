"""Every migration of a project forwards, backwards, and forwards again, on one empty database.

`python -m tests.healthy.back ALIAS`, in the directory of a project (DJANGO_SETTINGS_MODULE), says
for each migration that can be taken back whether the schema is afterwards the one from before.
`python -m tests.healthy --rollback` does so with the healthy project.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Found:
    """What became of one migration.

    Attributes:
        migration: "app.name".
        verdict: "same" | "reordered" (columns) | "irreversible" | "other".
        detail: What is another.
    """

    migration: str
    verdict: str
    detail: str = ""


def walk_back(alias: str) -> Iterator[Found]:
    """Take every migration of the loaded project there and back.

    Args:
        alias: Of an empty database.
    """
    from django.db import connections
    from django.db.migrations.state import ProjectState

    from migrator.backends import backend_for
    from migrator.executor import CrashSafeExecutor, irreversible_operations
    from migrator.sources import Ownership, full_plan, load_graph

    connection: Any = connections[alias]
    backend = backend_for(connection.vendor)
    connection.prepare_database()
    executor = CrashSafeExecutor(connection)
    executor.recorder.ensure_schema()
    loader = load_graph(connection, ())
    runs = Ownership(connection).runs
    state = ProjectState(real_apps=loader.unmigrated_apps)
    for key in full_plan(loader):
        migration = loader.graph.nodes[key]
        before_state, rows = state.clone(), _rows(backend, connection)
        before = backend.inspect(connection)
        state = executor.apply_migration(state, migration)
        if irreversible_operations(migration, runs):
            yield Found(str(key), "irreversible")
            continue
        done = backend.inspect(connection)
        again = before_state.clone()
        executor.unapply_migration(before_state, migration)
        yield _judge(str(key), before, backend.inspect(connection), rows, backend, connection)
        executor.apply_migration(again, migration)
        forwards = _judge(str(key), done, backend.inspect(connection), None, backend, connection)
        if forwards.verdict == "other":
            yield Found(str(key), "other", f"forwards again: {forwards.detail}")


def _rows(backend: Any, connection: Any) -> set[Any]:
    return {row.migration for row in backend.history(connection) or ()}


def _judge(
    name: str, before: Any, after: Any, rows: set[Any] | None, backend: Any, connection: Any
) -> Found:
    from migrator.core.diff import diff
    from migrator.core.returning import tell_apart

    if rows is not None and _rows(backend, connection) != rows:
        return Found(name, "other", "its rows")
    told = tell_apart(before, after)
    if not told:
        return Found(name, "same")
    changes = [str(change) for change in diff(before, after, exact=True)]
    if changes:
        return Found(name, "other", "; ".join(changes[:3])[:300])
    return Found(name, "reordered", ", ".join(told))


def tally(found: list[Found]) -> str:
    """The figures on one line, and what is another on lines of its own."""
    counted = Counter(each.verdict for each in found)
    figures = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counted.items()))
    others = [f"  {each.migration}: {each.detail}" for each in found if each.verdict == "other"]
    return "\n".join([f"there and back: {figures}", *others])


def main(alias: str) -> int:
    """Walk, and tell; 0 when nothing is another."""
    import django

    sys.path.insert(0, str(Path.cwd()))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    found = list(walk_back(alias))
    print(tally(found))
    return int(any(each.verdict == "other" for each in found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
