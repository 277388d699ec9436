"""One world's experiments, in a process of its own: JSON lines on standard output.

Django has one configuration for a process, and what dies must have been forked off a process
that has no connection and no thread.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.sweep.kinds import Experiment, Lines, plan
from tests.sweep.mariadb import OwnServer
from tests.sweep.places import Place, differences, make_place
from tests.sweep.process import Forks
from tests.sweep.returns import KINDS, measure_return, plan_returns
from tests.sweep.scenarios import furnish
from tests.sweep.verdicts import Finding, Verdict
from tests.sweep.world import Journal, World, use_environment

PROJECT = Path(__file__).parent / "project"
BLOCK = 30


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a share of the experiments."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing is left behind
    memory = Path("/dev/shm")  # what is killed is a process, not the machine
    base = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    directory = Path(tempfile.mkdtemp(prefix="sweep-", dir=base))
    aliases = options.aliases.split(",")
    places: dict[str, Place] = {}
    journal_place: Place | None = None
    try:
        for alias in aliases:
            places[alias] = make_place(options.vendor, directory, options.server, alias)
        if options.journal == "postgresql":
            journal_place = make_place("postgresql", directory, options.server, "journal")
        journal = _journal(directory, journal_place)
        project = directory / "project"
        shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("__pycache__"))
        sys.path.insert(0, str(project))
        os.chdir(project)
        use_environment(places, journal)
        import django

        django.setup()
        world = World(options.vendor, places, journal, Forks(directory), directory)
        world.distinct = options.distinct
        if options.scenario:
            furnish(world, options.scenario)
        if options.data_directory and options.vendor == "mysql":
            port = int(options.server.rpartition(":")[2])
            world.restart = OwnServer(Path(options.data_directory), port).restart
        elif options.data_directory:
            world.restart = _restarting(options.binaries, options.data_directory)
        _run(world, options)
    finally:
        for place in (*places.values(), *((journal_place,) if journal_place else ())):
            with contextlib.suppress(Exception):
                place.drop()
        os.chdir("/")
        shutil.rmtree(directory, ignore_errors=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("--vendor", required=True)
    parser.add_argument("--server", default="")
    parser.add_argument("--aliases", default="default")
    parser.add_argument("--journal", default="sqlite")
    parser.add_argument("--data-directory", default="")
    parser.add_argument("--binaries", default="")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", default="0/1")
    parser.add_argument("--scenario", default="")
    parser.add_argument("--distinct", action="store_true")
    parser.add_argument("--thin", type=int, default=1)
    parser.add_argument("--thin-light", type=int, default=1)
    parser.add_argument("--thin-returns", type=int, default=1)
    parser.add_argument("--kinds", default="")
    parser.add_argument("--only", default="")
    return parser


def _journal(directory: Path, place: Place | None) -> Journal:
    if place is not None:
        entry = place.settings()
        login = entry["USER"] + (f":{entry['PASSWORD']}" if entry["PASSWORD"] else "")
        url = f"postgresql://{login}@/{entry['NAME']}?host={entry['HOST']}&port={entry['PORT']}"
        return Journal(url, place=place)
    path = directory / "journal.sqlite3"
    return Journal(f"sqlite:///{path}", path)


def _restarting(binaries: str, data: str) -> Callable[[], None]:
    def restart() -> None:
        subprocess.run(
            [
                f"{binaries}/pg_ctl",
                "restart",
                "-w",
                "-D",
                data,
                "-m",
                "immediate",
                "-l",
                "/dev/null",
            ],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
        )

    return restart


def _run(world: World, options: argparse.Namespace) -> None:
    lines = measure(world)
    experiments = plan(world, lines, options.seed)
    if options.scenario:
        experiments = [experiment for experiment in experiments if not experiment.stock]
    wanted = set(filter(None, options.kinds.split(",")))
    if not options.scenario and (not wanted or wanted.intersection(KINDS)):
        experiments += plan_returns(measure_return(world))
    chosen = choose(experiments, options)
    say(
        event="planned",
        boundaries={"ours": len(lines.ours), "stock": len(lines.stock)},
        planned=len(experiments),
        chosen=len(chosen),
    )
    for experiment in chosen:
        began = time.monotonic()
        try:
            finding = experiment.run(world)
        except Exception:
            finding = Finding(Verdict.UNSOUND, traceback.format_exc())
        say(
            event="point",
            kind=experiment.kind + (f", {options.scenario}" if options.scenario else ""),
            name=experiment.name,
            stock=experiment.stock,
            verdict=finding.verdict,
            detail=finding.detail,
            decisions=finding.decisions,
            same=finding.same,
            seconds=round(time.monotonic() - began, 3),
        )


def say(**fields: object) -> None:
    """One JSON line."""
    print(json.dumps(fields), flush=True)


def choose(experiments: Sequence[Experiment], options: argparse.Namespace) -> list[Experiment]:
    """This share of the experiments, thinned: every n-th of each kind, and at least one."""
    kinds = set(filter(None, options.kinds.split(",")))
    wanted = [e for e in experiments if not kinds or e.kind in kinds]
    if options.only:
        return [e for e in wanted if e.name == options.only]
    groups: dict[tuple[str, bool, int], list[Experiment]] = {}
    for experiment in wanted:
        key = experiment.kind, experiment.stock, experiment.weight
        groups.setdefault(key, []).append(experiment)
    chosen: list[Experiment] = []
    for (kind, _, weight), group in groups.items():
        thin = options.thin * (options.thin_returns if kind in KINDS else 1)
        step = min(thin * (1 if weight > 1 else options.thin_light), len(group))
        chosen += group[step // 2 :: step]
    share, shares = map(int, options.share.split("/"))
    # In blocks, so that neighbours, which often leave the same behind, meet in one worker.
    return [e for i, e in enumerate(chosen) if i // BLOCK % shares == share]


def measure(world: World) -> Lines:
    """Run without an interruption: what is crossed, and what is expected in the end."""
    world.reset(first_run=True)
    world.forks.warm_up(*world.start)
    gc.collect()
    gc.freeze()  # what a child never touches is never copied for it
    prepare, world.prepare = world.prepare, None  # stock Django's may not get on from there
    world.reset()
    _succeed(stock := world.run_stock())
    world.expected_stock = world.pictures()
    world.prepare = prepare
    world.reset(first_run=True)
    _succeed(first := world.run())
    world.reset()
    began = time.monotonic()
    _succeed(ours := world.run())
    seconds = time.monotonic() - began
    world.expected = world.pictures()
    world.expected_dumps = world.dumps()
    for alias, picture in world.expected.items():
        extra, missing = differences(world.expected_stock[alias], picture)
        if extra or missing:
            raise RuntimeError(f"ours differs from stock Django's on {alias}: {extra}, {missing}")
    if faults := world.faults_of_journal():
        raise RuntimeError(f"the journal of an uninterrupted run: {faults}")
    middle = len(ours.labels) // 2
    world.reset()
    world.run(strike_at=middle)
    world.wait_until_alone()
    _succeed(resumed := world.run("--resume"))
    return Lines(first.labels, ours.labels, stock.labels, resumed.labels, middle, seconds)


def _succeed(ended: object) -> None:
    code, output = getattr(ended, "code", 1), getattr(ended, "output", "")
    if code:
        raise RuntimeError(f"exit {code} without any interruption:\n{output}")


if __name__ == "__main__":
    main()
