"""How long a migration may wait for locks, and how often it is tried again, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The patience of one run.

    Attributes:
        lock: Seconds that a statement waits for a lock; 0: as long as the server lets it.
        retries: How often what got no lock is tried again.
        statement: Seconds that a statement may take; 0: as long as the server lets it.
    """

    lock: float = 0.0
    retries: int = 0
    statement: float = 0.0

    @property
    def attempts(self) -> int:
        """How often something is tried in all."""
        return self.retries + 1
