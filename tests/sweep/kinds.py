"""The experiments: where to strike, and what to do afterwards.

Each kind plans its points before anything is run, from the boundaries that an uninterrupted run
crosses and from the seed alone, so that a sweep can be repeated, cut into shares, or thinned.
"""

from __future__ import annotations

import random
import re
import resource
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial

from migrator.exceptions import ExitCode
from tests.sweep import boundaries
from tests.sweep.boundaries import Crossing
from tests.sweep.places import MySQLPlace, PostgresPlace
from tests.sweep.process import OUTSIDE, Ended, Strike
from tests.sweep.verdicts import Finding, Verdict, judge, recover, recover_stock, settle
from tests.sweep.world import World

READS = re.compile(
    r"target sql \(*(SELECT|SHOW|PRAGMA|SET|EXPLAIN|SAVEPOINT|RELEASE|VALUES)\b", re.I
)
TOUCHES = re.compile(r"target (sql (CREATE|ALTER|INSERT|UPDATE|DELETE|DROP)|before commit)", re.I)


@dataclass(frozen=True)
class Experiment:
    """One point of a sweep.

    Attributes:
        kind: As the table has it.
        name: Repeats it: "k=17", "seed 5".
        run: Does it.
        stock: Whether it is stock Django's.
        weight: Of a sweep that is thinned, the heavy ones stay: 2 is where something can be
            lost, 1 has the same durable state as a neighbour.
    """

    kind: str
    name: str
    run: Callable[[World], Finding]
    stock: bool = False
    weight: int = 2


@dataclass(frozen=True)
class Lines:
    """What uninterrupted runs cross.

    Attributes:
        first: Of ours, without a journal.
        ours: Of ours, with an empty journal.
        stock: Of stock Django's.
        resumed: Of ours, that resumes after having been killed at `resumed_from`.
        seconds: How long ours takes.
    """

    first: tuple[str, ...]
    ours: tuple[str, ...]
    stock: tuple[str, ...]
    resumed: tuple[str, ...] = ()
    resumed_from: int = 0
    seconds: float = 1.0


def plan(world: World, lines: Lines, seed: int) -> list[Experiment]:
    """All experiments on this world.

    Args:
        world: Where.
        lines: What is crossed.
        seed: Of everything random.
    """
    planned: list[Experiment] = []
    for kind in (_killed, _first, _in_flight, _answers, _resumes, _histories, _signals):
        planned += kind(world, lines, seed)
    for kind in (_terminations, _races, _journals):
        planned += kind(world, lines, seed)
    return planned


# -- SIGKILL ----------------------------------------------------------------------------


def _weight(label: str) -> int:
    """Whether it changes the durable state, or only reads, or is one of several in one
    transaction of the journal.
    """
    journal_inside = label.startswith(("journal sql", "journal before", "journal after rollback"))
    return 1 if journal_inside or READS.match(label) else 2


def _killed(world: World, lines: Lines, seed: int) -> Iterator[Experiment]:
    for k, label in enumerate(lines.ours, 1):
        weight = _weight(label)
        run = partial(_strike, at=k, light=weight == 1)
        yield Experiment("killed", f"k={k}", run, weight=weight)
    for k, label in enumerate(lines.stock, 1):
        run = partial(_strike_stock, at=k)
        yield Experiment("killed", f"k={k}", run, stock=True, weight=_weight(label))


def _first(world: World, lines: Lines, seed: int) -> Iterator[Experiment]:
    """While the journal is being made; what comes after is `_killed`."""
    opened = len(lines.first) - len(lines.ours)
    for k in range(1, max(opened, 0) + 6):
        run = partial(_strike, at=k, first_run=True)
        yield Experiment("killed", f"k={k} of a first run", run, weight=_weight(lines.first[k - 1]))


def _in_flight(world: World, lines: Lines, seed: int) -> Iterator[Experiment]:
    """The statement or COMMIT reaches the server; the process does not live to hear of it."""
    if world.vendor == "sqlite":  # no server: nothing goes on
        return
    strike = boundaries.send_and_kill
    for side, labels in ((False, lines.ours), (True, lines.stock)):
        run = _strike_stock if side else _strike
        for k, label in enumerate(labels, 1):
            sent = label == "target before commit" or label.startswith("target sql")
            if sent and not READS.match(label):
                yield Experiment(
                    "killed in flight", f"k={k}", partial(run, at=k, strike=strike), stock=side
                )


def _answers(world: World, lines: Lines, seed: int) -> Iterator[Experiment]:
    """The server commits; the connection breaks before it has said so."""
    if world.vendor == "sqlite":
        return
    strike = boundaries.lose_the_answer
    for side, labels in ((False, lines.ours), (True, lines.stock)):
        for k, label in enumerate(labels, 1):
            if label == "target after commit":
                run = (
                    partial(_strike_stock, at=k, strike=strike)
                    if side
                    else partial(_strike, at=k, strike=strike, codes=(ExitCode.FAILED,))
                )
                yield Experiment("answer lost", f"k={k}", run, stock=side)


def _strike(
    world: World,
    *,
    at: int,
    strike: Strike = boundaries.kill,
    first_run: bool = False,
    codes: Sequence[int] = (),
    light: bool = False,
) -> Finding:
    world.reset(first_run=first_run)
    ended = world.run(strike_at=at, strike=strike)
    deadly = strike in (boundaries.kill, boundaries.send_and_kill)
    if deadly and not ended.killed and world.steady:
        return Finding(Verdict.UNSOUND, f"not killed: exit {ended.code} {ended.output[-500:]}")
    return settle(world) if light else recover(world, codes=codes)


def _strike_stock(world: World, *, at: int, strike: Strike = boundaries.kill) -> Finding:
    world.reset()
    world.run_stock(strike_at=at, strike=strike)
    return recover_stock(world)


# -- more than one kill ---------------------------------------------------------------


def _resumes(world: World, lines: Lines, seed: int) -> Iterator[Experiment]:
    for k, label in enumerate(lines.resumed, 1):
        weight = _weight(label)
        run = partial(_history, strikes=(lines.resumed_from, k), light=True)
        yield Experiment("killed in resume", f"k={k}", run, weight=weight)


def _histories(world: World, lines: Lines, seed: int) -> Iterator[Experiment]:
    for number in range(40):
        chance = random.Random(f"{seed}-{number}")
        first = chance.randrange(1, len(lines.ours))
        later = [chance.randrange(1, len(lines.ours) // 2) for _ in range(chance.randint(1, 3))]
        run = partial(_history, strikes=(first, *later))
        yield Experiment("history of kills", f"seed {seed}-{number}", run)
        first = chance.randrange(1, len(lines.stock))
        later = [chance.randrange(1, len(lines.stock) // 2) for _ in later]
        run = partial(_history_stock, strikes=(first, *later))
        yield Experiment("history of kills", f"seed {seed}-{number}", run, stock=True)


def _history(world: World, *, strikes: Sequence[int], light: bool = False) -> Finding:
    world.reset()
    words: tuple[str, ...] = ()
    for k in strikes:
        ended = world.run(*words, strike_at=k)
        for _ in range(100):
            if ended.code != ExitCode.LOCKED:
                break
            time.sleep(0.05)
            ended = world.run(*words, strike_at=k)
        if ended.code == ExitCode.DECISION:
            break
        if not ended.killed and ended.code not in (ExitCode.CLEAN, ExitCode.USAGE):
            return Finding(Verdict.WEDGED, f"exit {ended.code}: {ended.output[-900:]}")
        words = () if "holds no run yet" in ended.output else ("--resume",)
    return settle(world) if light and ended.killed else recover(world)


def _history_stock(world: World, *, strikes: Sequence[int]) -> Finding:
    world.reset()
    for k in strikes:
        world.run_stock(strike_at=k)
        world.wait_until_alone()
    return recover_stock(world)


# -- signals ----------------------------------------------------------------------------


def _signals(world: World, lines: Lines, seed: int) -> Iterator[Experiment]:
    for number in range(40):
        chance = random.Random(f"{seed}-signal-{number}")
        name = chance.choice((signal.SIGTERM, signal.SIGINT))
        k = chance.randrange(1, len(lines.ours))
        delay = chance.random() * lines.seconds
        at_boundary = bool(number % 2)
        run = partial(_interrupt, number=name, at=k if at_boundary else 0, delay=delay)
        yield Experiment("SIGTERM or SIGINT", f"seed {seed}-{number}", run)
        k = chance.randrange(1, len(lines.stock))
        strike = boundaries.signalling(name)
        run = partial(_strike_stock, at=k, strike=strike)
        yield Experiment("SIGTERM or SIGINT", f"seed {seed}-{number}", run, stock=True)


def _interrupt(world: World, *, number: signal.Signals, at: int, delay: float) -> Finding:
    world.reset()
    if at:
        ended = world.run(strike_at=at, strike=boundaries.signalling(number))
    else:
        ended = world.forks.interrupt(*world.start, number=number, delay=delay)
    # Before the run has begun and after it has ended, the signal is not ours to handle.
    early = ended.code == OUTSIDE or (not world.has_run() and ended.code in (130, 143, -number))
    if ended.code not in (ExitCode.CLEAN, ExitCode.INTERRUPTED) and not early:
        return Finding(Verdict.UNSOUND, f"exit {ended.code}: {ended.output[-900:]}")
    if "Traceback" in ended.output and not early:
        return Finding(Verdict.UNSOUND, ended.output[-900:])
    return recover(world)


# -- sessions ended from outside ----------------------------------------------------------


def _terminations(world: World, lines: Lines, seed: int) -> Iterator[Experiment]:
    place = world.places["default"]
    if isinstance(place, PostgresPlace | MySQLPlace):
        yield from _cut(world, lines, seed, "session terminated", 40, place.terminate)
    journal = world.journal.place
    if isinstance(journal, PostgresPlace):
        yield from _cut(world, lines, seed, "journal's session ended", 20, journal.terminate)
    if world.restart is not None:
        yield from _cut(world, lines, seed, "server restarted", 12, world.restart)


def _cut(
    world: World, lines: Lines, seed: int, kind: str, count: int, cut: Callable[[], None]
) -> Iterator[Experiment]:
    def strike(crossing: Crossing) -> None:
        with suppress(Exception):
            cut()

    for number in range(count):
        chance = random.Random(f"{seed}-{kind}-{number}")
        targets = [k for k, label in enumerate(lines.ours, 1) if label.startswith("target")]
        run = partial(_cut_off, at=chance.choice(targets), strike=strike)
        yield Experiment(kind, f"seed {seed}-{number}", run)
        k = chance.randrange(1, len(lines.stock))
        run = partial(_strike_stock, at=k, strike=strike)
        yield Experiment(kind, f"seed {seed}-{number}", run, stock=True)


def _cut_off(world: World, *, at: int, strike: Strike) -> Finding:
    world.reset()
    ended = world.run(strike_at=at, strike=strike)
    if "Traceback" in ended.output:
        return Finding(Verdict.UNSOUND, ended.output[-900:])
    return recover(world)


# -- several at once ----------------------------------------------------------------------


def _races(world: World, lines: Lines, seed: int) -> Iterator[Experiment]:
    for count in (2, 3, 4, 6, 8) * 2:
        yield Experiment("runs at once", f"{count} runs", partial(_race, count=count))


def _race(world: World, *, count: int) -> Finding:
    world.reset()
    children = [world.forks.start(*world.start) for _ in range(count)]
    ended = [world.forks.wait(child) for child in children]
    codes = sorted(e.code for e in ended)
    # Who comes when the winner has ended finds nothing to do, and is clean as well.
    if codes[0] != ExitCode.CLEAN or set(codes) - {ExitCode.CLEAN, ExitCode.LOCKED}:
        bad = next(e for e in ended if e.code not in (ExitCode.CLEAN, ExitCode.LOCKED))
        return Finding(Verdict.UNSOUND, f"exits {codes}: {bad.output[-900:]}")
    found = judge(world)
    if found.verdict is not Verdict.UNSOUND:
        return found
    # A run that lost is in the journal as failed, until another succeeds after it.
    again = world.run()
    return judge(world) if not again.code else Finding(Verdict.WEDGED, again.output[-900:])


# -- the journal fails ---------------------------------------------------------------------


def _journals(world: World, lines: Lines, seed: int) -> Iterator[Experiment]:
    if world.journal.path is None:
        return
    targets = [k for k, label in enumerate(lines.ours, 1) if label.startswith("target")]
    chance = random.Random(f"{seed}-journal")
    for k in sorted(chance.sample(targets, min(40, len(targets)))):
        yield Experiment("journal unwritable", f"k={k}", partial(_unwritable, at=k))
    for k in sorted(chance.sample(range(1, len(lines.ours)), min(20, len(lines.ours) - 1))):
        yield Experiment("disk full", f"k={k}", partial(_full, at=k))


def _full(world: World, *, at: int) -> Finding:
    """The kernel lets no file of the process grow any more: the journal, an SQLite target."""
    world.reset()
    path = world.journal.path
    assert path is not None

    def strike(crossing: Crossing) -> None:
        log = path.with_name(f"{path.name}-wal")
        size = log.stat().st_size if log.exists() else 0
        resource.setrlimit(resource.RLIMIT_FSIZE, (max(size, 65536), resource.RLIM_INFINITY))

    ended = world.run(strike_at=at, strike=strike)
    if ended.code not in (ExitCode.FAILED, ExitCode.CLEAN):
        return Finding(Verdict.UNSOUND, f"exit {ended.code}: {ended.output[-900:]}")
    if "Traceback" in ended.output:
        return Finding(Verdict.UNSOUND, ended.output[-900:])
    return recover(world)


def _unwritable(world: World, *, at: int) -> Finding:
    """Every write is refused from one moment on; afterwards the disk has room again."""
    world.reset()
    path = world.journal.path
    assert path is not None

    def strike(crossing: Crossing) -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            for table in ("run", "target", "entry", "snapshot"):
                for verb in ("INSERT", "UPDATE"):
                    connection.execute(
                        f"CREATE TRIGGER full_{table}_{verb} BEFORE {verb} ON {table} "
                        "BEGIN SELECT RAISE(ABORT, 'no space left'); END"
                    )

    ended = world.run(strike_at=at, strike=strike)
    touched = _touched_after_refusal(ended, at)
    with closing(sqlite3.connect(path)) as connection, connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'full_%'")
        for (name,) in names.fetchall():
            connection.execute(f"DROP TRIGGER {name}")
    if ended.code not in (ExitCode.FAILED, ExitCode.CLEAN):
        return Finding(Verdict.UNSOUND, f"exit {ended.code}: {ended.output[-900:]}")
    if "Traceback" in ended.output:
        return Finding(Verdict.UNSOUND, ended.output[-900:])
    if touched:
        return Finding(Verdict.UNSOUND, f"touched without a journal: {touched}")
    return recover(world)


def _touched_after_refusal(ended: Ended, at: int) -> list[str]:
    """What was done to a target after the first write to the journal that was refused."""
    rest = ended.labels[at:]
    write = re.compile(r"journal sql (INSERT|UPDATE)", re.I)
    refused = next((i for i, label in enumerate(rest) if write.match(label)), None)
    return [] if refused is None else [x for x in rest[refused:] if TOUCHES.match(x)][:5]
