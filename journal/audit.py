"""Verifying a journal in a database, damaged rows included."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, select

from journal import chain, rules, statements
from journal.exceptions import JournalCorrupt
from journal.records import Break, Entry, Run, Target
from journal.tables import entry, entry_of, run, run_of, target, target_of

T = TypeVar("T")


def audit(connection: Connection, run_ids: frozenset[str] | None) -> tuple[Break, ...]:
    """Recompute what holds runs together, and say what does not hold.

    Args:
        connection: In a transaction that sees one state throughout.
        run_ids: Which runs. None: all, and what holds the whole journal together.

    Returns:
        The breaks, oldest run first.

    Raises:
        UnknownRun: One of `run_ids` is not there.
    """
    known = list(connection.execute(select(run.c.id).order_by(run.c.id)).scalars())
    rules.assert_known(run_ids or (), known)
    breaks: list[Break] = []
    readable: list[Run] = []
    for run_id in known:
        if run_ids is None or run_id in run_ids:
            breaks += _audit_run(connection, run_id, readable)
    if run_ids is None:
        breaks += _audit_whole(connection, known, readable)
    return tuple(breaks)


def _audit_run(connection: Connection, run_id: str, readable: list[Run]) -> list[Break]:
    rows = _Rows(run_id)
    found = rows.read(connection.execute(select(run).where(run.c.id == run_id)), run_of)
    targets: list[Target] = rows.read(
        connection.execute(
            select(target).where(target.c.run_id == run_id).order_by(target.c.position)
        ),
        target_of,
    )
    entries: list[Entry] = rows.read(
        connection.execute(select(entry).where(entry.c.run_id == run_id).order_by(entry.c.id)),
        entry_of,
    )
    if not found:
        return rows.breaks
    readable += found
    unreadable = {(each.alias, each.seq) for each in rows.breaks}
    # What cannot be read is missing from its chain; it has been said already.
    return rows.breaks + [
        each
        for each in chain.verify_run(found[0], targets, entries)
        if (each.alias, each.seq) not in unreadable
    ]


def _audit_whole(connection: Connection, known: list[str], readable: list[Run]) -> list[Break]:
    breaks: list[Break] = []
    for table in (target, entry):
        orphans = select(table.c.run_id).where(table.c.run_id.not_in(select(run.c.id))).distinct()
        breaks += [
            Break(run_id, "", 0, f"The run was removed; rows of it remain in {table.name!r}.")
            for run_id in connection.execute(orphans.order_by(table.c.run_id)).scalars()
        ]
    rows = _Rows("")
    prunings = rows.read(
        connection.execute(select(entry).where(entry.c.kind == rules.PRUNE_KIND)), entry_of
    )
    breaks += chain.verify_succession(readable, {*known, *rules.pruned_ids(prunings)})
    snapshots = _Rows("")
    snapshots.read(connection.execute(statements.select_snapshots()), statements.snapshot_of)
    return breaks + snapshots.breaks


@dataclass
class _Rows:
    """Turns rows into records, and those that cannot be read into breaks."""

    run_id: str
    breaks: list[Break] = field(default_factory=list)

    def read(self, rows: Iterable[Row[Any]], convert: Callable[[Row[Any]], T]) -> list[T]:
        records: list[T] = []
        for row in rows:
            try:
                records.append(convert(row))
            except JournalCorrupt as error:
                fields = row._mapping
                self.breaks.append(
                    Break(
                        self.run_id or str(fields["run_id"]),
                        str(fields.get("alias") or ""),
                        int(fields.get("seq") or 0) if "payload" in fields else 0,
                        error.message,
                    )
                )
        return records
