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
        verdict: "same" | "amended" (what the reverse had lost was made again) | "reordered"
            (to the letter it is another: columns, mostly) | "irreversible" | "other".
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
    from migrator.core.amends import plan_amends
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
    before = backend.inspect(connection)
    for key in full_plan(loader):
        migration = loader.graph.nodes[key]
        before_state, rows = state.clone(), _rows(backend, connection)
        state = executor.apply_migration(state, migration)
        done = backend.inspect(connection)
        if irreversible_operations(migration, runs):
            before = done
            yield Found(str(key), "irreversible")
            continue
        again = before_state.clone()
        executor.unapply_migration(before_state, migration)
        back = backend.inspect(connection)
        amends = plan_amends(before, done, back)
        for amend in amends:
            with connection.cursor() as cursor:
                cursor.execute(amend.sql, None)
        if amends:
            back = backend.inspect(connection)
        found = _judge(str(key), before, back, rows, backend, connection)
        if amends and found.verdict == "same":
            told = "; ".join(amend.description for amend in amends)
            found = Found(str(key), "amended", told)
        yield found
        executor.apply_migration(again, migration)
        before = backend.inspect(connection)
        forwards = _judge(str(key), done, before, None, backend, connection)
        if forwards.verdict == "other":
            yield Found(str(key), "other", f"forwards again: {forwards.detail}")


def _rows(backend: Any, connection: Any) -> set[Any]:
    return {row.migration for row in backend.history(connection) or ()}


def _judge(
    name: str, before: Any, after: Any, rows: set[Any] | None, backend: Any, connection: Any
) -> Found:
    from migrator.core.amends import tell_apart
    from migrator.core.diff import diff

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
    """The figures on one line, and what is not the same on lines of its own."""
    counted = Counter(each.verdict for each in found)
    figures = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counted.items()))
    shown = [
        f"  {each.migration} ({each.verdict}): {each.detail}"
        for each in found
        if each.verdict in ("other", "reordered", "amended")
    ]
    return "\n".join([f"there and back: {figures}", *shown])


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
