"""Every statement that a journal in a database runs: records in, records out."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from journal.chain import canonical, digest, format_time, parse_time
from journal.exceptions import Fenced, JournalCorrupt
from journal.identifiers import is_run_id
from journal.records import Entry, Phase, Run, RunStatus, Snapshot, Target
from journal.revisions import lock_opening
from journal.rules import PRUNE_KIND
from journal.tables import (
    entry,
    entry_of,
    entry_row,
    pruning,
    run_of,
    run_row,
    snapshot,
    snapshot_content,
    target,
    target_of,
    target_row,
    unreadable,
)
from journal.tables import run as run_table

_IDS_AT_ONCE = 500  # well below every server's limit of parameters

# The statements of a step, which runs twice for each migration: built once, since building
# them took as long as running them.
_LOCKED_TARGET = (
    select(target)
    .where(target.c.run_id == bindparam("of_run"), target.c.alias == bindparam("of_alias"))
    .with_for_update()
)
_UPDATE_TARGET = update(target).where(
    target.c.run_id == bindparam("of_run"),
    target.c.alias == bindparam("of_alias"),
    target.c.epoch == bindparam("of_epoch"),
)
_INSERT_ENTRY = insert(entry)
_STATUS_AND_STEP = (
    select(run_table.c.status.label("run_status"), entry)
    .select_from(
        run_table.outerjoin(
            entry,
            and_(
                entry.c.run_id == run_table.c.id,
                entry.c.alias == bindparam("of_alias"),
                entry.c.kind == bindparam("of_kind"),
                entry.c.name == bindparam("of_name"),
                entry.c.attempt == bindparam("of_attempt"),
                entry.c.phase == bindparam("of_phase"),
            ),
        )
    )
    .where(run_table.c.id == bindparam("of_run"))
)


# -- runs and targets ------------------------------------------------------------


def lock_newest_id(connection: Connection) -> str:
    """The greatest id of a run, or ""; nobody opens another until the transaction ends."""
    lock_opening(connection)
    query = select(run_table.c.id).order_by(run_table.c.id.desc()).limit(1).with_for_update()
    newest = str(connection.execute(query).scalar() or "")
    if newest and not is_run_id(newest):
        raise unreadable(f"the run {newest}")
    return newest


def run(connection: Connection, run_id: str, *, lock: bool) -> Run | None:
    """The run of that id."""
    query = select(run_table).where(run_table.c.id == run_id)
    row = connection.execute(query.with_for_update() if lock else query).first()
    return None if row is None else run_of(row)


def ids_beginning(connection: Connection, prefix: str) -> list[str]:
    """The ids that begin with a prefix."""
    column = run_table.c.id
    query = select(column).where(func.substr(column, 1, len(prefix)) == prefix).order_by(column)
    return list(connection.execute(query).scalars())


def runs(
    connection: Connection, *, limit: int | None = None, lock: bool = False
) -> tuple[Run, ...]:
    """Runs, newest first."""
    query = select(run_table).order_by(run_table.c.id.desc())
    if limit is not None:
        query = query.limit(limit)
    return tuple(map(run_of, connection.execute(query.with_for_update() if lock else query)))


def targets(connection: Connection, run_id: str, *, lock: bool = False) -> tuple[Target, ...]:
    """The targets of a run, in the order in which it was opened with them."""
    query = select(target).where(target.c.run_id == run_id).order_by(target.c.position)
    return tuple(map(target_of, connection.execute(query.with_for_update() if lock else query)))


def targets_by_run(connection: Connection) -> Mapping[str, Sequence[Target]]:
    """All targets, by the id of the run."""
    found: dict[str, list[Target]] = {}
    for row in connection.execute(select(target).order_by(target.c.run_id, target.c.position)):
        found.setdefault(row.run_id, []).append(target_of(row))
    return found


def locked_target(connection: Connection, run_id: str, alias: str) -> Target | None:
    """One target; nobody else changes it, or adds to its chain, until the transaction ends."""
    row = connection.execute(_LOCKED_TARGET, {"of_run": run_id, "of_alias": alias}).first()
    return None if row is None else target_of(row)


def insert_run(connection: Connection, record: Run, records: Sequence[Target]) -> None:
    """Store a new run and its targets."""
    connection.execute(insert(run_table).values(run_row(record)))
    rows = [{**target_row(each), "position": number} for number, each in enumerate(records)]
    if rows:
        connection.execute(insert(target), rows)


def update_run(connection: Connection, record: Run) -> None:
    """Store how a run stands."""
    connection.execute(
        update(run_table)
        .where(run_table.c.id == record.id)
        .values(
            {
                name: value
                for name, value in run_row(record).items()
                if name in ("status", "closed_at", "seal")
            }
        )
    )


def update_target(connection: Connection, record: Target, *, epoch: int) -> None:
    """Store a target, if its epoch still is what it was.

    Raises:
        Fenced: It is not.
    """
    of = {"of_run": record.run_id, "of_alias": record.alias, "of_epoch": epoch}
    changed = connection.execute(_UPDATE_TARGET, {**target_row(record), **of})
    if changed.rowcount != 1:
        raise Fenced(f"{record.alias}: another process has claimed this target since.")


# -- entries ---------------------------------------------------------------------


def insert_entry(connection: Connection, record: Entry) -> None:
    """Append an entry."""
    connection.execute(_INSERT_ENTRY, entry_row(record))


def entries(connection: Connection, run_id: str, alias: str | None = None) -> tuple[Entry, ...]:
    """The entries of a run or of one of its targets, in the order of their writing."""
    query = select(entry).where(entry.c.run_id == run_id).order_by(entry.c.id)
    if alias is not None:
        query = query.where(entry.c.alias == alias)
    return tuple(map(entry_of, connection.execute(query)))


def status_and_step(
    connection: Connection, run_id: str, alias: str, key: tuple[str, str, int, Phase]
) -> tuple[RunStatus, Entry | None]:
    """How the run stands, and the entry of a step if there is one: one round trip for both."""
    kind, name, attempt, phase = key
    of = {"of_run": run_id, "of_alias": alias, "of_kind": kind, "of_name": name}
    row = connection.execute(
        _STATUS_AND_STEP, {**of, "of_attempt": attempt, "of_phase": phase.value}
    ).one()
    try:
        status = RunStatus(row.run_status)
    except ValueError as error:
        raise unreadable(f"the run {run_id}") from error
    return status, None if row.id is None else entry_of(row)


def prune_entries(connection: Connection) -> tuple[Entry, ...]:
    """The entries of all prunings."""
    query = select(entry).where(entry.c.kind == PRUNE_KIND).order_by(entry.c.id)
    return tuple(map(entry_of, connection.execute(query)))


def delete_runs(connection: Connection, run_ids: Sequence[str]) -> None:
    """Remove whole runs, their entries included, and snapshots that have a newer one."""
    for start in range(0, len(run_ids), _IDS_AT_ONCE):
        some = run_ids[start : start + _IDS_AT_ONCE]
        connection.execute(insert(pruning), [{"run_id": run_id} for run_id in some])
        connection.execute(delete(entry).where(entry.c.run_id.in_(some)))
        connection.execute(delete(target).where(target.c.run_id.in_(some)))
        connection.execute(delete(run_table).where(run_table.c.id.in_(some)))
        newest = select(func.max(snapshot.c.id)).group_by(snapshot.c.identity, snapshot.c.alias)
        kept = set(connection.execute(newest).scalars())
        old = connection.execute(select(snapshot.c.id).where(snapshot.c.run_id.in_(some)))
        for snapshot_id in set(old.scalars()) - kept:
            connection.execute(delete(snapshot).where(snapshot.c.id == snapshot_id))
    connection.execute(
        delete(snapshot_content).where(snapshot_content.c.digest.not_in(select(snapshot.c.digest)))
    )
    connection.execute(delete(pruning))


# -- snapshots -------------------------------------------------------------------


def replace_snapshot(connection: Connection, record: Snapshot) -> None:
    """Store a snapshot as the newest of its target, and its content once."""
    known = select(snapshot_content.c.digest).where(snapshot_content.c.digest == record.digest)
    if connection.execute(known).first() is None:
        packed = zlib.compress(canonical(record.content).encode("ascii"))
        connection.execute(insert(snapshot_content).values(digest=record.digest, content=packed))
    row = {
        "identity": record.identity,
        "alias": record.alias,
        "run_id": record.run_id,
        "digest": record.digest,
    }
    same = and_(*(snapshot.c[name] == value for name, value in row.items()))
    connection.execute(delete(snapshot).where(same))
    connection.execute(insert(snapshot).values(**row, at=format_time(record.at)))


def latest_snapshot(connection: Connection, identity: str, before: str = "") -> Snapshot | None:
    """The newest snapshot of a physical database; with `before`, of a run before that one."""
    query = select_snapshots().where(snapshot.c.identity == identity)
    if before:
        query = query.where(snapshot.c.run_id < before)
    row = connection.execute(query.order_by(snapshot.c.id.desc()).limit(1)).first()
    return None if row is None else snapshot_of(row)


def select_snapshots() -> Select[Any]:
    """Snapshots with their content."""
    return select(snapshot, snapshot_content.c.content).select_from(
        snapshot.outerjoin(snapshot_content, snapshot.c.digest == snapshot_content.c.digest)
    )


def snapshot_of(row: Row[Any]) -> Snapshot:
    """The snapshot of a row.

    Raises:
        JournalCorrupt: Its content cannot be read, or is not what was stored.
    """
    what = f"the snapshot of {row.alias} in run {row.run_id}"
    try:
        content = json.loads(zlib.decompress(row.content))
        at = parse_time(row.at)
    except (TypeError, ValueError, zlib.error) as error:
        raise unreadable(what) from error
    if digest(content) != row.digest:
        raise JournalCorrupt(f"The journal is damaged: the content of {what} was edited.")
    return Snapshot(row.identity, row.alias, row.run_id, row.digest, at, content)
