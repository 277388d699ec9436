"""Where schema and recorded history disagree, judged by the effect of each migration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from migrator.core.effects import Effect
from migrator.core.history import HistoryFacts
from migrator.core.incidents import Incident
from migrator.core.schema import Schema


@dataclass(frozen=True, slots=True)
class ScanFacts:
    """Everything that a classification needs, as data.

    Attributes:
        expected: The schema of the state at the *recorded* migrations.
        live: The schema that is there.
        recorded: Effects of the recorded migrations, in plan order.
        pending: Effects of the pending migrations, in plan order.
        history: The graph and the recorded rows.
        opaque_tables: Tables whose schema something unobservable may have touched in their
            recorded history (see `opaque_tables`); None: any table.
        snapshot: The schema at the last verified run with the same migrations recorded (or
            with later ones laid on top, see `core.overlay`); None without one.
        replay: The schema that the recorded migrations make in a scratch database (`--deep`).
        laid: Keys of tables of the snapshot on which effects were laid: compared as
            leniently as state is.
        maxima: The largest value of a column fed by a sequence, by (table key, column).
        ignored: Tables that are nobody's business.
    """

    expected: Schema
    live: Schema
    recorded: tuple[Effect, ...] = ()
    pending: tuple[Effect, ...] = ()
    history: HistoryFacts = field(default_factory=HistoryFacts)
    opaque_tables: frozenset[str] | None = frozenset()
    snapshot: Schema | None = None
    replay: Schema | None = None
    laid: frozenset[str] = frozenset()
    maxima: Mapping[tuple[str, str], int] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset({"django_migrations"})


def classify(facts: ScanFacts) -> tuple[Incident, ...]:
    """Every incident of one database.

    Args:
        facts: What is expected, what is live, and how the expectation came about.

    Returns:
        Incidents, worst first, then by table and name; the same for the same facts.
    """
    raise NotImplementedError


def opaque_tables(recorded: Iterable[Effect]) -> frozenset[str] | None:
    """The tables that something unobservable may have touched; None for "any table".

    Args:
        recorded: Effects of the recorded migrations, in plan order. Renames are followed.
    """
    raise NotImplementedError
