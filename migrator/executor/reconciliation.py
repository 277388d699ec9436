"""The journal held against the rows of django_migrations, which are the truth."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from migrator.core.effects import MigrationKey
from migrator.core.returning import ONLY_RECORDED
from migrator.exceptions import Diverged
from migrator.executor.ports import JournalEntry, Kind

_BY_REPAIR = ("recorded", "repaired")


@dataclass(frozen=True, slots=True)
class Settled:
    """A migration whose outcome was lost and has been read from the database.

    `how`: as it was to be done: "applied", "faked", …; "" where the journal does not say. Where a
    repair has written the row after the attempt: "recorded", or "repaired" when the attempt had
    finished some of its operations.
    """

    migration: MigrationKey
    attempt: int
    direction: str = "forwards"
    how: str = ""

    @property
    def by_repair(self) -> bool:
        """Whether its row is a repair's doing, and not its own."""
        return self.how in _BY_REPAIR

    def payload(self) -> dict[str, str]:
        """For the journal: also whether it was only recorded, since its way back is another."""
        only = {"how": self.how} if self.by_repair or self.how in ONLY_RECORDED else {}
        return {"direction": self.direction, **only}


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What the journal and the rows say together.

    Attributes:
        reconciled: Committed, although the journal has no "done"; to be journaled as such.
        retried: Begun and not committed: the next run makes another attempt.
        diverged: The journal says committed, the rows say no: restored, or failed over.
    """

    reconciled: tuple[Settled, ...] = ()
    retried: tuple[MigrationKey, ...] = ()
    diverged: tuple[MigrationKey, ...] = ()

    def raise_if_diverged(self, alias: str) -> None:
        """Refuse to go on with a database that is not the one that the journal knows.

        Raises:
            Diverged: Naming the first such migration, and how many there are.
        """
        if not self.diverged:
            return
        more = f" (and {len(self.diverged) - 1} more)" if len(self.diverged) > 1 else ""
        raise Diverged(
            f"The journal says that {self.diverged[0]}{more} was committed on {alias}, "
            "and django_migrations there says otherwise."
        )


def lost_leaves(
    leaves: Iterable[str],
    recorded: Collection[tuple[str, str]],
    replaces: Mapping[tuple[str, str], Collection[tuple[str, str]]] | None = None,
) -> Reconciliation:
    """Hold what this run once saw recorded against what is recorded now.

    Args:
        leaves: "app.name" of the leaf nodes that the journal holds of the target.
        recorded: (app, name) of each row.
        replaces: What each squash of the project replaces.

    Returns:
        With those that are no longer recorded as diverged: an older state of the database has
        been put back since, or somebody has migrated it backwards.
    """
    squashes = {key: set(value) for key, value in (replaces or {}).items()}
    rows = {tuple(row) for row in recorded}
    gone = (_key(leaf) for leaf in leaves if not _is_recorded(_key(leaf), rows, squashes))
    return Reconciliation(diverged=tuple(gone))


def reconcile(
    entries: Iterable[JournalEntry],
    recorded: Collection[tuple[str, str]],
    *,
    replaces: Mapping[tuple[str, str], Collection[tuple[str, str]]] | None = None,
) -> Reconciliation:
    """Hold a run's journal against the recorded rows; the newest attempt of each counts.

    A migration counts as recorded when its own row is there, when it is a squash and all that
    it replaces is recorded, or when a recorded squash replaces it (rows of replaced migrations
    may have been pruned).

    Args:
        entries: This run's entries for this alias, in the order of their writing. Repairs tell
            whose row it is, operations what was finished; other kinds are left aside.
        recorded: (app, name) of each row.
        replaces: What each squash of the project replaces.

    Returns:
        What to journal, what will be attempted again, and what contradicts.
    """
    squashes = {key: set(value) for key, value in (replaces or {}).items()}
    newest: dict[str, dict[str, JournalEntry]] = {}
    attempts: dict[str, int] = {}
    by_repair: set[str] = set()
    begun: set[str] = set()
    for entry in entries:
        if entry.kind == "repair" and entry.phase == "intent":
            by_repair.update(entry.payload.get("records", ()))
        if entry.kind == Kind.OPERATION and entry.phase == "done":
            begun.add(entry.name.rpartition(":")[0])
        if entry.kind != Kind.MIGRATION:
            continue
        if entry.phase == "intent":
            by_repair.discard(entry.name)
        if entry.attempt > attempts.get(entry.name, 0):
            attempts[entry.name] = entry.attempt
            newest[entry.name] = {}
        if entry.attempt == attempts[entry.name]:
            newest[entry.name][str(entry.phase)] = entry
            for other in entry.payload.get("replaces", ()):
                squashes.setdefault(_key(entry.name), set()).add(_key(other))

    rows = {tuple(row) for row in recorded}
    reconciled: list[Settled] = []
    retried: list[MigrationKey] = []
    diverged: list[MigrationKey] = []
    for name, phases in newest.items():
        key = _key(name)
        direction = _direction(phases)
        effective = _is_recorded(key, rows, squashes) == (direction == "forwards")
        if {"done", "reconciled"} & phases.keys():
            if not effective:
                diverged.append(key)
        elif effective:
            # Also after "failed": the answer to a COMMIT can be lost with its connection.
            intent = phases.get("intent")
            how = str(intent.payload.get("how", "")) if intent is not None else ""
            if name in by_repair and direction == "forwards":
                how = "repaired" if name in begun else "recorded"
            reconciled.append(Settled(key, attempts[name], direction, how))
        else:
            retried.append(key)
    return Reconciliation(tuple(reconciled), tuple(retried), tuple(diverged))


def _key(name: str) -> MigrationKey:
    app, _, rest = name.partition(".")
    return MigrationKey(app, rest)


def _direction(phases: Mapping[str, JournalEntry]) -> str:
    said = (entry.payload.get("direction") for entry in phases.values())
    return next((str(direction) for direction in said if direction), "forwards")


def _is_recorded(
    key: tuple[str, str],
    rows: Collection[tuple[str, ...]],
    squashes: Mapping[tuple[str, str], Collection[tuple[str, str]]],
) -> bool:
    replaced = squashes.get(key)
    return (
        key in rows
        or (bool(replaced) and all(tuple(other) in rows for other in replaced or ()))
        or any(squash in rows and key in others for squash, others in squashes.items())
    )
