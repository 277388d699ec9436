"""What was seen of a migration, and the label that follows from it by a fixed rule.

A migration is unsafe for each of these reasons, and safe when there is none:

========== =================================================================================
fails      Django could not apply it to the rows that are there.
gone       A table's rows or a column's values are no longer there.
changed    A value that was there is another one afterwards (a NULL that was filled is not).
breaks     A statement of the code that is still running worked before and fails afterwards:
           SELECT of every column, UPDATE, DELETE, and INSERT of a row like those that are
           there, of the least that its models ask for, and of the longest texts and numbers
           that they take.
blocks     A lock that keeps somebody from writing was held on a table that existed while
           10,000 rows or more were read or written for one statement (PostgreSQL: SHARE and
           above, by the server's own counters; MariaDB: no LOCK=NONE to be had; SQLite: the
           table was written anew, or the virtual machine took a step for each row).
long write 10,000 rows or more were updated or deleted in one transaction.
no way back Django cannot unapply it, or that fails.
half       Outside of a transaction, two schema changes were committed one after the other
           (PostgreSQL: MariaDB commits each in any case).
invalid    An index is INVALID afterwards.
========== =================================================================================

A short ACCESS EXCLUSIVE lock alone is not unsafe: every ALTER TABLE takes one, and a lock timeout
with retries is the answer to it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

LABELS = Path(__file__).parent / "labels.json"
MANY = 10_000

FAMILIES: dict[str, frozenset[str]] = {
    "fails": frozenset({"MF", "MX", "IX", "NA", "UA"}),
    "gone": frozenset({"DS"}),
    "changed": frozenset({"DL", "DS"}),
    "breaks": frozenset({"BC", "DS"}),
    "blocks": frozenset({"LK", "IX", "MX"}),
    "long write": frozenset({"LK", "MX"}),
    "no way back": frozenset({"IR"}),
    "half": frozenset({"NA"}),
    "invalid": frozenset({"IX"}),
}
"""The families of findings that name a reason. UA for what nobody can read: see `judging`."""


@dataclass(slots=True)
class Seen:
    """What was seen while a migration was applied, and afterwards."""

    error: str = ""
    locks: dict[str, str] = field(default_factory=dict)
    rewrites: list[str] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    written: int = 0
    gone: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    no_way_back: str = ""
    commits: int = 0
    invalid: list[str] = field(default_factory=list)

    def reasons(self, vendor: str) -> list[str]:
        """Why it is unsafe; nothing when it is safe."""
        found = {
            "fails": bool(self.error),
            "gone": bool(self.gone),
            "changed": bool(self.changed),
            "breaks": bool(self.broken),
            "blocks": bool(self.blocked),
            "long write": self.written >= MANY,
            "no way back": bool(self.no_way_back),
            "half": self.commits > 1 and vendor == "postgresql",
            "invalid": bool(self.invalid),
        }
        return [reason for reason, applies in found.items() if applies]

    def to_dict(self, vendor: str) -> dict[str, Any]:
        """What is written down: the reasons, and what was seen that is not nothing."""
        seen = {key: value for key, value in asdict(self).items() if value}
        return {"unsafe": self.reasons(vendor), "seen": seen}


def load() -> dict[str, dict[str, Any]]:
    """The labels by vendor and name."""
    if not LABELS.exists():
        return {}
    found: dict[str, dict[str, Any]] = json.loads(LABELS.read_text(encoding="utf-8"))
    return found


def save(labels: dict[str, dict[str, Any]]) -> None:
    """Write them down, in an order that does not change."""
    LABELS.write_text(json.dumps(labels, indent=1, sort_keys=True) + "\n", encoding="utf-8")
