"""The verdicts, counted: one table, ours beside stock Django's."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.sweep.verdicts import Verdict

BAD = (Verdict.WEDGED, Verdict.DOUBLED, Verdict.LOST, Verdict.UNSOUND)


@dataclass
class Tally:
    """Counts by vendor and kind.

    Attributes:
        ours, stock: (vendor, kind) → verdict → how often.
        decisions: How often a person had to decide before ours converged.
        failures: Of ours, in full.
        same: How often what was left behind had been recovered from before.
    """

    ours: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    stock: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    decisions: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[Mapping[str, Any]] = field(default_factory=list)
    same: int = 0

    def add(self, vendor: str, point: Mapping[str, Any]) -> None:
        """Count one point, as a worker reports it."""
        key = vendor, str(point["kind"])
        (self.stock if point["stock"] else self.ours)[key][point["verdict"]] += 1
        if point["stock"]:
            return
        self.decisions[key] += bool(point["decisions"])
        self.same += bool(point.get("same"))
        if point["verdict"] != Verdict.CONVERGED:
            self.failures.append({"vendor": vendor, **point})

    @property
    def points(self) -> int:
        """How many crash points ours was put to."""
        return sum(counts.total() for counts in self.ours.values())

    def rows(self) -> Iterable[tuple[str, ...]]:
        """One for each vendor and kind, and one with the sums."""
        for key in sorted(self.ours):
            yield (*key, *self._cells([key]))
        yield ("all", "", *self._cells(list(self.ours)))

    def _cells(self, keys: list[tuple[str, str]]) -> tuple[str, ...]:
        ours = sum((self.ours[key] for key in keys), Counter())
        stock = sum((self.stock[key] for key in keys if key in self.stock), Counter())
        cells = [
            str(ours.total()),
            str(ours[Verdict.CONVERGED]),
            *(str(ours[verdict]) for verdict in BAD),
            str(sum(self.decisions[key] for key in keys)),
        ]
        if not stock:
            return (*cells, *["–"] * 4)
        bad = (Verdict.WEDGED, Verdict.DOUBLED, Verdict.LOST)
        return (*cells, str(stock.total()), *(str(stock[verdict]) for verdict in bad))


def show(tally: Tally, console: Console) -> None:
    """Print the table, then what failed."""
    table = Table(title="Killed, resumed, compared with an uninterrupted run")
    table.add_column("database")
    table.add_column("what happened to it")
    for name in ("points", "converged", "wedged", "doubled", "lost", "unsound", "asked"):
        table.add_column(name, justify="right")
    for name in ("stock: points", "wedged", "doubled", "lost"):
        table.add_column(name, justify="right", style="dim")
    for row in tally.rows():
        table.add_row(*row)
    console.print(table)
    for failure in tally.failures[:20]:
        console.print(
            f"{failure['vendor']}: {failure['kind']} {failure['name']}: {failure['verdict']}",
            style="bold red",
            markup=False,
        )
        console.print(str(failure["detail"]), markup=False, highlight=False)
