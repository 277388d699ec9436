"""Applies a migration to a copy of the database, as Django does it, and looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from tests.corpus.case import Case
from tests.corpus.labels import Seen
from tests.corpus.oldcode import OldCode
from tests.corpus.values import compare, read
from tests.corpus.watching import WATCHERS
from tests.corpus.world import World, judged


def measure(world: World, case: Case) -> Seen:
    """See what one migration does."""
    seen = Seen()
    with world.ready(case) as (connection, past, applied):
        start = list(past.migrations)[applied - 1]
        state = past.graph(connection).project_state(start)
        code = OldCode(connection, state)
        worked_not = code.failures()
        before = read(connection)
        history = judged(past, case)
        if not all(m.reversible for m in _own(case)):
            seen.no_way_back = "irreversible"
        watcher = WATCHERS[world.vendor](connection, seen)
        try:
            with connection.execute_wrapper(watcher):
                history.migrate(connection)
        except Exception as error:  # whatever a user would see
            seen.error = str(error).splitlines()[0]
            connection.close()
            return seen
        seen.broken = sorted(code.failures().keys() - worked_not.keys())
        seen.gone, seen.changed = compare(before, read(connection, views=True))
        seen.invalid = _invalid(connection)
        if not seen.no_way_back:
            try:
                history.migrate(connection, [start])
            except Exception as error:
                seen.no_way_back = str(error).splitlines()[0]
                connection.close()
    seen.rewrites = sorted(set(seen.rewrites))
    return seen


def measure_all(world: World, cases: Iterable[Case]) -> Iterator[tuple[Case, Seen]]:
    """One after the other, those of the world's vendor."""
    for case in cases:
        if world.vendor in case.vendors:
            yield case, measure(world, case)


def _own(case: Case) -> list:  # type: ignore[type-arg]
    return [*case.operations, *case.then]


def _invalid(connection: BaseDatabaseWrapper) -> list[str]:
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1"
        )
        return [name for (name,) in cursor.fetchall()]
