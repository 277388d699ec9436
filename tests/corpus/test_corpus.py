"""The labels hold, and the lint agrees with them: a sample quickly, all of them slowly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.corpus import labels
from tests.corpus.case import Case
from tests.corpus.cases import CASES
from tests.corpus.holdout import HOLDOUT
from tests.corpus.holdout_second import SECOND
from tests.corpus.judging import chosen, score_of
from tests.corpus.measuring import measure
from tests.corpus.world import World

SAMPLE = {
    "add NOT NULL column with Python default to small table",
    "add nullable column",
    "remove field",
    "rename field that keeps its column",
    "set NOT NULL, no NULLs, code always writes it",
    "set NOT NULL behind a validated check",
    "decimal less scale, rounds",
    "integer to bigint, small table",
    "add index",
    "add index concurrently",
    "create index concurrently if not exists, an invalid one does",
    "add check not valid and validate in one transaction",
    "add unique over duplicates, small table",
    "alter after rows with deferred keys were written",
    "python without a way back",
    "several schema changes, not atomic",
}
"""One or two for each reason that makes a migration unsafe, and as many that are safe."""


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The databases of the corpus, on PostgreSQL."""
    made = World(request.getfixturevalue("postgres"), rows=12_000)
    yield made
    made.close()


@pytest.mark.postgresql
@pytest.mark.parametrize("case", [c for c in CASES if c.name in SAMPLE], ids=lambda c: c.name)
def test_a_label_is_what_is_measured(world: World, case: Case) -> None:
    known = labels.load()["postgresql"][case.name]["unsafe"]
    assert measure(world, case).reasons("postgresql") == known


@pytest.mark.postgresql
def test_the_lint_misses_none_and_flags_none_of_the_sample(world: World) -> None:
    sample = [case for case in CASES if case.name in SAMPLE]
    assert len(sample) == len(SAMPLE)
    score = score_of(world, sample)
    assert (score.missed, score.flagged) == ([], [])


@pytest.mark.slow
@pytest.mark.parametrize("vendor", ["postgresql", "mysql", "sqlite"])
def test_the_lint_misses_none_and_flags_none(vendor: str, request: pytest.FixtureRequest) -> None:
    fixtures = {"postgresql": "postgres", "mysql": "mysql", "sqlite": "sqlite"}
    server: Any = request.getfixturevalue(fixtures[vendor])
    made = World(server)
    try:
        score = score_of(made, chosen(vendor, CASES))
    finally:
        made.close()
    assert (score.missed, score.flagged) == ([], [])


@pytest.mark.parametrize("vendor", ["postgresql", "mysql", "sqlite"])
def test_every_case_has_a_label_and_every_label_a_case(vendor: str) -> None:
    names = [case.name for case in chosen(vendor, [*CASES, *HOLDOUT, *SECOND])]
    assert len(names) == len(set(names))
    assert set(names) == labels.load()[vendor].keys()


def test_about_half_of_the_corpus_is_safe() -> None:
    known = labels.load()["postgresql"]
    safe = sum(not known[case.name]["unsafe"] for case in CASES)
    assert len(CASES) >= 200
    assert 0.4 < safe / len(CASES) < 0.6
