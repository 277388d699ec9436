"""What became of a database after a crash, and how one tells."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from migrator.exceptions import ExitCode
from tests.sweep.process import Ended
from tests.sweep.world import World

PATIENCE = 100
"""How often to come back while the lock is held by a session that is dying."""

DUMPED = 10
"""After every how-manieth experiment the schema is also dumped and compared as text."""

_numbers = itertools.count()


class Verdict(StrEnum):
    """How an experiment ended."""

    CONVERGED = "converged"
    WEDGED = "wedged"
    """No run gets to the end any more."""
    DOUBLED = "doubled"
    """Something happened twice."""
    LOST = "lost"
    """Something is missing, or is another."""
    UNSOUND = "unsound"
    """The databases are right, the journal or an exit code is not."""


@dataclass(frozen=True)
class Finding:
    """A verdict with its reasons.

    Attributes:
        verdict: What it is.
        detail: Why, when it is bad.
        decisions: How often a person had to decide on the way.
        same: Whether it left a state from which had been recovered before.
    """

    verdict: Verdict
    detail: str = ""
    decisions: int = 0
    same: bool = False


def judge(world: World, *, stock: bool = False) -> Finding:
    """Compare what is there with what an uninterrupted run makes."""
    extra, missing = world.compare(world.expected_stock if stock else world.expected)
    shown = "\n".join([*extra[:8], *missing[:8]])
    if any(_is_row(line) for line in extra):
        return Finding(Verdict.DOUBLED, shown)
    if extra or missing:
        return Finding(Verdict.LOST, shown)
    # Our own reading of the catalog is the faster; the vendor's tool has the last word.
    if not stock and next(_numbers) % DUMPED == 0 and world.dumps() != world.expected_dumps:
        return Finding(Verdict.LOST, "the dumped schema is another")
    faults = [] if stock else world.faults_of_journal()
    if faults:
        return Finding(Verdict.UNSOUND, "\n".join(faults[:8]))
    return Finding(Verdict.CONVERGED)


def _is_row(line: str) -> bool:
    """Whether it speaks of a row: "default + bank_deposit: (…)"."""
    return re.search(r"^\w+ \+ \w+: \(", line) is not None


def recover(world: World, *, codes: Collection[int] = ()) -> Finding:
    """Do what the person on call does: resume, answer what is asked, and look.

    Args:
        world: After the crash.
        codes: Further exit codes that are all right, once, before another attempt.
    """
    words: list[str] = []
    tolerated = list(codes)
    decisions = 0
    resume = ["--resume"]
    for _ in range(PATIENCE):
        ended = world.run(*resume, *words)
        if ended.code == ExitCode.CLEAN:
            found = judge(world)
            return Finding(found.verdict, found.detail, decisions)
        if ended.code == ExitCode.USAGE and "holds no run yet" in ended.output and resume:
            resume = []
        elif ended.code == ExitCode.LOCKED:
            time.sleep(0.05)
        elif ended.code == ExitCode.DECISION and decisions < 8:
            decisions += 1
            words += decide(world, ended.output)
        elif ended.code in tolerated:
            tolerated.remove(ended.code)
        else:
            return Finding(Verdict.WEDGED, _tail(ended), decisions)
    return Finding(Verdict.WEDGED, f"still locked: {_tail(ended)}", decisions)


def settle(world: World) -> Finding:
    """`recover`, unless what the kill left behind is exactly what was recovered from before.

    Of two kills between which nothing was made durable the second leaves the same databases and
    the same journal, so the same command finds the same: it is enough to have proven that it does.
    """
    if not world.distinct or world.journal.path is None:
        return recover(world)
    state = world.state()
    if state in world.settled:
        return Finding(Verdict.CONVERGED, same=True)
    found = recover(world)
    if found.verdict is Verdict.CONVERGED:
        world.settled.add(state)
    return found


def recover_stock(world: World, *, tries: int = 3) -> Finding:
    """`migrate` again, as whoever runs it would."""
    for _ in range(tries):
        world.wait_until_alone()
        ended = world.run_stock()
        if not ended.code:
            return judge(world, stock=True)
    return Finding(Verdict.WEDGED, _tail(ended))


def decide(world: World, output: str) -> list[str]:
    """Answer the way a person does who looks at the data.

    Raises:
        AssertionError: The question is not one that this project can raise.
    """
    asked = re.search(r"Operation (\d+) \(.*?\) of ([\w.]+) on (\w+)", output)
    assert asked, output
    index, name, alias = int(asked[1]), asked[2], asked[3]
    picture = world.places[alias].picture()
    deposits = sum(picture.rows.get("bank_deposit", {}).values())
    paid = any("200" in row for row in picture.rows.get("bank_account", {}))
    column = any("remark" in line for line in picture.schema)
    pages = sum(picture.rows.get("archive_page", {}).values())
    there = {
        "bank.0002_open": deposits > 0,
        "bank.0003_interest": paid,
        "bank.0006_online": column,
        "archive.0001_initial": pages > 0,
        # Its way back writes each name anew: nobody sees whether it has, and it may again.
        "contenttypes.0002_remove_content_type_name": True,
    }[name]
    return ["--assume-applied" if there else "--assume-not-applied", f"{name}:{index}"]


def _tail(ended: Ended) -> str:
    return f"exit {ended.code}: ...{ended.output.strip()[-900:]}"
