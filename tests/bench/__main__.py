"""`make bench`: prints ours beside Django's, as ratios, in one run; asserts no time.

Every figure comes from alternating runs of whole commands in subprocesses, start-up of the
interpreter and of Django included, since that is what a deploy waits for. The order within a
pair alternates too, so that neither always finds the caches warm.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests import servers
from tests.bench.generated import write_generated_project
from tests.projects import Project
from tests.servers import Database, PostgresServer, SQLiteServer

STOCK = ("migrate", "-v", "0")
OURS = ("migrate_all", "--non-interactive", "-v", "0")

COUNT_QUERIES = """
from django.db import connections
from migrator import Migrator, MigratorOptions
connections["default"].ensure_connection()
connections["default"].force_debug_cursor = True
report = Migrator(options=MigratorOptions(interactive=False, verbosity=0)).check()
assert report.all_clean, report
print("QUERIES", len(connections["default"].queries_log))
"""

READ_CATALOG = """
import time
from django.db import connections
from migrator.backends import backend_for
connection = connections["default"]
backend = backend_for(connection.vendor)
connection.ensure_connection()
def table_by_table():
    introspection = connection.introspection
    with connection.cursor() as cursor:
        for table in introspection.get_table_list(cursor):
            introspection.get_table_description(cursor, table.name)
            introspection.get_constraints(cursor, table.name)
            introspection.get_relations(cursor, table.name)
            introspection.get_sequences(cursor, table.name)
def ours():
    backend.inspect(connection)
best = {}
for work in (ours, table_by_table, ours, table_by_table, ours):
    began = time.perf_counter()
    work()
    took = time.perf_counter() - began
    best[work] = min(took, best.get(work, took))
connection.force_debug_cursor = True
connection.queries_log.clear()
ours()
queries = [q for q in connection.queries_log if q["sql"] not in ("BEGIN", "ROLLBACK", "COMMIT")]
print("OURS", best[ours])
print("DJANGO", best[table_by_table])
print("QUERIES", len(queries))
"""

JOURNAL_COMMITS = """
import time
from django.conf import settings
from journal import Phase, Target, open_journal
with open_journal(settings.MIGRATOR["JOURNAL_URL"]) as journal:
    run = journal.open_run(
        kind="bench", goal="verified", options={{}}, actor={{}}, targets=[Target("", "default")]
    )
    epoch = journal.claim(run.id, "default")
    began = time.perf_counter()
    for number in range({count}):
        journal.write(
            run.id, "default", epoch=epoch, kind="bench", name=str(number), phase=Phase.DONE
        )
    print("SECONDS", time.perf_counter() - began)
"""

JOURNAL_SHARE = """
import time
from django.conf import settings
import journal
from journal.store import SqlJournal
from migrator import Migrator, MigratorOptions
spent, depth, calls = 0.0, 0, 0
def timed(method):
    def call(*args, **kwargs):
        global spent, depth, calls
        began, depth = time.perf_counter(), depth + 1
        try:
            return method(*args, **kwargs)
        finally:
            depth -= 1
            if not depth:
                spent, calls = spent + time.perf_counter() - began, calls + 1
    return call
for name, method in list(vars(SqlJournal).items()):
    if callable(method) and (name == "__init__" or not name.startswith("_")):
        setattr(SqlJournal, name, timed(method))
began = time.perf_counter()
report = Migrator(options=MigratorOptions(interactive=False, verbosity=0)).migrate_all()
assert report.all_clean, report
print("SECONDS", time.perf_counter() - began)
print("JOURNAL", spent)
print("CALLS", calls)
"""
"""A run from zero, and what of it is spent in the journal: opened, written, read, closed."""


@dataclass(frozen=True)
class Cost:
    """What one command costs: seconds on the wall, and seconds of processor time.

    The second is the steadier of the two on a machine with other work; of PostgreSQL it holds
    the client's part alone.
    """

    wall: float
    processor: float


@dataclass
class Comparison:
    """Two lists of costs, measured in alternation."""

    name: str
    stock: list[Cost]
    ours: list[Cost]

    def row(self) -> tuple[str, ...]:
        """One line of the table: what each costs, and ratios, as minimum / median."""
        cells = [self.name]
        for kind in ("wall", "processor"):
            stock = [getattr(cost, kind) for cost in self.stock]
            ours = [getattr(cost, kind) for cost in self.ours]
            pairs = [(min(stock), min(ours)), (statistics.median(stock), statistics.median(ours))]
            cells += [
                " / ".join(f"{pair[0]:.2f}" for pair in pairs),
                " / ".join(f"{pair[1]:.2f}" for pair in pairs),
                " / ".join(f"{pair[1] / pair[0]:.2f}" for pair in pairs),
            ]
        return tuple(cells)


def measure(project: Project, arguments: tuple[str, ...], database: Database) -> Cost:
    """What one command costs."""
    before, began = processor_seconds(), time.perf_counter()
    project.manage(*arguments, check=True, env={"BENCH_NAME": database.name}, timeout=1200)
    return Cost(time.perf_counter() - began, processor_seconds() - before)


def processor_seconds() -> float:
    """Processor time of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def compare(
    name: str,
    project: Project,
    create: Callable[[], Database],
    *,
    rounds: int,
    again: bool,
) -> Comparison:
    """Alternate between the two commands.

    Args:
        name: What the line is called.
        project: The project; its default database is named by BENCH_NAME.
        create: Makes an empty database.
        rounds: How many pairs.
        again: Measure with nothing to do, on a database that is migrated already.
    """
    costs: dict[tuple[str, ...], list[Cost]] = {STOCK: [], OURS: []}
    shared = create() if again else None
    if shared:
        measure(project, OURS, shared)
    for number in range(rounds):
        for arguments in (STOCK, OURS) if number % 2 else (OURS, STOCK):
            database = shared or create()
            costs[arguments].append(measure(project, arguments, database))
            if not shared:
                database.drop()
    if shared:
        shared.drop()
    return Comparison(name, costs[STOCK], costs[OURS])


def measure_journal(project: Project, create: Callable[[], Database], stock: float) -> str:
    """The journal's share of a run from zero, durable commits included, as a sentence.

    Args:
        project: The project.
        create: Makes an empty database.
        stock: Seconds of Django's `migrate` from zero, start-up included.
    """
    database = create()
    try:
        env = {"BENCH_NAME": database.name}
        shown = project.manage("shell", "-c", JOURNAL_SHARE, check=True, env=env, timeout=1200)
    finally:
        database.drop()
    seconds, calls = said(shown.stdout, "JOURNAL"), said(shown.stdout, "CALLS")
    return (
        f"The journal in a run from zero: {seconds:.2f} s in {calls:.0f} calls,"
        f" {seconds / stock:.1%} of `migrate`"
    )


def said(output: str, word: str) -> float:
    """The number that a script printed after a word."""
    line = next(line for line in output.splitlines() if line.startswith(word))
    return float(line.split()[1])


def generate(
    root: Path, database: Database, *, models: int, apps: int, history: bool = True
) -> Project:
    """A generated project whose database is chosen by the environment."""
    project = write_generated_project(
        root, settings=database.settings(), models=models, apps=apps, history=history
    )
    with (root / "config/settings.py").open("a") as settings:
        settings.write(
            'import os\nDATABASES["default"]["NAME"] = '
            'os.environ.get("BENCH_NAME", DATABASES["default"]["NAME"])\n'
        )
    return project


def measure_catalog(directory: Path, server: PostgresServer, tables: int) -> Iterator[str]:
    """On a migrated database of that many models: the queries of one `Migrator.check()`, and
    what reading the whole catalog costs beside Django's introspection.
    """
    database = server.create_database("bench")
    try:
        project = generate(
            directory / f"count{tables}",
            database,
            models=tables,
            apps=max(1, tables // 10),  # small apps: Django renders less per step
            history=False,
        )
        project.manage(*STOCK, check=True, timeout=1200)
        shown = project.manage("shell", "-c", COUNT_QUERIES, check=True, timeout=1200)
        yield f"Queries of a check with {tables:,} models: {said(shown.stdout, 'QUERIES'):.0f}"
        shown = project.manage("shell", "-c", READ_CATALOG, check=True, timeout=1200)
        yield catalog_line(shown.stdout, tables)
    finally:
        database.drop()


@contextmanager
def postgres() -> Iterator[PostgresServer]:
    """The server of MIGRATOR_TEST_POSTGRES_URL, or an embedded one that keeps fsync on."""
    url = os.environ.get(servers.POSTGRES_URL)
    if url:
        yield PostgresServer(
            servers.Address.parse(url, port=5432, maintenance="postgres"),
        )
        return
    with servers.embedded_postgres(durable=True) as server:
        yield server


def catalog_line(shown: str, models: int) -> str:
    """What READ_CATALOG printed, as a sentence."""
    ours, django = said(shown, "OURS"), said(shown, "DJANGO")
    return (
        f"The catalog of {models:,} models: {ours:.2f} s with {said(shown, 'QUERIES'):.0f} queries;"
        f" Django's introspection, table by table: {django:.2f} s, {django / ours:.0f} times that"
    )


def judge_lint() -> list[str]:
    """The four figures on each vendor; a process of its own, since Django is set up otherwise."""
    command = [sys.executable, "-m", "tests.corpus"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    return shown.stdout.splitlines() or shown.stderr.splitlines()[-1:]


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="pairs from zero")
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--apps", type=int, default=10)
    parser.add_argument("--tables", type=int, nargs="*", default=[10, 1000], help="query counts")
    parser.add_argument("--commits", type=int, default=200, help="journal commits")
    options = parser.parse_args()
    console = Console(width=112)
    table = Table(
        title=f"{options.models} models in {options.apps} apps, {options.rounds} rounds:"
        " seconds, minimum / median"
    )
    table.add_column("")
    for head in ("migrate", "migrate_all", "ratio", "CPU migrate", "CPU migrate_all", "ratio"):
        table.add_column(head, justify="right")
    with tempfile.TemporaryDirectory(prefix="migrator-bench-") as name, postgres() as server:
        directory = Path(name)
        shares: list[str] = []
        vendors: dict[str, Callable[[], Database]] = {
            "PostgreSQL": lambda: server.create_database("bench"),
            "SQLite": lambda: SQLiteServer(directory).create_database("bench"),
        }
        for vendor, create in vendors.items():
            project = generate(
                directory / vendor, create(), models=options.models, apps=options.apps
            )
            for title, again in (("from zero", False), ("nothing to do", True)):
                rounds = options.rounds * (2 if again else 1)
                compared = compare(
                    f"{vendor}, {title}", project, create, rounds=rounds, again=again
                )
                table.add_row(*compared.row())
                if not again:
                    stock = statistics.median(cost.wall for cost in compared.stock)
                    shares.append(f"{vendor}. {measure_journal(project, create, stock)}")
        console.print(table)
        for line in shares:
            console.print(line)
        for tables in options.tables:
            for line in measure_catalog(directory, server, tables):
                console.print(line)
        commits = JOURNAL_COMMITS.format(count=options.commits)
        shown = project.manage("shell", "-c", commits, check=True)
        milliseconds = said(shown.stdout, "SECONDS") / options.commits * 1000
        console.print(f"A journal commit (SQLite, durable): {milliseconds:.2f} ms")
        console.print("The lint, judged by migrations that were labelled by measuring them:")
        for line in judge_lint():
            console.print(f"  {line}")


if __name__ == "__main__":
    main()
