"""Whatever happens, in whatever order: nothing unexpected, nothing twice, nothing lost.

Hypothesis draws sequences of runs, checks, repairs, kills at any boundary, resumes, stock
migrations, other people's DDL and rows, restores of older dumps, and losses of the journal. A
step past the product may lose what it likes (`touched`); the product may not.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.projects import make_project
from tests.servers import Database, PostgresServer, SQLiteServer
from tests.stateful.world import APPS, World
from tests.zygote import Zygote

LONG = [pytest.mark.slow, pytest.mark.timeout(1200)]
SHARES = st.floats(0.0, 1.0)
FOREIGN = st.sampled_from(
    [
        "ALTER TABLE pets_pet DROP COLUMN age",
        "ALTER TABLE pets_owner RENAME COLUMN name TO label",
        "ALTER TABLE pets_owner ADD COLUMN extra integer",
        "ALTER TABLE pets_pet ADD COLUMN age integer DEFAULT 0 NOT NULL",
        "DROP TABLE pets_pet",
        "ALTER TABLE tally_tally RENAME TO tally_gone",
        "CREATE TABLE tally_tally (id integer PRIMARY KEY, what varchar(20))",
        "CREATE TABLE somebody_elses (id integer)",
    ]
)
MIGRATIONS = st.sampled_from(
    [(app, name) for app, source in APPS.items() for name in source["migrations"]]
)


class Machine(RuleBasedStateMachine):
    """The rules; `Place` gives it a world."""

    make_world: Callable[[], World]

    def __init__(self) -> None:
        super().__init__()
        self.world = type(self).make_world()
        self.rows: dict[str, int] = {}

    def teardown(self) -> None:
        """Let go of the world."""
        world = self.world
        shutil.rmtree(world.directory, ignore_errors=True)
        world.database.drop()

    # -- ours ------------------------------------------------------------------

    @initialize(first=st.booleans())
    def begin(self, first: bool) -> None:
        if first:
            self._succeed(self.world.run())

    def _succeed(self, ended: Any) -> None:
        """What has to hold once a run says that all is well."""
        world = self.world
        if ended.code != 0 or "Nothing to resume" in ended.output:
            return
        before = world.picture()
        again = world.run("--check", "--fail-on-pending")
        assert again.code == 0, world.say(again)
        assert world.picture() == before, world.say(again)

    @rule()
    def run(self) -> None:
        self._succeed(self.world.run())

    @rule()
    def check(self) -> None:
        before = self.world.picture()
        ended = self.world.run("--check")
        assert self.world.picture() == before, self.world.say(ended)

    @rule()
    def repair(self) -> None:
        ended = self.world.run("--repair")
        self._succeed(ended)
        self._remember()

    @rule(share=SHARES, words=st.sampled_from([(), ("--repair",), ("--resume",)]))
    def kill(self, share: float, words: tuple[str, ...]) -> None:
        self.world.run(*words, kill_at=self.world.boundary(share))

    @rule()
    def resume(self) -> None:
        self._succeed(self.world.run("--resume"))

    @rule()
    def preview(self) -> None:
        before = self.world.picture()
        ended = self.world.run("--resume", "--dry-run")
        assert self.world.picture() == before, self.world.say(ended)

    # -- Django's ---------------------------------------------------------------

    @rule(leaf=st.one_of(st.just(()), st.just(("tally",)), MIGRATIONS))
    def stock_migrate(self, leaf: tuple[str, ...]) -> None:
        recorded = set(self.world.recorded())
        self.world.stock(*leaf)
        if recorded - set(self.world.recorded()):  # backwards: tables go, data may be seeded anew
            self.world.touched = True
        self._remember()

    # -- other people's ------------------------------------------------------------

    @rule(sql=FOREIGN)
    def foreign_ddl(self, sql: str) -> None:
        self.world.touched |= self.world.execute(sql)
        self._remember()

    @rule(row=MIGRATIONS)
    def forget_row(self, row: tuple[str, str]) -> None:
        sql = f"DELETE FROM django_migrations WHERE app = '{row[0]}' AND name = '{row[1]}'"
        if row in self.world.recorded():
            self.world.touched |= self.world.execute(sql)

    @rule(row=MIGRATIONS)
    def add_row(self, row: tuple[str, str]) -> None:
        if row not in self.world.recorded():
            self.world.touched |= self.world.execute(
                "INSERT INTO django_migrations (app, name, applied)"
                f" VALUES ('{row[0]}', '{row[1]}', '2026-01-01')"
            )

    @rule()
    def populate(self) -> None:
        self.world.populate()

    @rule()
    def save(self) -> None:
        self.world.save()

    @rule(share=SHARES)  # what is drawn must not depend on how far a killed run came
    def restore(self, share: float) -> None:
        dumps = self.world.dumps
        if dumps:
            self.world.restore(dumps[min(int(share * len(dumps)), len(dumps) - 1)])
            self._remember()

    @rule()
    def lose_journal(self) -> None:
        self.world.lose_journal()

    # -- what always holds ------------------------------------------------------------

    def _remember(self) -> None:
        self.rows = self.world.rows()

    @invariant()
    def nothing_is_lost(self) -> None:
        """Rows go by other people's hands alone; `_remember` follows those."""
        now = self.world.rows()
        for table, count in self.rows.items():
            assert now.get(table, 0) >= count, (table, self.world.history)
        self.rows = now

    @invariant()
    def nothing_runs_twice(self) -> None:
        if self.world.touched or "tally_tally" not in self.world.tables():
            return
        seeded = self.world.database.query("SELECT count(*) FROM tally_tally")[0][0]
        recorded = ("pets", "0003_seed") in self.world.recorded()
        assert seeded == int(recorded), self.world.history

    @invariant()
    def the_journal_is_whole(self) -> None:
        journal = self.world.journal()
        if journal is None:
            return
        with journal:
            assert not journal.verify(), self.world.history
            newest = journal.runs(limit=1)
            unfinished = {run.id for run in journal.incomplete_runs()}
            for run in newest:
                done = all(
                    target.status.value in ("done", "skipped") for target in journal.targets(run.id)
                )
                if run.status.value == "complete":
                    assert done, self.world.history
                    assert run.id not in unfinished
                elif run.goal == "verified":
                    assert run.id in unfinished, self.world.history


@contextmanager
def machine_on(zygote: Zygote, create: Callable[[Path], Database]) -> Iterator[type[Machine]]:
    """A machine whose every example has a project, a database and a journal of its own."""
    base = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None  # killed, not powered off

    def make_world() -> World:
        directory = Path(tempfile.mkdtemp(prefix="stateful-", dir=base))
        database = create(directory)
        project = make_project(
            directory / "project",
            databases={"default": database.settings()},
            apps=APPS,
            installed=(),
        )
        return World(zygote, project, database, directory)

    yield type("PlacedMachine", (Machine,), {"make_world": staticmethod(make_world)})


def explore(machine: type[Machine], *, examples: int, steps: int) -> None:
    """Let Hypothesis loose: the same sequences each time, shrunk when one of them fails."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.generate),
        ),
    )


@pytest.mark.parametrize(("examples", "steps"), [(6, 9), pytest.param(40, 20, marks=LONG)])
def test_sqlite(zygote: Zygote, examples: int, steps: int) -> None:
    with machine_on(zygote, lambda path: SQLiteServer(path).create_database()) as machine:
        explore(machine, examples=examples, steps=steps)


@pytest.mark.parametrize(("examples", "steps"), [(2, 8), pytest.param(12, 12, marks=LONG)])
def test_postgresql(zygote: Zygote, postgres: PostgresServer, examples: int, steps: int) -> None:
    with machine_on(zygote, lambda path: postgres.create_database("stateful")) as machine:
        explore(machine, examples=examples, steps=steps)
