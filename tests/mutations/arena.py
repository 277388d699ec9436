"""One migrated database with rows in it, to be harmed, looked at, mended and put back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from journal import MemoryJournal, Target
from migrator.backends import backend_for
from migrator.conf import load_settings
from migrator.core.drift import ScanFacts, classify
from migrator.core.incidents import Incident
from migrator.core.lifecycle import Goal
from migrator.core.options import MigratorOptions
from migrator.core.schema import Schema
from migrator.ledger import Ledger
from migrator.phases import repair
from migrator.phases.context import Context, Survey
from migrator.prompts import Prompter
from migrator.scanner import ScanResult, scan_target
from tests.mutations.dialects import DIALECTS
from tests.mutations.mutations import HISTORY, Mutation
from tests.servers import Database, PostgresDatabase

Rows = dict[str, list[tuple[Any, ...]]]


class NotPossible(Exception):
    """The server does not let this harm be done."""


class Arena:
    """The healthy database, and how it is made healthy again."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.vendor: str = connection.vendor
        self.backend = backend_for(self.vendor)
        call_command("migrate", verbosity=0, interactive=False)
        fill()
        self.dialect = DIALECTS[self.vendor](self.query)
        self.scan = self.scanned()
        self.live = self.scan.live
        self.history = self.recorded()
        self.rows = self.all_rows(self.live)
        self._sources = self._table_sources()
        if self.vendor == "sqlite":
            connection.close()
            self._copy = Path(f"{database.name}.healthy")
            shutil.copy(database.name, self._copy)

    # -- looking -----------------------------------------------------------------------

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of one statement."""
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def scanned(self) -> ScanResult:
        """A whole scan, with state alone."""
        return scan_target(
            connection, self.backend, alias="default", phase="scan", emit=lambda event: None
        )

    def look(self, mutation: Mutation) -> ScanResult:
        """What a scan finds now; what cannot have changed is not computed again."""
        if mutation.table == HISTORY or mutation.kind == "sequence behind":
            return self.scanned()
        live = self.backend.inspect(connection)
        facts = replace(self.scan.facts, live=live)
        return replace(self.scan, facts=facts, incidents=classify(facts))

    def proved(self, scan: ScanResult) -> ScanResult:
        """The same with the healthy schema as evidence."""
        facts = with_snapshot(scan.facts, self.live)
        return replace(scan, facts=facts, incidents=classify(facts))

    def recorded(self) -> list[tuple[str, str]]:
        """The rows of the history, duplicates included, in a fixed order."""
        rows = self.query(f"SELECT app, name FROM {HISTORY} ORDER BY app, name")
        return [(str(app), str(name)) for app, name in rows]

    def all_rows(self, schema: Schema) -> Rows:
        """Every row of every table of the project, as far as its columns are in the schema."""
        found: Rows = {}
        for key in self.scan.facts.expected.tables:
            table = schema.tables.get(key)
            if table is None:
                continue
            names = [self.dialect.quote(c.name) for c in table.columns if c.name != "stray"]
            rows = self.query(f"SELECT {', '.join(names)} FROM {self.dialect.table(key)}")
            found[key] = sorted(rows, key=repr)
        return found

    # -- harming -----------------------------------------------------------------------

    @contextmanager
    def harmed(self, mutation: Mutation, *, committed: bool = False) -> Iterator[None]:
        """Do one harm, and undo it.

        Raises:
            NotPossible: The server refuses.
        """
        if self.vendor == "postgresql" and not committed:
            with transaction.atomic():
                self._do(mutation)
                try:
                    yield
                finally:
                    transaction.set_rollback(True)
        elif self.vendor == "postgresql":
            with self._branched():
                self._do(mutation)
                yield
        else:
            try:
                self._do(mutation)
                yield
            finally:
                self._restore()

    def _do(self, mutation: Mutation) -> None:
        try:
            with connection.cursor() as cursor:
                for statement in mutation.sql:
                    cursor.execute(statement.replace("%", "%%"), [])
        except Exception as error:
            raise NotPossible(f"{mutation}: {error}") from error

    @contextmanager
    def _branched(self) -> Iterator[None]:
        """A copy of the healthy database, for a repair that commits."""
        assert isinstance(self.database, PostgresDatabase)
        name = f"{self.database.name}_copy"
        connection.close()
        with self.database.server.connect() as server:
            server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{self.database.name}"')  # type: ignore[call-overload]
            connection.settings_dict["NAME"] = name
            try:
                yield
            finally:
                connection.close()
                connection.settings_dict["NAME"] = self.database.name
                server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # type: ignore[call-overload]

    def _restore(self) -> None:
        if self.vendor == "sqlite":
            connection.close()
            shutil.copy(self._copy, self.database.name)
            return
        now = self._table_sources()
        with connection.cursor() as cursor:
            cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
            for name in now:
                if now[name] != self._sources.get(name):
                    cursor.execute(f"DROP TABLE `{name}`")
            for name, source in self._sources.items():
                if now.get(name) != source:
                    cursor.execute(source.replace("%", "%%"), [])
                    self._refill(cursor, name)
                elif name in self.rows and self._rows_of(name) != self.rows[name]:
                    cursor.execute(f"DELETE FROM `{name}`")  # made again empty, or with other rows
                    self._refill(cursor, name)
                elif name == HISTORY and self.recorded() != self.history:
                    cursor.execute(f"DELETE FROM {HISTORY}")
                    cursor.executemany(
                        f"INSERT INTO {HISTORY} (app, name, applied) VALUES (%s, %s, now())",
                        self.history,
                    )
            cursor.execute("SET FOREIGN_KEY_CHECKS = 1")

    def _rows_of(self, name: str) -> list[tuple[Any, ...]]:
        names = ", ".join(f"`{column.name}`" for column in self.live.tables[name].columns)
        return sorted(self.query(f"SELECT {names} FROM `{name}`"), key=repr)

    def _refill(self, cursor: Any, name: str) -> None:
        table = self.live.tables[name]
        kept = [i for i, column in enumerate(table.columns) if column.generated is None]
        names = ", ".join(f"`{table.columns[i].name}`" for i in kept)
        marks = ", ".join("%s" for _ in kept)
        for row in self.rows.get(name, ()):
            cursor.execute(
                f"INSERT INTO `{name}` ({names}) VALUES ({marks})", [row[i] for i in kept]
            )

    def _table_sources(self) -> dict[str, str]:
        if self.vendor != "mysql":
            return {}
        names = [str(row[0]) for row in self.query("SHOW TABLES")]
        found = {}
        for name in names:
            source = str(self.query(f"SHOW CREATE TABLE `{name}`")[0][1])
            found[name] = "\n".join(
                line.partition(" AUTO_INCREMENT=")[0] if line.startswith(")") else line
                for line in source.splitlines()
            )
        return found

    # -- mending ------------------------------------------------------------------------

    def mend(self, scan: ScanResult) -> None:
        """`--repair`, then what became pending by it.

        Raises:
            MigratorError: It refuses, asks, or fails.
        """
        journal = MemoryJournal()
        run = journal.open_run(
            kind="repair",
            goal="verified",
            options={},
            actor={},
            targets=[Target(run_id="", alias="default")],
        )
        context = Context(
            survey=Survey("default", connection, self.backend),
            settings=load_settings(),
            options=MigratorOptions(repair=True),
            emit=lambda event: None,
            prompter=Prompter(["--repair"]),
            ledger=Ledger(
                journal, run.id, "default", journal.claim(run.id, "default"), Goal.VERIFIED
            ),
            backend=self.backend,
            scan=scan,
        )
        inside = transaction.atomic() if connection.in_atomic_block else nullcontext()
        with inside:  # a query that fails spoils no more than this
            repair.run(context)
        if context.scan is not None and context.scan.pending:
            executor = MigrationExecutor(connection)
            executor.migrate(executor.loader.graph.leaf_nodes())


def with_snapshot(facts: ScanFacts, schema: Schema) -> ScanFacts:
    """The facts with the schema of a verified run beside them."""
    from migrator.core.reference import Reference

    assert "references" in {field.name for field in fields(ScanFacts)}
    return replace(facts, references=(Reference(schema),))


def news(incidents: tuple[Incident, ...], before: tuple[Incident, ...]) -> list[Incident]:
    """Incidents that were not there before."""
    known = {(i.code, i.object, i.blocking) for i in before}
    return [i for i in incidents if (i.code, i.object, i.blocking) not in known]


def fill() -> None:
    """A few rows in each table that a mutation might harm."""
    import datetime
    import uuid

    from accounts.models import User
    from library.models import Author, Book, Credit, Tag
    from museum.models import Card, Label, Painting, Room, Ticket, Visit
    from shop.models import Customer, Order, Product

    users = [User.objects.create(username=f"user{n}", nickname=f"n{n}") for n in range(3)]
    rooms = [Room.objects.create(number=n, name=f"Room {n}") for n in range(1, 4)]
    labels = [Label.objects.create(text=f"label {n}", position=n) for n in range(3)]
    for number in range(3):
        painting = Painting.objects.create(
            code=f"c{number}",
            title=f"Title {number}",
            slug=f"slug-{number}",
            room=rooms[number],
            width=10 + number,
            height=number + 3,
            value=number,
            weight=1.5,
            made=datetime.date(1900, 1, 1 + number),
            opens=datetime.time(9, number),
            tour=datetime.timedelta(minutes=number),
            facts={"number": number},
            token=uuid.UUID(int=number),
            photo=b"x",
            painter="Anna",
        )
        painting.labels.add(labels[number])
        Card.objects.create(exhibit=painting.exhibit_ptr)
        visit = Visit.objects.create(exhibit=painting.exhibit_ptr)
        Ticket.objects.create(visit=visit, visitor=users[number], price=3)
        author = Author.objects.create(full_name=f"Author {number}")
        book = Book.objects.create(title=f"Book {number}", isbn=str(number), author=author)
        book.tags.add(Tag.objects.create(label=f"tag{number}"))
        Credit.objects.create(book=book, author=author, role="editor")
        product = Product.objects.create(name=f"p{number}", sku=f"s{number}", price=5)
        customer = Customer.objects.create(user=users[number])
        Order.objects.create(customer=customer, product=product, unit_price=5)
