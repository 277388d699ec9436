"""`make bench`: prints ours beside Django's, as ratios, in one run; asserts no time.

Every figure comes from alternating runs of whole commands in subprocesses, start-up of the
interpreter and of Django included, since that is what a deploy waits for. The order within a
pair alternates too, so that neither always finds the caches warm; ratios are those of a pair,
whose two runs had the same neighbours on the machine. Byte code is kept, as it is where software
is installed: without it the package would be compiled anew in each run, and Django not.
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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests import servers
from tests.bench.generated import write_generated_project
from tests.projects import Project
from tests.servers import Database, PostgresServer, SQLiteServer

TIMEOUT = 1200
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
ours()  # what a session learns of the catalog, it keeps
for _ in range(3):
    for name, work in (("DJANGO", table_by_table), ("OURS", ours)):
        began = time.perf_counter()
        work()
        print(name, time.perf_counter() - began)
connection.force_debug_cursor = True
connection.queries_log.clear()
ours()
queries = [q for q in connection.queries_log if q["sql"] not in ("BEGIN", "ROLLBACK", "COMMIT")]
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
began = time.perf_counter(), time.process_time()
import journal
from journal.store import SqlJournal
loaded = time.perf_counter() - began[0], time.process_time() - began[1]
from migrator import Migrator, MigratorOptions
wall, processor, depth, calls = 0.0, 0.0, 0, 0
def timed(method):
    def call(*args, **kwargs):
        global wall, processor, depth, calls
        began, depth = (time.perf_counter(), time.process_time()), depth + 1
        try:
            return method(*args, **kwargs)
        finally:
            depth -= 1
            if not depth:
                wall, calls = wall + time.perf_counter() - began[0], calls + 1
                processor += time.process_time() - began[1]
    return call
for name, method in list(vars(SqlJournal).items()):
    if callable(method) and (name == "__init__" or not name.startswith("_")):
        setattr(SqlJournal, name, timed(method))
report = Migrator(options=MigratorOptions(interactive=False, verbosity=0)).migrate_all()
assert report.all_clean, report
print("WALL", wall)
print("PROCESSOR", processor)
print("LOADED_WALL", loaded[0])
print("LOADED_PROCESSOR", loaded[1])
print("CALLS", calls)
"""
"""A run from zero, and what of it is spent in the journal: opened, written, read, closed; and
what loading its code takes, SQLAlchemy most of all.
"""


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

    def rows(self) -> Iterator[Row]:
        """Two lines of the table: time on the wall, and processor time."""
        for kind, title in (("wall", self.name), ("processor", "  processor time")):
            stock = [getattr(cost, kind) for cost in self.stock]
            ours = [getattr(cost, kind) for cost in self.ours]
            ratios = [ours / stock for stock, ours in zip(stock, ours, strict=True)]
            yield Row.of(title, stock, ours, ratios)


@dataclass(frozen=True)
class Row:
    """A line of the table, put into words.

    Attributes:
        name: What was measured.
        django, ours: Seconds, the median.
        ratio: Ours by Django's: minimum, median and maximum.
    """

    name: str
    django: str
    ours: str
    ratio: tuple[str, ...]

    @classmethod
    def of(
        cls, name: str, django: Sequence[float], ours: Sequence[float], ratios: Sequence[float]
    ) -> Row:
        """Put figures into words."""
        told = (min(ratios), statistics.median(ratios), max(ratios))
        return cls(
            name,
            f"{statistics.median(django):.2f}",
            f"{statistics.median(ours):.2f}",
            tuple(f"{ratio:.3f}" if told[0] < 0.1 else f"{ratio:.2f}" for ratio in told),
        )


def measure(project: Project, arguments: tuple[str, ...], database: Database) -> Cost:
    """What one command costs."""
    before, began = processor_seconds(), time.perf_counter()
    project.manage(*arguments, check=True, env={"BENCH_NAME": database.name}, timeout=TIMEOUT)
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
    shared = create()
    for arguments in (STOCK, OURS):  # the first of each compiles what it imports
        measure(project, arguments, shared)
    if not again:
        shared.drop()
    for number in range(rounds):
        for arguments in (STOCK, OURS) if number % 2 else (OURS, STOCK):
            database = shared if again else create()
            costs[arguments].append(measure(project, arguments, database))
            if not again:
                database.drop()
    if again:
        shared.drop()
    return Comparison(name, costs[STOCK], costs[OURS])


def measure_journal(
    project: Project, create: Callable[[], Database], stock: Sequence[Cost], rounds: int
) -> Iterator[Row]:
    """The journal's share of a run from zero, durable commits included.

    Args:
        project: The project.
        create: Makes an empty database.
        stock: What Django's `migrate` costs from zero, start-up included.
        rounds: How many runs.
    """
    shown = []
    for _ in range(rounds):
        database = create()
        try:
            env = {"BENCH_NAME": database.name}
            run = project.manage("shell", "-c", JOURNAL_SHARE, check=True, env=env, timeout=TIMEOUT)
        finally:
            database.drop()
        shown.append(run.stdout)
    calls = said(shown[0], "CALLS")
    for kind, title in (
        ("wall", f"  the journal in it, {calls:.0f} calls"),
        ("processor", "    processor time"),
    ):
        base = [getattr(cost, kind) for cost in stock]
        spent = [said(text, kind.upper()) for text in shown]
        yield Row.of(title, base, spent, [each / statistics.median(base) for each in spent])
    base = [cost.wall for cost in stock]
    loaded = [said(text, "LOADED_WALL") for text in shown]
    ratios = [each / statistics.median(base) for each in loaded]
    yield Row.of("  loading the journal's code", base, loaded, ratios)


def said(output: str, word: str) -> float:
    """The number that a script printed after a word."""
    return all_said(output, word)[0]


def all_said(output: str, word: str) -> list[float]:
    """The numbers that a script printed after a word, line by line."""
    lines = [line.split() for line in output.splitlines()]
    return [float(words[1]) for words in lines if len(words) == 2 and words[0] == word]


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


def measure_catalog(directory: Path, server: PostgresServer, tables: int) -> tuple[Row, int]:
    """On a migrated database of that many models: what reading the whole catalog costs beside
    Django's introspection table by table, and the queries of one `Migrator.check()`.
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
        project.manage(*STOCK, check=True, timeout=TIMEOUT)
        shown = project.manage("shell", "-c", COUNT_QUERIES, check=True, timeout=TIMEOUT)
        checked = int(said(shown.stdout, "QUERIES"))
        shown = project.manage("shell", "-c", READ_CATALOG, check=True, timeout=TIMEOUT)
        django, ours = all_said(shown.stdout, "DJANGO"), all_said(shown.stdout, "OURS")
        queries = said(shown.stdout, "QUERIES")
        name = f"The catalog of {tables:,} models, {queries:.0f} queries"
        ratios = [one / other for one, other in zip(ours, django, strict=True)]
        return Row.of(name, django, ours, ratios), checked
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


def keep_byte_code(directory: Path) -> None:
    """Let every command from here on write its byte code, and find it again."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(directory)


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
        " median seconds; ratios as minimum, median, maximum"
    )
    table.add_column("")
    for head in ("Django", "here", "min", "ratio", "max"):
        table.add_column(head, justify="right")

    def show(rows: Iterable[Row]) -> None:
        for row in rows:
            table.add_row(row.name, row.django, row.ours, *row.ratio)

    with tempfile.TemporaryDirectory(prefix="migrator-bench-") as name, postgres() as server:
        directory = Path(name)
        keep_byte_code(directory / "byte-code")
        vendors: dict[str, Callable[[], Database]] = {
            "PostgreSQL": lambda: server.create_database("bench"),
            "SQLite": lambda: SQLiteServer(directory).create_database("bench"),
        }
        for vendor, create in vendors.items():
            sample = create()
            project = generate(directory / vendor, sample, models=options.models, apps=options.apps)
            sample.drop()
            for title, again in (("from zero", False), ("nothing to do", True)):
                rounds = options.rounds * (2 if again else 1)
                name = f"{vendor}, {title}"
                compared = compare(name, project, create, rounds=rounds, again=again)
                show(compared.rows())
                if not again:
                    show(measure_journal(project, create, compared.stock, options.rounds))
            table.add_section()
        checks = []
        for tables in options.tables:
            row, queries = measure_catalog(directory, server, tables)
            show([row])
            checks.append(f"{queries} with {tables:,} models")
        console.print(table)
        console.print(f"Queries of a check: {', '.join(checks)}")
        commits = JOURNAL_COMMITS.format(count=options.commits)
        shown = project.manage("shell", "-c", commits, check=True)
        milliseconds = said(shown.stdout, "SECONDS") / options.commits * 1000
        console.print(f"A journal commit (SQLite, durable): {milliseconds:.2f} ms")
        console.print("The lint, judged by migrations that were labelled by measuring them:")
        for line in judge_lint():
            console.print(f"  {line}")


if __name__ == "__main__":
    main()
