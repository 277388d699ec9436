"""A rollback that is killed: everything was applied by a run, and that run is taken back.

Whoever resumes it ends where a rollback that nobody interrupted ends: with nothing of the run.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from journal import open_journal
from migrator.exceptions import ExitCode
from tests.sweep import boundaries
from tests.sweep.kinds import READS, Experiment
from tests.sweep.process import Strike
from tests.sweep.verdicts import PATIENCE, Finding, Verdict, decide, judge
from tests.sweep.world import World

KINDS = ("rollback killed", "rollback killed in flight", "rollback's answer lost")


@dataclass(frozen=True)
class Way:
    """The way back that nobody interrupted.

    Attributes:
        world: What it leads to is what is expected there.
        crossed: What it crosses.
    """

    world: World
    crossed: tuple[str, ...]


def measure_return(world: World) -> Way:
    """Apply everything, and take it back.

    Args:
        world: Where; its project can be reversed as a whole.

    Raises:
        RuntimeError: It does not come back to nothing.
    """
    _apply(world)
    ended = world.forks.run(*_rollback(world))
    if ended.code:
        raise RuntimeError(f"exit {ended.code} without any interruption:\n{ended.output}")
    pictures = world.pictures()
    for alias, picture in pictures.items():
        left = [line for line in picture.schema if "bank_" in line or "archive_" in line]
        if left or picture.migrations():
            raise RuntimeError(f"the way back leaves something on {alias}: {left}")
    returned = replace(world, expected=pictures, expected_dumps=world.dumps())
    return Way(returned, ended.labels)


def plan_returns(way: Way) -> Iterator[Experiment]:
    """One experiment for each boundary that the way back crosses."""
    for k, label in enumerate(way.crossed, 1):
        light = label.startswith(("journal sql", "journal before", "journal after rollback"))
        weight = 1 if light or READS.match(label) else 2
        yield Experiment(KINDS[0], f"k={k}", partial(_strike, way, at=k), weight=weight)
    if way.world.vendor == "sqlite":  # no server: nothing goes on
        return
    for k, label in enumerate(way.crossed, 1):
        sent = label == "target before commit" or label.startswith("target sql")
        if sent and not READS.match(label):
            run = partial(_strike, way, at=k, strike=boundaries.send_and_kill)
            yield Experiment(KINDS[1], f"k={k}", run)
        if label == "target after commit":
            run = partial(_strike, way, at=k, strike=boundaries.lose_the_answer)
            yield Experiment(KINDS[2], f"k={k}", run)


def _apply(world: World) -> None:
    world.reset()
    ended = world.run()
    if ended.code:
        raise RuntimeError(f"exit {ended.code} without any interruption:\n{ended.output}")


def _rollback(world: World) -> tuple[str, ...]:
    """The command that takes back the first run of the journal."""
    with open_journal(world.journal.url, create=False) as journal:
        first = min(run.id for run in journal.runs())
    return ("rollback", first, "--yes", "--allow-destructive", "--no-backup")


def _strike(way: Way, _: World, *, at: int, strike: Strike = boundaries.kill) -> Finding:
    world = way.world
    _apply(world)
    command = _rollback(world)
    ended = world.forks.run(*command, strike_at=at, strike=strike)
    if strike is not boundaries.lose_the_answer and not ended.killed:
        return Finding(Verdict.UNSOUND, f"not killed: exit {ended.code} {ended.output[-500:]}")
    if "Traceback" in ended.output:
        return Finding(Verdict.UNSOUND, ended.output[-900:])
    return _recover(world, command)


def _recover(world: World, command: tuple[str, ...]) -> Finding:
    """Resume, answer what is asked, and look; begin anew where no rollback had been opened."""
    words: list[str] = []
    decisions = 0
    for _ in range(PATIENCE):
        ended = world.run("--resume", *words)
        if ended.code == ExitCode.CLEAN and "Nothing to resume" in ended.output:
            ended = world.forks.run(*command)
        if ended.code == ExitCode.CLEAN:
            found = judge(world)
            return Finding(found.verdict, found.detail, decisions)
        if ended.code == ExitCode.LOCKED:
            time.sleep(0.05)
        elif ended.code == ExitCode.DECISION and decisions < 8:
            decisions += 1
            words += _decide(world, ended.output)
        else:
            detail = f"exit {ended.code}: ...{ended.output.strip()[-900:]}"
            return Finding(Verdict.WEDGED, detail, decisions)
    return Finding(Verdict.WEDGED, "still locked", decisions)


def _decide(world: World, output: str) -> list[str]:
    """As forwards; but what was begun is the way back, and it is done when nothing is there.

    What would be lost may be more than was consented to: a table that the kill left with rows.
    """
    if "consent with --allow-destructive" in output:
        return ["--allow-destructive"]
    flag, name = decide(world, output)
    if re.search(r"\(.*taken back\)", output):
        flag = {"--assume-applied": "--assume-not-applied"}.get(flag, "--assume-applied")
    return [flag, name]
