"""What was measured of one statement, and where the costs say otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field

from migrator.core.plan import Cost


@dataclass(frozen=True, slots=True)
class Case:
    """One statement.

    Attributes:
        sql: The statement.
        before: Run first, in the same transaction or session.
        timezone: Of the session, where it matters.
        since: Oldest version of the server that knows it.
        kept: Why what is said differs from what is measured, where that is on purpose.
        apart: Cannot run inside a transaction.
        needs: The extension that it uses.
    """

    sql: str
    before: str = ""
    timezone: str = ""
    since: int = 0
    kept: str = ""
    apart: bool = False
    needs: str = ""


@dataclass(slots=True)
class Measured:
    """What one statement was seen to do.

    Attributes:
        locks: Strongest mode by table.
        rewrites: Tables whose file is another one afterwards.
        scans: Tables whose rows were all read under a lock that keeps somebody from writing.
        error: Why it could not be run.
    """

    locks: dict[str, str] = field(default_factory=dict)
    rewrites: set[str] = field(default_factory=set)
    scans: set[str] = field(default_factory=set)
    error: str = ""

    def __str__(self) -> str:
        parts = [f"{table}: {mode}" for table, mode in sorted(self.locks.items())]
        parts += [f"rewrite {table}" for table in sorted(self.rewrites)]
        parts += [f"scan {table}" for table in sorted(self.scans)]
        return self.error or ", ".join(parts) or "nothing"


def differences(measured: Measured, cost: Cost) -> list[str]:
    """In words, what the cost says otherwise than was measured."""
    found: list[str] = []
    said = {lock.table: lock.mode for lock in cost.locks}
    for table in sorted(said.keys() | measured.locks.keys()):
        one, other = said.get(table, "no lock"), measured.locks.get(table, "no lock")
        if one != other:
            found.append(f"lock on {table}: said {one}, measured {other}")
    for what, expected, seen in (
        ("rewrite", set(cost.rewrites), measured.rewrites),
        ("scan", set(cost.scans) - set(cost.rewrites), measured.scans - measured.rewrites),
    ):
        found += [f"{what} of {table}: said, not measured" for table in sorted(expected - seen)]
        found += [f"{what} of {table}: measured, not said" for table in sorted(seen - expected)]
    if not cost.known:
        found.append("said to be unknown")
    return found
