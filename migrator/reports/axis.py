"""The time axis of a timeline: where a moment stands on it, with long idle stretches cut short.

A run that was killed at night and resumed in the morning is idle for hours. Drawn to scale, all
that happened would be two hairlines; so whatever is idle for long takes up a narrow gap instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from migrator.core.spelling import spell_seconds

_NICE = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400)
_GAP_SHARE = 0.04
_IDLE_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which nothing happened, cut short. In seconds; `at`, `width`: on the axis."""

    begin: float
    end: float
    at: float
    width: float

    @property
    def label(self) -> str:
        """How long nothing happened."""
        return f"{spell_seconds(self.end - self.begin)} later"


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    """Maps seconds since the beginning to places on the axis, which are seconds too.

    Attributes:
        length: Of the axis; never 0.
        gaps: What was cut short, in order.
    """

    length: float
    gaps: tuple[Gap, ...] = ()

    def place(self, moment: float) -> float:
        """Where a moment stands.

        Args:
            moment: Seconds since the beginning.
        """
        cut = 0.0
        for gap in self.gaps:
            if moment >= gap.end:
                cut += (gap.end - gap.begin) - gap.width
            elif moment > gap.begin:
                share = (moment - gap.begin) / (gap.end - gap.begin)
                return gap.at + share * gap.width
        return moment - cut

    def ticks(self, most: int = 6) -> tuple[Tick, ...]:
        """Marks at round times, none of them within a gap.

        Args:
            most: About how many.
        """
        step = _nice(self.length / most)
        end = self.length + sum((gap.end - gap.begin) - gap.width for gap in self.gaps)
        marks: list[Tick] = []
        # After a gap, counting begins anew: what matters is how long that part took.
        begins = [0.0, *(gap.end for gap in self.gaps)]
        ends = [*(gap.begin for gap in self.gaps), end]
        for part, (begin, stop) in enumerate(zip(begins, ends, strict=True)):
            for number in range(int((stop - begin) / step) + 1):
                label = _label(number * step, step)
                where = self.place(begin + number * step)
                marks.append(Tick(where, f"+{label}" if part else label))
        apart = self.length / most / 2
        kept = marks[:1]
        kept += [tick for before, tick in pairwise(marks) if tick.at - before.at >= apart]
        return tuple(kept)


def plan_axis(busy: Iterable[tuple[float, float]]) -> Axis:
    """The axis for what happened when.

    Args:
        busy: (begin, end) in seconds since the beginning, in any order.
    """
    stretches = _merged(busy)
    if not stretches:
        return Axis(1.0)
    end = stretches[-1][1]
    working = sum(stop - begin for begin, stop in stretches)
    idle = [(first[1], second[0]) for first, second in pairwise([(0.0, 0.0), *stretches])]
    threshold = max(working * _IDLE_SHARE, 2.0)
    long = [(begin, stop) for begin, stop in idle if stop - begin > threshold]
    rest = end - sum(stop - begin for begin, stop in long)
    width = max(rest, 0.01) * _GAP_SHARE
    gaps: list[Gap] = []
    cut = 0.0
    for begin, stop in long:
        gaps.append(Gap(begin, stop, begin - cut, width))
        cut += stop - begin - width
    return Axis(max(end - cut, 0.01), tuple(gaps))


def _merged(busy: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for begin, end in sorted(busy):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((begin, end))
    return merged


def _nice(step: float) -> float:
    """The next round number of seconds from a step up."""
    scale = 1.0
    while step * scale < 1 and scale < 1e6:
        scale *= 10
    if scale > 1:
        return next(nice for nice in (1, 2, 5, 10) if nice >= step * scale) / scale
    days: Sequence[float] = [86400.0 * 10**power for power in range(1, 6)]
    return float(next((nice for nice in (*_NICE, *days) if nice >= step), days[-1]))


def _label(moment: float, step: float) -> str:
    if moment == 0:
        return "0"
    if step < 1:
        digits = 1 if step >= 0.1 else 2 if step >= 0.01 else 3
        return f"{moment:.{digits}f} s"
    return f"{moment:.0f} s" if moment < 60 else spell_seconds(moment)
