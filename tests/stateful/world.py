"""One project, its database and its journal: what the state machine does to them.

Commands run in forks of the zygote, the way they run in production; everything else goes past
the product, straight to the database.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from journal import JournalUnreachable, open_journal
from tests.projects import Project
from tests.servers import Database, PostgresDatabase, SQLiteDatabase
from tests.zygote import Ended, Zygote

COMMAND = ("migrate_all", "--non-interactive", "--skip-makemigrations")
EXPECTED = {0, 1, 3}
"""Exit codes that a run may have here: nobody else holds a lock or interrupts it."""

MODELS = """\
from django.db import models


class Owner(models.Model):
    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=50, db_default="")


class Pet(models.Model):
    id = models.BigAutoField(primary_key=True)
    owner = models.ForeignKey(Owner, models.CASCADE)
    age = models.IntegerField(db_default=0)
    nick = models.CharField(max_length=30, db_default="", db_index=True)
"""
OWNER = """\
class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Owner",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=50, db_default="")),
            ],
        ),
    ]
"""
PET = """\
class Migration(migrations.Migration):
    dependencies = [("pets", "0001_owner")]
    operations = [
        migrations.CreateModel(
            "Pet",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("owner", models.ForeignKey("pets.owner", models.CASCADE)),
            ],
        ),
    ]
"""
# Would show if it ran twice: each row that it meets counts up.
SEED = """\
def seed(apps, schema_editor):
    using = schema_editor.connection.alias
    Tally = apps.get_model("tally", "Tally").objects.using(using)
    Tally.create(what="seed")
    apps.get_model("pets", "Owner").objects.using(using).create(name="seeded")


class Migration(migrations.Migration):
    dependencies = [("pets", "0002_pet"), ("tally", "0001_initial")]
    operations = [
        migrations.AddField("Pet", "age", models.IntegerField(db_default=0)),
        migrations.RunPython(seed, migrations.RunPython.noop),
    ]
"""
NICK = """\
class Migration(migrations.Migration):
    dependencies = [("pets", "0003_seed")]
    operations = [
        migrations.AddField(
            "Pet", "nick", models.CharField(max_length=30, db_default="", db_index=True)
        ),
    ]
"""
TALLY = """\
from django.db import models


class Tally(models.Model):
    id = models.BigAutoField(primary_key=True)
    what = models.CharField(max_length=20)
"""
TALLY_INITIAL = """\
class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Tally",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("what", models.CharField(max_length=20)),
            ],
        ),
    ]
"""
APPS = {
    "pets": {
        "models": MODELS,
        "migrations": {
            "0001_owner": OWNER,
            "0002_pet": PET,
            "0003_seed": SEED,
            "0004_nick": NICK,
        },
    },
    "tally": {"models": TALLY, "migrations": {"0001_initial": TALLY_INITIAL}},
}
TABLES = ("pets_owner", "pets_pet", "tally_tally")


@dataclass
class World:
    """A project at work.

    Attributes:
        touched: Whether somebody has changed schema, history or data past the migrations since
            the database was last whole: then rows may be gone, and code may have run twice.
        dumps: Older states of the database that can be put back.
    """

    zygote: Zygote
    project: Project
    database: Database
    directory: Path
    touched: bool = False
    rewound: bool = False
    boundaries: int = 60
    dumps: list[Path] = field(default_factory=list)
    history: list[str] = field(default_factory=list)

    # -- commands -------------------------------------------------------------

    def run(self, *words: str, kill_at: int = 0) -> Ended:
        """A run of ours; it may fail, never unexpectedly."""
        ended = self.zygote.run(self.project, *COMMAND, *words, kill_at=kill_at)
        self.history.append(f"{' '.join(words) or 'run'} kill_at={kill_at} -> {ended.code}")
        if not ended.killed:
            self.boundaries = max(len(ended.crossed), 20)
            known = EXPECTED | ({2} if "--resume" in words else set())
            assert ended.code in known, self.say(ended)
            assert "Traceback" not in ended.output, self.say(ended)
        return ended

    def stock(self, *words: str) -> Ended:
        """Stock Django's migrate."""
        ended = self.zygote.run(self.project, "migrate", "--no-input", *words)
        self.history.append(f"migrate {' '.join(words)} -> {ended.code}")
        return ended

    def say(self, ended: Ended) -> str:
        """What led to it."""
        return "\n".join([*self.history, str(ended)])

    # -- past the product --------------------------------------------------------

    def execute(self, sql: str) -> bool:
        """Foreign SQL; whether it fitted."""
        try:
            self.database.execute(sql)
        except Exception:
            return False
        self.history.append(sql)
        return True

    def tables(self) -> set[str]:
        """The names of all tables."""
        if self.database.vendor == "sqlite":
            sql = "SELECT name FROM sqlite_master WHERE type = 'table'"
        else:
            sql = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        return {name for (name,) in self.database.query(sql)}

    def recorded(self) -> list[tuple[str, str]]:
        """The rows of django_migrations."""
        if "django_migrations" not in self.tables():
            return []
        rows = self.database.query("SELECT app, name FROM django_migrations ORDER BY id")
        return [(str(app), str(name)) for app, name in rows]

    def rows(self) -> dict[str, int]:
        """How many rows each table of ours has."""
        present = self.tables()
        return {
            table: self.database.query(f"SELECT count(*) FROM {table}")[0][0]
            for table in TABLES
            if table in present
        }

    def picture(self) -> str:
        """Everything that is there."""
        return self.database.dump(schema_only=False)

    def save(self) -> None:
        """Keep the database as it is now."""
        path = self.directory / f"dump{len(self.dumps)}"
        if isinstance(self.database, SQLiteDatabase):
            if not self.database.path.exists():
                return
            shutil.copyfile(self.database.path, path)
        else:
            path.write_text(self.picture())
        self.dumps.append(path)
        self.history.append(f"saved {path.name}")

    def restore(self, path: Path) -> None:
        """Put an older state back."""
        if isinstance(self.database, SQLiteDatabase):
            shutil.copyfile(path, self.database.path)
        else:
            assert isinstance(self.database, PostgresDatabase)
            self.database.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            restore_dump(self.database, path)
        self.history.append(f"restored {path.name}")

    def lose_journal(self) -> None:
        """It is gone."""
        for path in self.project.root.glob("migrator_journal.sqlite3*"):
            path.unlink()
        self.history.append("journal lost")

    # -- what is looked at ---------------------------------------------------------

    def journal(self) -> Any:
        """Open for reading; None when there is none, or only an empty file as yet."""
        try:
            return open_journal(self.project.journal_url, create=False)
        except JournalUnreachable as error:
            if "There is no journal" not in error.message:
                raise
            return None

    def boundary(self, share: float) -> int:
        """A boundary of the next run, by its share of the last one's."""
        return max(1, round(share * self.boundaries))

    def populate(self) -> None:
        """Rows of the application's own."""
        self.execute("INSERT INTO pets_owner (name) VALUES ('row')")


def restore_dump(database: PostgresDatabase, path: Path) -> None:
    """Play a plain dump back."""
    import subprocess

    address = database.server.address
    subprocess.run(
        [
            str(database.server.tool("psql")),
            "-qX",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            address.host,
            "-p",
            str(address.port),
            "-U",
            address.user,
            "-f",
            str(path),
            database.name,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
