"""One vendor's databases and journal, and what is expected of them in the end."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from journal import JournalError, open_journal
from tests.sweep.boundaries import kill
from tests.sweep.places import Picture, Place, copied, differences
from tests.sweep.process import Ended, Forks, Strike

START = ("migrate_all", "--non-interactive", "--skip-makemigrations")
Pictures = Mapping[str, Picture]

# Of the journal, what two runs never have in common: times, hashes over times, and processes.
_PASSING = {
    "run": {"opened_at", "closed_at", "actor", "digest", "seal"},
    "target": {"updated_at", "head", "seal"},
    "entry": {"at", "seconds", "previous", "hash"},
    "snapshot": {"at"},
}
_PROCESS = re.compile(r'"(pid|started)":"?\d+"?')


@dataclass
class Journal:
    """The journal of the runs; a file, or a database of its own.

    Attributes:
        url: As the setting has it.
        path: Of the file; None when it is a database.
        place: The database; None when it is a file.
    """

    url: str
    path: Path | None = None
    place: Place | None = None

    def remove(self) -> None:
        """There is none any more."""
        if self.place is not None:
            self.place.empty()
        elif self.path is not None:
            for path in self.path.parent.glob(f"{self.path.name}*"):
                path.unlink(missing_ok=True)

    def lines(self, directory: Path) -> list[str]:
        """All that a file of it holds, without what two equal runs never have in common."""
        assert self.path is not None
        if not self.path.exists():
            return []
        lines: list[str] = []
        with closing(sqlite3.connect(copied(self.path, directory))) as connection:
            tables = connection.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name"
            ).fetchall()
            for table, sql in tables:
                lines.append(str(sql))
                cursor = connection.execute(f'SELECT * FROM "{table}" ORDER BY rowid')
                names = [column[0] for column in cursor.description]
                kept = [i for i, n in enumerate(names) if n not in _PASSING.get(table, set())]
                lines += [repr((table, *(row[i] for i in kept))) for row in cursor]
            runs = connection.execute("SELECT id FROM run ORDER BY rowid") if tables else []
            numbered = {str(name): f"run {n}" for n, (name,) in enumerate(runs)}
        text = _PROCESS.sub("", "\n".join(lines))
        for name, number in numbered.items():
            text = text.replace(name, number)
        return text.splitlines()

    def clear(self, template: Path) -> None:
        """There is an empty one: a file is copied, a database is left to the run itself."""
        self.remove()
        if self.path is not None:
            if not template.exists():
                open_journal(f"sqlite:///{template}").close()
            shutil.copyfile(template, self.path)


@dataclass
class World:
    """What an experiment works on.

    Attributes:
        vendor: Of the targets.
        places: Alias → database.
        journal: Where the runs are written down.
        forks: Runs the commands.
        directory: For files.
        expected: What an uninterrupted run of ours makes.
        expected_stock: What stock Django makes.
        expected_dumps: The schemas, as the vendor's own tool writes them.
        restart: Restarts the server of the targets; None when it is not ours to restart.
        distinct: Resume from each durable state once, however many kills leave it behind.
        settled: The states from which a run was resumed and converged.
        words: Added to each run of ours.
        prepare: What comes before each run; None when it begins with nothing.
        steady: Whether two runs cross the same boundaries.
        journaled: What has to be in the journal, as (alias, kind, name); None for every
            migration.
    """

    vendor: str
    places: Mapping[str, Place]
    journal: Journal
    forks: Forks
    directory: Path
    expected: Pictures = field(default_factory=dict)
    expected_stock: Pictures = field(default_factory=dict)
    expected_dumps: Mapping[str, str] = field(default_factory=dict)
    restart: Callable[[], None] | None = None
    distinct: bool = False
    settled: set[str] = field(default_factory=set)
    words: tuple[str, ...] = ()
    prepare: Callable[[], None] | None = None
    steady: bool = True
    journaled: frozenset[tuple[str, str, str]] | None = None

    @property
    def start(self) -> tuple[str, ...]:
        """The run of ours."""
        return (*START, *self.words)

    @property
    def stock(self) -> tuple[str, ...]:
        """Stock Django's: one command for each alias, in one process."""
        words: list[str] = []
        for alias in self.places:
            words += [";"] if words else []
            words += ["migrate", "--no-input", "--database", alias]
        return tuple(words)

    def reset(self, *, first_run: bool = False) -> None:
        """Empty everything.

        Args:
            first_run: There is not even a journal.
        """
        for place in self.places.values():
            place.empty()
        if first_run:
            self.journal.remove()
        else:
            self.journal.clear(self.directory / "empty.sqlite3")
        if self.prepare is not None:
            self.prepare()

    def run(self, *words: str, strike_at: int = 0, strike: Strike = kill) -> Ended:
        """A run of ours, with these words added."""
        return self.forks.run(*self.start, *words, strike_at=strike_at, strike=strike)

    def run_stock(self, *, strike_at: int = 0, strike: Strike = kill) -> Ended:
        """Stock Django's."""
        return self.forks.run(*self.stock, strike_at=strike_at, strike=strike)

    def pictures(self) -> Pictures:
        """All that is there now."""
        return {alias: place.picture() for alias, place in self.places.items()}

    def wait_until_alone(self) -> None:
        """Wait until no session of a killed process is left."""
        for place in self.places.values():
            place.wait_until_alone()

    def dumps(self) -> dict[str, str]:
        """The schemas as pg_dump, or its like, writes them."""
        return {alias: place.dump() for alias, place in self.places.items()}

    def compare(self, expected: Pictures) -> tuple[list[str], list[str]]:
        """What is there too often, and what is missing, on all aliases."""
        extra: list[str] = []
        missing: list[str] = []
        for alias, found in self.pictures().items():
            more, less = differences(expected[alias], found)
            extra += [f"{alias} {line}" for line in more]
            missing += [f"{alias} {line}" for line in less]
        return extra, missing

    def state(self) -> str:
        """A digest of all that outlives a killed process, once its sessions are gone.

        It holds every object and every row of the targets with its keys, and every row of the
        journal; only what a clock or a process id says is left out.
        """
        self.wait_until_alone()
        digest = hashlib.sha256()
        for alias, place in self.places.items():
            picture = place.untouched(self.directory).picture(whole=True)
            rows = [(table, sorted(found.items())) for table, found in sorted(picture.rows.items())]
            digest.update(repr((alias, picture.schema, rows)).encode())
        for line in self.journal.lines(self.directory):
            digest.update(line.encode())
        return digest.hexdigest()

    def has_run(self) -> bool:
        """Whether the journal holds a run."""
        with suppress(JournalError), open_journal(self.journal.url, create=False) as journal:
            return bool(journal.runs(limit=1))
        return False

    def faults_of_journal(self) -> list[str]:
        """What is wrong with the journal after a run that came to its end."""
        faults: list[str] = []
        with open_journal(self.journal.url, create=False) as journal:
            faults += [f"journal verify: {fault}" for fault in journal.verify()]
            faults += [
                f"journal check: run {run.id} {run.status}" for run in journal.incomplete_runs()
            ]
            phases: dict[tuple[str, str, str], set[str]] = {}
            for run in journal.runs():
                for entry in journal.entries(run.id):
                    if entry.kind in ("migration", "repair", "backup"):
                        key = entry.alias, entry.kind, entry.name
                        phases.setdefault(key, set()).add(str(entry.phase))
        if self.journaled is None and self.prepare is not None:
            self.journaled = frozenset(phases)  # of the run that nobody interrupts
        for alias, kind, name in sorted(self.journaled or self._every_migration()):
            found = phases.get((alias, kind, name), set())
            if "intent" not in found or not found & {"done", "reconciled"}:
                faults.append(f"{alias} {kind} {name}: journaled as {sorted(found)}")
        return faults

    def _every_migration(self) -> set[tuple[str, str, str]]:
        return {
            (alias, "migration", name)
            for alias, picture in self.expected.items()
            for name in self.applied(picture)
        }

    @staticmethod
    def applied(picture: Picture) -> list[str]:
        """The migrations that a run applies; rows of replaced ones come with their squash."""
        replaced = {"bank.0004_card", "bank.0005_card_expires"}
        return [name for name in picture.migrations() if name not in replaced]


def use_environment(places: Mapping[str, Place], journal: Journal) -> None:
    """Let the settings of the project find them."""
    import json

    os.environ["SWEEP_DATABASES"] = json.dumps({a: p.settings() for a, p in places.items()})
    os.environ["SWEEP_JOURNAL"] = journal.url
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    os.environ.pop("MIGRATOR_JOURNAL_URL", None)
