"""The sample project, killed with SIGKILL at boundary k, resumed, and compared.

Its history has foreign keys, a squash, a data migration that shows when it ran twice, RunSQL,
and a non-atomic migration that builds indexes CONCURRENTLY.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.crash import Crasher, wait_until_alone
from tests.projects import Project
from tests.servers import Database

pytestmark = pytest.mark.timeout(1800)

STEP = int(os.environ.get("CRASH_STEP", "1"))
"""The sweeps marked slow take every boundary; CRASH_STEP=10 takes every tenth."""
RECORDED = "SELECT app, name FROM django_migrations ORDER BY app, name"
PRODUCTS = "SELECT name, price, stock FROM shop_product"


def picture(database: Database) -> tuple[Any, ...]:
    """All that must be the same after a crash and a resume."""
    return database.dump(), database.query(RECORDED), database.query(PRODUCTS)


class Sweep:
    """Kills at one boundary after the other, each on a new database."""

    def __init__(
        self,
        vendor: str,
        sample_project: Callable[..., Project],
        create_database: Callable[..., Database],
    ) -> None:
        self.vendor = vendor
        self.create_database = create_database
        reference = create_database(vendor)
        self.project = sample_project(databases={"default": reference.settings()})
        ended = Crasher(self.project).run("executor", "default")
        assert ended.returncode == 0, ended.output
        self.boundaries = len(ended.boundaries)
        self.labels = ended.boundaries
        self.expected = picture(reference)
        reference.drop()

    def kill_and_resume(self, *boundaries: int) -> str:
        """Kill at each boundary in turn, a resume at the next; what is wrong in the end."""
        database = self.create_database(self.vendor)
        journal = self.project.root / "journal-default.jsonl"
        journal.unlink(missing_ok=True)
        self.project.env.update(self._environment(database))
        crasher = Crasher(self.project)
        for boundary in boundaries:
            ended = crasher.run("executor", "default", kill_at=boundary)
            if not ended.killed and ended.returncode:
                return f"killed at {boundaries}: {ended.output[-600:]}"
            wait_until_alone(database)
        ended = crasher.run("executor", "default")
        if ended.returncode:
            return f"resumed after {boundaries}: {ended.output[-600:]}"
        wrong = picture(database) != self.expected
        database.drop()
        return f"another result after {boundaries}" if wrong else ""

    @staticmethod
    def _environment(database: Database) -> dict[str, str]:
        return {"MIGRATOR_TEST_DATABASES": json.dumps({"default": database.settings()})}


@pytest.fixture
def sweep(
    vendor: str,
    sample_project: Callable[..., Project],
    create_database: Callable[..., Database],
) -> Sweep:
    return Sweep(vendor, sample_project, create_database)


transactional = pytest.mark.parametrize(
    "vendor", [pytest.param("postgresql", marks=pytest.mark.postgresql), "sqlite"]
)


@transactional
def test_killed_at_a_few_boundaries_it_converges(sweep: Sweep) -> None:
    assert sweep.boundaries > 100
    for tenth in (1, 4, 7, 9):
        boundary = sweep.boundaries * tenth // 10
        assert not sweep.kill_and_resume(boundary)


@transactional
def test_killed_again_while_it_resumes_it_converges(sweep: Sweep) -> None:
    assert not sweep.kill_and_resume(sweep.boundaries // 3, 9, sweep.boundaries // 4)


@pytest.mark.slow
@transactional
def test_killed_at_every_boundary_it_converges(sweep: Sweep) -> None:
    failures = [sweep.kill_and_resume(k) for k in range(1, sweep.boundaries + 1, STEP)]
    assert not [failure for failure in failures if failure]


@pytest.mark.mysql
@pytest.mark.slow
@pytest.mark.parametrize("vendor", ["mysql"])
def test_without_transactional_ddl_it_converges_too(sweep: Sweep) -> None:
    failures = [sweep.kill_and_resume(k) for k in range(1, sweep.boundaries + 1, STEP)]
    assert not [failure for failure in failures if failure]


@pytest.mark.mysql
@pytest.mark.parametrize("vendor", ["mysql"])
def test_without_transactional_ddl_a_few_boundaries_converge(sweep: Sweep) -> None:
    for third in (1, 2):
        assert not sweep.kill_and_resume(sweep.boundaries * third // 3)
