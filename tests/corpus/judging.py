"""Asks the lint about every migration, and counts what it got right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from migrator.backends import backend_for, facts_for
from migrator.conf import Settings
from migrator.core.findings import Finding, Severity
from migrator.core.plan import Plan
from migrator.linting import lint_plan
from migrator.planning import plan_migrations
from migrator.sources import full_plan, recorded_plan
from tests.corpus import labels
from tests.corpus.case import Case
from tests.corpus.cases import CASES
from tests.corpus.holdout import HOLDOUT
from tests.corpus.holdout_second import SECOND
from tests.corpus.measuring import measure_all
from tests.corpus.world import World, alias_of, begin, judged

HERE = Path(__file__).parent


@dataclass(slots=True)
class Score:
    """The four figures, and what they are made of."""

    found: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    flagged: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        unsafe = len(self.found) + len(self.missed)
        safe = len(self.passed) + len(self.flagged)
        return (
            f"unsafe: {len(self.found)} of {unsafe} found, {len(self.missed)} missed;"
            f" safe: {len(self.passed)} of {safe} passed, {len(self.flagged)} flagged"
        )


def chosen(vendor: str, cases: Iterable[Case], only: str = "") -> list[Case]:
    """Those of a vendor whose name has the words, or other words after a "|"."""
    words = only.split("|")
    return [c for c in cases if vendor in c.vendors and any(word in c.name for word in words)]


def label(server: Any, cases: Iterable[Case], *, only: str = "") -> None:
    """Measure each, and write the labels down."""
    world = World(server)
    known = labels.load()
    mine = dict(known.get(world.vendor, {}))
    try:
        for case, seen in measure_all(world, chosen(world.vendor, cases, only)):
            mine[case.name] = seen.to_dict(world.vendor)
            print(f"{world.vendor}: {case.name}: {mine[case.name]}", flush=True)
    finally:
        world.close()
    there = {case.name for case in [*CASES, *HOLDOUT, *SECOND]}
    mine = {name: seen for name, seen in mine.items() if name in there}
    labels.save({**labels.load(), world.vendor: mine})


def lint_case(world: World, case: Case) -> tuple[Finding, ...]:
    """What the lint says, with the database at hand."""
    if case.before or case.setup:
        with world.ready(case) as (connection, _past, _applied):
            return _lint(connection, case)
    with alias_of(world.base) as connection:
        return _lint(connection, case)


def planned(world: World, case: Case) -> list[str]:
    """The statements of a case, as Django sends them."""
    with world.ready(case) as (connection, _past, _applied):
        return [each.sql for step in _plan(connection, case)[0].steps for each in step.statements]


def _lint(connection: Any, case: Case) -> tuple[Finding, ...]:
    plan, loader = _plan(connection, case)
    with backend_for(connection.vendor).read_only(connection):
        settings = Settings(journal_url="", base_dir=HERE)
        return lint_plan(plan, facts_for(connection), settings, loader=loader)


def _plan(connection: Any, case: Case) -> tuple[Plan, Any]:
    past, applied = begin(case)
    recorded = list(past.migrations)[:applied]
    loader = judged(past, case).graph(connection, recorded)
    backend = backend_for(connection.vendor)
    done = recorded_plan(loader)
    keys = [key for key in full_plan(loader) if key not in set(done)]
    with backend.read_only(connection):
        return plan_migrations(connection, backend, loader, done, keys, base_dir=HERE), loader


def in_force(findings: Iterable[Finding]) -> list[Finding]:
    """Errors and warnings that are not switched off."""
    return [f for f in findings if not f.suppressed and f.severity is not Severity.INFO]


def named(reasons: Iterable[str], findings: Iterable[Finding]) -> list[str]:
    """The reasons that a finding of the right family names.

    SQL and Python that cannot be read are named by UA, whatever they do.
    """
    families = {finding.code[:2] for finding in findings}
    return [r for r in reasons if families & (labels.FAMILIES[r] | {"UA"})]


def judge(server: Any, cases: Iterable[Case], *, only: str = "", verbose: bool = False) -> int:
    """Print the four figures and what is wrong.

    Returns:
        How many were missed or flagged.
    """
    world = World(server)
    try:
        score = score_of(world, chosen(world.vendor, cases, only), verbose=verbose)
    finally:
        world.close()
    print(f"{world.vendor}: {score}")
    for title, lines in (("missed", score.missed), ("flagged", score.flagged)):
        for line in lines:
            print(f"  {title}: {line}")
    if verbose:
        for line in score.unnamed:
            print(f"  a reason is not named: {line}")
    return len(score.missed) + len(score.flagged)


def score_of(world: World, cases: Iterable[Case], *, verbose: bool = False) -> Score:
    """Judge each by its label."""
    score = Score()
    known = labels.load()[world.vendor]
    for case in cases:
        reasons = known[case.name]["unsafe"]
        everything = lint_case(world, case)
        findings = in_force(everything)
        if verbose:
            print(f"{world.vendor}: {case.name} {reasons}")
            for finding in everything:
                print(f"    {finding.severity} {finding.code} {finding.message}")
        said = ", ".join(f"{f.code} {f.severity}" for f in findings) or "nothing"
        line = f"{case.name} ({', '.join(reasons) or 'safe'}): {said}"
        covered = named(reasons, findings)
        if reasons:
            (score.found if covered else score.missed).append(line)
            if covered and len(covered) < len(reasons):
                missing = ", ".join(r for r in reasons if r not in covered)
                score.unnamed.append(f"{line}; not {missing}")
        else:
            (score.flagged if findings else score.passed).append(line)
    return score
