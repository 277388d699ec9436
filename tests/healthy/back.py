"""Every migration of a project forwards, backwards, and forwards again, on empty databases.

`python -m tests.healthy.back ALIAS ...`, in the directory of a project (DJANGO_SETTINGS_MODULE),
says for each migration that can be taken back whether the schema is afterwards the one from
before. `python -m tests.healthy --rollback` does so with the healthy project.

All databases are walked at once: most of the time goes into the states, and those are the same for
all of them. On a database where the routers let nothing of a migration run, it is recorded, and not
walked.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Found:
    """What became of one migration on one database.

    Attributes:
        alias: The database.
        migration: "app.name".
        verdict: "same" | "amended" (what the reverse had lost was made again) | "reordered"
            (to the letter it is another: columns, mostly) | "irreversible" | "elsewhere" (it
            runs on other databases) | "other".
        detail: What is another.
    """

    alias: str
    migration: str
    verdict: str
    detail: str = ""


def walk_back(aliases: Sequence[str]) -> Iterator[Found]:
    """Take every migration of the loaded project there and back.

    Args:
        aliases: Of empty databases.
    """
    from django.db import connections
    from django.db.migrations.state import ProjectState

    from migrator.sources import full_plan, load_graph

    for alias in aliases:
        connections[alias].prepare_database()
    walks = [_Walk(connections[alias]) for alias in aliases]
    loader = load_graph(connections[aliases[0]], ())
    state = ProjectState(real_apps=loader.unmigrated_apps)
    for key in full_plan(loader):
        migration = loader.graph.nodes[key]
        state.apps  # noqa: B018  (rendered once for all of its copies)
        after = None
        for walk in walks:
            if walk.concerns(migration):
                after = yield from walk.there_and_back(state, migration)
            else:
                walk.record(migration)
                yield Found(walk.alias, str(migration), "elsewhere")
        state = after or migration.mutate_state(state, preserve=False)


class _Walk:
    """One database on the way."""

    def __init__(self, connection: Any) -> None:
        from migrator.backends import backend_for
        from migrator.executor import CrashSafeExecutor
        from migrator.sources import Ownership

        self.alias: str = connection.alias
        self._connection = connection
        self._backend = backend_for(connection.vendor)
        self._executor = CrashSafeExecutor(connection)
        self._executor.recorder.ensure_schema()
        self._runs = Ownership(connection).runs
        self._before = self._inspect()

    def concerns(self, migration: Any) -> bool:
        """Whether anything of it may run here."""
        return any(self._may_run(each, migration.app_label) for each in migration.operations)

    def record(self, migration: Any) -> None:
        """As the executor does where nothing of it runs."""
        self._executor.recorder.record_applied(migration.app_label, migration.name)

    def there_and_back(self, state: Any, migration: Any) -> Generator[Found, None, Any]:
        """Take one migration forwards, backwards and forwards.

        Args:
            state: Before it; stays as it is.
            migration: It.

        Returns:
            The state after it.
        """
        from migrator.core.amends import plan_amends
        from migrator.executor import irreversible_operations

        name, before, rows = str(migration), self._before, self._rows()
        after = self._executor.apply_migration(state.clone(), migration)
        done = self._inspect()
        if irreversible_operations(migration, self._runs):
            self._before = done
            yield Found(self.alias, name, "irreversible")
            return after
        self._executor.unapply_migration(state.clone(), migration)
        back = self._inspect()
        amends = plan_amends(before, done, back)
        for amend in amends:
            with self._connection.cursor() as cursor:
                cursor.execute(amend.sql, None)
        if amends:
            back = self._inspect()
        verdict, detail = _judge(before, back)
        if self._rows() != rows:
            verdict, detail = "other", "its rows"
        if amends and verdict == "same":
            verdict, detail = "amended", "; ".join(amend.description for amend in amends)
        yield Found(self.alias, name, verdict, detail)
        self._executor.apply_migration(state.clone(), migration)
        self._before = self._inspect()
        verdict, detail = _judge(done, self._before)
        if verdict == "other":
            yield Found(self.alias, name, verdict, f"forwards again: {detail}")
        return after

    def _may_run(self, operation: Any, app_label: str) -> bool:
        """Whether an operation may run here; one that is not Django's own always may."""
        from django.db.migrations.operations import SeparateDatabaseAndState

        kind = type(operation)
        if isinstance(operation, SeparateDatabaseAndState):
            return any(self._may_run(each, app_label) for each in operation.database_operations)
        if not kind.__module__.startswith("django.db.migrations.operations."):
            return True
        hints = dict(getattr(operation, "hints", {}))
        for attribute in ("model_name_lower", "name_lower"):
            if "model_name" not in hints and hasattr(operation, attribute):
                hints["model_name"] = getattr(operation, attribute)
        return self._runs(app_label) or self._runs(app_label, **hints)

    def _inspect(self) -> Any:
        return self._backend.inspect(self._connection)

    def _rows(self) -> set[Any]:
        return {row.migration for row in self._backend.history(self._connection) or ()}


def _judge(before: Any, after: Any) -> tuple[str, str]:
    from migrator.core.amends import tell_apart
    from migrator.core.diff import diff

    told = tell_apart(before, after)
    if not told:
        return "same", ""
    changes = [str(change) for change in diff(before, after, exact=True)]
    if changes:
        return "other", "; ".join(changes[:3])[:300]
    return "reordered", ", ".join(told)


def tally(found: Iterable[Found]) -> str:
    """The figures on one line, and what is not the same on lines of its own."""
    found = list(found)
    counted = Counter(each.verdict for each in found)
    figures = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counted.items()))
    shown = [
        f"  {each.migration} ({each.verdict}): {each.detail}"
        for each in found
        if each.verdict in ("other", "reordered", "amended")
    ]
    return "\n".join([f"there and back: {figures}", *shown])


def main(*aliases: str) -> int:
    """Walk, and tell; 0 when nothing is another."""
    import django

    sys.path.insert(0, str(Path.cwd()))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    found = list(walk_back(aliases))
    for alias in aliases:
        print(f"{alias}: {tally(each for each in found if each.alias == alias)}")
    return int(any(each.verdict == "other" for each in found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
