"""One vendor's walk: Django's own `migrate`, then ours in every kind of evidence."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from tests import servers
from tests.healthy.notes import Notes
from tests.servers import Address, Database

VENDORS = ("postgresql", "mysql", "sqlite")
GROUP = os.environ.get("HEALTHY_GROUP", "many")
"""What is walked: many small distributions on four databases, or one large one on its own."""
FAMILIES = ("cms", "djstripe", "hordak", "oscar", "wagtail")
ALIASES = ("default", "accounts", "content", "jobs") if GROUP == "many" else ("default",)
PROJECT = Path(__file__).parent / "project"
DEEP = {"postgresql": "jobs", "mysql": "jobs", "sqlite": "content"}
"""A replay runs every migration once more, which takes its time: one alias has to do."""
OURS = "accounts" if GROUP == "many" else "default"
"""The alias that migrate_all makes from zero as well."""


@dataclass
class Walk:
    """What was found so far."""

    vendor: str
    directory: Path
    databases: dict[str, Database]
    failures: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """One line of progress."""
        print(f"{self.vendor:10} {time.monotonic() - self.began:6.1f} s  {text}", flush=True)

    def fail(self, text: str) -> None:
        """One thing that is not as it should be."""
        self.failures.append(text)
        self.say(f"FAILED {text}")

    def journal(self, name: str) -> None:
        """Use a journal of this name from now on; a new one is empty."""
        os.environ["MIGRATOR_JOURNAL_URL"] = f"sqlite:///{self.directory / name}.sqlite3"

    def dumps(self, *, schema_only: bool = False) -> dict[str, str]:
        """Every database as text."""
        return {
            alias: database.dump(schema_only=schema_only)
            for alias, database in self.databases.items()
        }


def walk(vendor: str) -> int:
    """Migrate and scan the project on one vendor.

    Args:
        vendor: Django's vendor name.

    Returns:
        0 when no incident blocks, every note is known, and nothing was changed.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="healthy-")))
        server = stack.enter_context(_server(vendor, directory))
        databases = {alias: server.create_database(f"healthy_{alias}") for alias in ALIASES}
        for database in databases.values():
            stack.callback(database.drop)
        on_the_way = Walk(vendor, directory, databases)
        _load_project(databases)
        stack.callback(_close_connections)
        _count(on_the_way)
        _migrate_with_django(on_the_way)
        _scan_in_every_evidence(on_the_way)
        if vendor == "postgresql":
            _compare_with_migrate_all(on_the_way, stack, server)
    return 1 if on_the_way.failures else 0


def walk_there_and_back(vendor: str) -> int:
    """Take each migration of the project forwards, backwards and forwards again.

    Args:
        vendor: Django's vendor name.

    Returns:
        0 when every one that can be taken back leads to the schema from before.
    """
    from tests.healthy.back import tally, walk_back

    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="healthy-")))
        server = stack.enter_context(_server(vendor, directory))
        databases = {alias: server.create_database(f"healthy_{alias}") for alias in ALIASES}
        for database in databases.values():
            stack.callback(database.drop)
        on_the_way = Walk(vendor, directory, databases)
        _load_project(databases)
        stack.callback(_close_connections)
        _count(on_the_way)
        terminal, found = sys.stdout, []
        with redirect_stdout(sys.stderr):  # data migrations print what they like
            for each in walk_back(ALIASES):
                found.append(each)
                with redirect_stdout(terminal):
                    if each.verdict == "other":
                        on_the_way.fail(f"{each.migration} on {each.alias}: {each.detail}")
                    elif len(found) % 400 == 0:
                        on_the_way.say(f"{each.migration} on {each.alias} is {each.verdict}")
        for alias in ALIASES:
            told = tally(each for each in found if each.alias == alias)
            on_the_way.say(f"{alias}: {told}")
    return int(bool(on_the_way.failures))


def walk_along(vendor: str) -> int:
    """Look at each database in many places of its history, with the rest pending.

    Args:
        vendor: Django's vendor name.

    Returns:
        0 when nothing blocks anywhere.
    """
    from tests.healthy.halfway import walk_halfway

    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="healthy-")))
        server = stack.enter_context(_server(vendor, directory))
        databases = {alias: server.create_database(f"healthy_{alias}") for alias in ALIASES}
        for database in databases.values():
            stack.callback(database.drop)
        on_the_way = Walk(vendor, directory, databases)
        _load_project(databases)
        stack.callback(_close_connections)

        def tell(number: int, where: str, incidents: list[str]) -> None:
            with redirect_stdout(terminal):
                for incident in incidents:
                    on_the_way.fail(f"{where}: {incident}")
                if number % 20 == 0:
                    on_the_way.say(f"looked {number} times, last at {where}")

        terminal = sys.stdout
        with redirect_stdout(sys.stderr):  # data migrations print what they like
            walk_halfway(ALIASES, tell)
        on_the_way.say("went along the whole history")
    return int(bool(on_the_way.failures))


@contextmanager
def _server(vendor: str, directory: Path) -> Iterator[Any]:
    if vendor == "sqlite":
        yield servers.SQLiteServer(directory)
    elif vendor == "mysql":
        url = os.environ[servers.MYSQL_URL]
        yield servers.MySQLServer(Address.parse(url, port=3306, maintenance=""))
    elif url := os.environ.get(servers.POSTGRES_URL):
        yield servers.PostgresServer(Address.parse(url, port=5432, maintenance="postgres"))
    else:
        with servers.embedded_postgres() as server:
            yield server


def _load_project(databases: dict[str, Database]) -> None:
    import django

    entries = {alias: database.settings() for alias, database in databases.items()}
    os.environ["HEALTHY_DATABASES"] = json.dumps(entries, default=str)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    sys.path.insert(0, str(PROJECT))
    django.setup()


def _close_connections() -> None:
    from django.db import connections

    connections.close_all()


def _count(on_the_way: Walk) -> None:
    """How much there is: distributions, apps and migrations that the project brings."""
    from django.apps import apps

    from migrator.sources import load_disk

    disk = load_disk()
    configs = [c for c in apps.get_app_configs() if c.label in disk.migrated_apps]
    owners = packages_distributions()
    packages = {owners[top][0] for c in configs if (top := c.name.split(".")[0]) in owners}
    on_the_way.say(
        f"{len(packages - {'Django'})} distributions besides Django, "
        f"{len(configs)} apps with {len(disk.migrations)} migrations"
    )


def _migrate_with_django(on_the_way: Walk) -> None:
    from tests.healthy.stock import migrate_everywhere

    with redirect_stdout(sys.stderr):  # data migrations print what they like
        applied = migrate_everywhere(ALIASES)
    _close_connections()
    on_the_way.say(f"Django applied {applied} migrations to each database")


# -- scanning --------------------------------------------------------------------------


def _scan_in_every_evidence(on_the_way: Walk) -> None:
    before = on_the_way.dumps()
    notes = Notes(on_the_way.vendor)
    on_the_way.journal("first")
    _look(on_the_way, notes, "check, first contact", check=True)
    deep = DEEP[on_the_way.vendor] if GROUP == "many" else "default"
    _look(on_the_way, notes, f"check --deep {deep}", check=True, deep=True, databases=(deep,))
    on_the_way.journal("repaired")
    _look(on_the_way, notes, "repair, first contact", repair=True)
    _look(on_the_way, notes, "check, verified before", check=True)
    _look(on_the_way, notes, "repair, verified before", repair=True)
    for alias, dump in on_the_way.dumps().items():
        if dump != before[alias]:
            on_the_way.fail(f"{alias} is not what it was before the scans and repairs")
    for unused in notes.unused(GROUP):
        on_the_way.fail(f"a known note that nothing shows any more: {unused}")


def _look(on_the_way: Walk, notes: Notes, what: str, **options: Any) -> None:
    """One run of the tool: nothing may block, nothing may be applied, each note is known."""
    from migrator import Migrator, MigratorOptions

    report = Migrator(MigratorOptions(**options)).migrate_all()
    if report.exit_code:
        on_the_way.fail(f"{what}: exit {report.exit_code}")
    seen: Counter[str] = Counter()
    tables = 0
    for entry in report.db_reports:
        tables += entry.tables
        if entry.error:
            on_the_way.fail(f"{what}: {entry.alias}: {entry.error.message}")
        if entry.skipped:
            on_the_way.fail(f"{what}: {entry.alias} was skipped: {entry.skipped}")
        if entry.pending or entry.applied or entry.repairs:
            on_the_way.fail(f"{what}: {entry.alias} was not up to date")
        for incident in entry.drift.incidents if entry.drift else ():
            blocks = "blocks" if incident.blocking else "note"
            seen[f"{incident.code.value} {incident.evidence.value} {blocks}"] += 1
            where = f"{what}: {entry.alias}: {_spelled(incident)}"
            if incident.blocking:
                on_the_way.fail(where)
            elif not notes.know(incident):
                on_the_way.fail(f"unknown note: {where}")
    found = ", ".join(f"{count} {kind}" for kind, count in sorted(seen.items()))
    on_the_way.say(f"{what}: {tables} tables, {found or 'no incident'}")


def _spelled(incident: Any) -> str:
    return (
        f"{incident.code.value} ({incident.evidence.value}) {incident.object}: "
        f"expected {incident.expected or 'nothing'}, live {incident.live or 'nothing'} "
        f"[{incident.migration}] {incident.message}"
    )


# -- the same schema by both ways ---------------------------------------------------------


def _compare_with_migrate_all(on_the_way: Walk, stack: ExitStack, server: Any) -> None:
    """migrate_all from zero makes what Django's migrate makes, to the byte of the dump."""
    from django.db import connections

    from migrator import Migrator, MigratorOptions

    _close_connections()
    database = server.create_database("healthy_ours")
    stack.callback(database.drop)
    connections[OURS].settings_dict["NAME"] = database.name
    on_the_way.journal("ours")
    with redirect_stdout(sys.stderr):
        report = Migrator(MigratorOptions(databases=(OURS,))).migrate_all()
    (entry,) = report.db_reports
    on_the_way.say(f"migrate_all from zero: {OURS}: {len(entry.applied)} applied")
    if entry.error or report.exit_code:
        on_the_way.fail(f"migrate_all from zero: {entry.error}")
    if database.dump() != on_the_way.databases[OURS].dump():
        on_the_way.fail(f"{OURS}: migrate_all made another schema than Django")
    _close_connections()
