"""What the process that replays and the one that waits for it say to each other.

One JSON document a line. The request comes on standard input, which stays open: its end means
that nobody waits any more. Progress and the outcome go to what was standard output; whatever
migrations print goes to standard error.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

from migrator.core.effects import MigrationKey


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be replayed.

    Attributes:
        alias: The alias that migrations know the database by.
        name: NAME of the scratch database.
        rows: Rows of django_migrations of the target: they decide which graph there is.
        wanted: The migrations to run; any order.
        schemas: Further schemas to read afterwards.
    """

    alias: str
    name: str
    rows: tuple[MigrationKey, ...]
    wanted: tuple[MigrationKey, ...]
    schemas: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what `to_dict` wrote."""
        return cls(
            alias=data["alias"],
            name=data["name"],
            rows=tuple(MigrationKey(*row) for row in data["rows"]),
            wanted=tuple(MigrationKey(*key) for key in data["wanted"]),
            schemas=tuple(data["schemas"]),
        )
