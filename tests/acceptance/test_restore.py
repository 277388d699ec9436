"""Backups as a user meets them: made before a migration, refused when altered, brought back."""

from __future__ import annotations

import json
import random
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.projects import Completed, Project, kill
from tests.servers import Database, PostgresDatabase, PostgresServer
from tests.zygote import Zygote

SHOP: dict[str, Any] = {
    "models": """
        from django.db import models


        class Item(models.Model):
            name = models.CharField(max_length=50)
    """,
    "migrations": {
        "0001_initial": """
            class Migration(migrations.Migration):
                initial = True
                operations = [
                    migrations.CreateModel(
                        "Item",
                        [
                            ("id", models.BigAutoField(primary_key=True)),
                            ("name", models.CharField(max_length=50)),
                            ("note", models.TextField(default="-")),
                        ],
                    ),
                ]
        """,
    },
}

DESTROYS = """
    class Migration(migrations.Migration):
        dependencies = [("shop", "0001_initial")]
        operations = [
            migrations.RemoveField("item", "note"),
            migrations.CreateModel("Later", [("id", models.BigAutoField(primary_key=True))]),
        ]
"""
DESTROYS_LATER = """
    import os

    from django.db import migrations, models


    def wait(apps, schema_editor):
        if os.path.exists("hold"):
            raise RuntimeError("not yet")


    class Migration(migrations.Migration):
        dependencies = [("shop", "0001_initial")]
        operations = [
            migrations.RemoveField("item", "note"),
            migrations.CreateModel("Later", [("id", models.BigAutoField(primary_key=True))]),
            migrations.RunPython(wait),
        ]
"""
LATER = """

class Later(models.Model):
    pass
"""

FAILS = """
    from django.db import migrations


    def fail(apps, schema_editor):
        raise RuntimeError("it fails")


    class Migration(migrations.Migration):
        dependencies = [("shop", "0002_destroys")]
        operations = [migrations.RunPython(fail)]
"""


@dataclass
class Quick(Project):
    """A project whose commands are forks of a process that has everything imported."""

    zygote: Zygote | None = None

    def manage(self, *args: str, **how: Any) -> Completed:
        return self._forked(args, **how)

    def migrator(self, *args: str, **how: Any) -> Completed:
        return self._forked(args, console=True, **how)

    def _forked(self, args: tuple[str, ...], *, check: bool = False, **how: Any) -> Completed:
        assert self.zygote is not None
        ended = self.zygote.run(self, *args, **how)
        completed = Completed(args, ended.code, ended.stdout, ended.stderr)
        assert not check or ended.code == 0, completed
        return completed


@pytest.fixture
def shop(make_project: Callable[..., Project], zygote: Zygote) -> Callable[..., Project]:
    """`shop(database, …)` → a project with one app, migrated, with rows in it."""

    def make(*databases: Database, extra: str = "") -> Project:
        aliases = ["default", *(f"other{n}" for n in range(1, len(databases)))]
        project = make_project(
            databases={
                alias: database.settings()
                for alias, database in zip(aliases, databases, strict=True)
            },
            apps={"shop": SHOP},
            installed=[],
            settings_extra=extra,
        )
        project = Quick(project.root, project.env, zygote)
        project.manage("migrate_all", "--skip-makemigrations", "--non-interactive", check=True)
        for database in databases:
            database.execute("INSERT INTO shop_item (name, note) VALUES ('one', 'n'), ('two', '')")
        return project

    return make


def evolve(project: Project, *more: str) -> None:
    """Add a migration that destroys, and others."""
    project.write_migration("shop", "0002_destroys", DESTROYS)
    models = project.root / "shop/models.py"
    models.write_text(models.read_text() + LATER)
    for number, source in enumerate(more, 3):
        project.write_migration("shop", f"{number:04}_more", source)


def migrate(project: Project, *arguments: str, **more: Any) -> Completed:
    return project.manage(
        "migrate_all", "--skip-makemigrations", "--non-interactive", *arguments, **more
    )


def backups(project: Project, alias: str = "default") -> list[Path]:
    place = project.root / "migrator_backups" / alias
    return sorted(path for path in place.glob("*") if path.suffix != ".json")


def facts_of(path: Path) -> Path:
    return path.with_name(path.name.partition(".")[0] + ".json")


def entries(project: Project, kind: str, run: str = "") -> list[dict[str, Any]]:
    arguments = [run] if run else []
    done = project.migrator("journal", "show", *arguments, "--format", "json", check=True)
    return [entry for entry in json.loads(done.stdout)["entries"] if entry["kind"] == kind]


# -- the whole way ---------------------------------------------------------------------------


def test_a_destructive_migration_is_backed_up_and_brought_back(
    shop: Callable[..., Project], database: Database
) -> None:
    project = shop(database)
    before = database.dump(schema_only=False)
    evolve(project)
    done = migrate(project, "--allow-destructive", "--format", "json")
    assert done.returncode == 0, done
    run = json.loads(done.stdout)["run_id"]
    (path,) = backups(project)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(facts_of(path).stat().st_mode) == 0o600
    facts = json.loads(facts_of(path).read_text())
    assert facts["run_id"] == run
    assert facts["recorded"] == ["shop.0001_initial"]
    intent, outcome = entries(project, "backup", run)
    assert (intent["phase"], outcome["phase"]) == ("intent", "done")
    assert intent["payload"]["path"] == outcome["payload"]["path"] == str(path)
    assert outcome["payload"]["digest"] == facts["sha256"]
    (migration,) = [e for e in entries(project, "migration", run) if e["phase"] == "intent"]
    assert outcome["seq"] < migration["seq"]

    asked = project.migrator("restore", run)
    assert asked.returncode == 3, asked
    assert "--yes" in asked.stderr
    assert "shop.0002_destroys" in asked.stderr
    assert "made" in asked.stderr
    assert str(database.settings()["NAME"]) in asked.stderr
    done = project.migrator("restore", run[:9], "--yes")
    assert done.returncode == 0, done
    assert "shop.0002_destroys" in done.stdout
    assert database.dump(schema_only=False) == before
    assert project.migrator("journal", "verify").returncode == 0
    assert project.migrator("journal", "check").returncode == 0

    again = migrate(project, "--allow-destructive")
    assert again.returncode == 0, again
    assert len(backups(project)) == 2


def test_what_destroys_nothing_is_not_backed_up(
    shop: Callable[..., Project], sqlite_database: Database
) -> None:
    project = shop(sqlite_database)
    assert backups(project) == []
    assert migrate(project, "--backup").returncode == 0
    assert backups(project) == []  # nothing is pending
    evolve(project)
    done = migrate(project, "--allow-destructive", "--no-backup")
    assert done.returncode == 0, done
    assert backups(project) == []


def test_a_run_that_was_restored_is_not_resumed(
    shop: Callable[..., Project], sqlite_database: Database
) -> None:
    project = shop(sqlite_database)
    evolve(project, FAILS)
    failed = migrate(project, "--allow-destructive", "--format", "json")
    assert failed.returncode == 1, failed
    run = json.loads(failed.stdout)["run_id"]
    assert project.migrator("restore", run, "--yes").returncode == 0
    for arguments in (["--resume"], ["--resume", "--dry-run"]):
        resumed = project.manage("migrate_all", "--non-interactive", *arguments)
        assert resumed.returncode == 1, resumed
        assert "was restored to the backup of run" in resumed.output
    (project.root / "shop/migrations/0003_more.py").unlink()
    fresh = migrate(project, "--allow-destructive")
    assert fresh.returncode == 0, fresh
    assert project.migrator("journal", "check").returncode == 0


def test_a_resumed_run_keeps_the_backup_from_before_its_first_migration(
    shop: Callable[..., Project], sqlite_database: Database
) -> None:
    project = shop(sqlite_database)
    evolve(project, FAILS)
    assert migrate(project, "--allow-destructive").returncode == 1
    (path,) = backups(project)
    made = (path.stat().st_mtime_ns, path.stat().st_ino)
    resumed = project.manage("migrate_all", "--resume", "--non-interactive", "--backup")
    assert resumed.returncode == 1, resumed
    assert backups(project) == [path]
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == made
    assert len([e for e in entries(project, "backup") if e["phase"] == "done"]) == 1
    made_at = json.loads(facts_of(path).read_text())["made_at"]
    assert f"The backup is that of {made_at[:19].replace('T', ' ')} UTC" in resumed.output


@pytest.mark.mysql
def test_without_transactional_ddl_a_resumed_run_says_how_old_its_backup_is(
    shop: Callable[..., Project], mysql_database: Database
) -> None:
    """The application went on writing after the operation that was kept."""
    project = shop(mysql_database)
    evolve(project)
    project.write("shop/migrations/0002_destroys.py", DESTROYS_LATER)
    project.write("hold", "")
    assert migrate(project, "--allow-destructive").returncode == 1
    (path,) = backups(project)
    made_at = json.loads(facts_of(path).read_text())["made_at"]
    (project.root / "hold").unlink()
    resumed = project.manage("migrate_all", "--resume", "--non-interactive", "--backup")
    assert resumed.returncode == 0, resumed
    assert backups(project) == [path]
    assert f"The backup is that of {made_at[:19].replace('T', ' ')} UTC" in resumed.output
    assert "what has been written since is not in it" in " ".join(resumed.output.split())


@pytest.mark.mysql
def test_without_transactional_ddl_what_left_nothing_is_backed_up_anew(
    shop: Callable[..., Project], mysql_database: Database
) -> None:
    project = shop(mysql_database)
    evolve(project)
    waits_first = DESTROYS_LATER.replace(
        "operations = [", "operations = [migrations.RunPython(wait),", 1
    )
    project.write("shop/migrations/0002_destroys.py", waits_first)
    project.write("hold", "")
    assert migrate(project, "--allow-destructive").returncode == 1
    mysql_database.execute("INSERT INTO shop_item (name, note) VALUES ('young', 'n')")
    before = mysql_database.dump(schema_only=False)
    (project.root / "hold").unlink()
    resumed = project.manage("migrate_all", "--resume", "--non-interactive")
    assert resumed.returncode == 0, resumed
    assert "The backup is that of" not in resumed.output
    (path,) = backups(project)
    assert project.migrator("restore", path.name.partition(".")[0], "--yes").returncode == 0
    assert mysql_database.dump(schema_only=False) == before


def test_a_run_that_had_changed_nothing_makes_its_backup_anew(
    shop: Callable[..., Project], sqlite_database: Database
) -> None:
    """Its only attempt was rolled back, and the application went on writing meanwhile."""
    project = shop(sqlite_database)
    evolve(project)
    project.write("shop/migrations/0002_destroys.py", DESTROYS_LATER)
    project.write("hold", "")
    assert migrate(project, "--allow-destructive").returncode == 1
    sqlite_database.execute("INSERT INTO shop_item (name, note) VALUES ('young', 'n')")
    before = sqlite_database.dump(schema_only=False)
    (project.root / "hold").unlink()
    resumed = project.manage("migrate_all", "--resume", "--non-interactive")
    assert resumed.returncode == 0, resumed
    (path,) = backups(project)
    assert project.migrator("restore", path.stem, "--yes").returncode == 0
    assert sqlite_database.dump(schema_only=False) == before


def test_into_another_database(shop: Callable[..., Project], database: Database) -> None:
    project = shop(database)
    expected = database.dump(schema_only=False)
    run = project.migrator("backup", check=True).stdout.split()[-1]
    database.execute("DELETE FROM shop_item")
    before = database.dump(schema_only=False)
    other = f"{database.name}_copy"
    done = project.migrator("restore", run, "--into", other, "--yes", "--format", "json")
    try:
        assert done.returncode == 0, done
        document = json.loads(done.stdout)
        assert document["into"] == other
        assert not document["same_database"]
        assert database.dump(schema_only=False) == before
        copied = type(database)(**{**vars(database), _key(database): _as_key(database, other)})
        assert copied.dump(schema_only=False) == expected
    finally:
        type(database)(**{**vars(database), _key(database): _as_key(database, other)}).drop()


def test_no_database_is_made_before_somebody_consents(
    shop: Callable[..., Project], database: Database
) -> None:
    project = shop(database)
    run = project.migrator("backup", check=True).stdout.split()[-1]
    other = f"{database.name}_phantom"
    checked = project.migrator("restore", run, "--into", other, "--check")
    assert checked.returncode == 0, checked
    assert "is whole" in checked.stdout
    asked = project.migrator("restore", run, "--into", other)
    assert asked.returncode == 3, asked
    assert "so it is made" in asked.stderr
    assert not _exists(database, other)


def test_a_backup_that_cannot_be_read_is_not_passed_over_in_silence(
    shop: Callable[..., Project], sqlite_database: Database
) -> None:
    project = shop(sqlite_database)
    project.migrator("backup", check=True)
    (path,) = backups(project)
    path.with_suffix(".json").write_text("{", encoding="utf-8")
    listed = project.migrator("restore", "--list")
    assert f"{path.stem}.json cannot be read" in listed.stderr


def _exists(database: Database, other: str) -> bool:
    if database.vendor == "sqlite":
        return Path(_as_key(database, other)).exists()
    catalog, name = (
        ("pg_database", "datname")
        if database.vendor == "postgresql"
        else ("information_schema.schemata", "schema_name")
    )
    return any(found == other for (found,) in database.query(f"SELECT {name} FROM {catalog}"))


def _key(database: Database) -> str:
    return "path" if database.vendor == "sqlite" else "name"


def _as_key(database: Database, name: str) -> object:
    return Path(name) if database.vendor == "sqlite" else name


# -- altered archives ---------------------------------------------------------------------------


def test_an_altered_backup_is_always_refused(
    shop: Callable[..., Project], database: Database
) -> None:
    """Cut off at ten places, a bit flipped at twenty, empty, without or with other facts."""
    project = shop(database)
    run = project.migrator("backup", check=True).stdout.split()[-1]
    (path,) = backups(project)
    facts = facts_of(path).read_text()
    whole = path.read_bytes()
    database.execute("DELETE FROM shop_item WHERE name = 'one'")
    before = database.dump(schema_only=False)
    script = project.write(
        "attempt.py",
        """
        import sys

        from migrator.cli import main

        for line in sys.stdin:
            if line.strip():
                exec(line)
            print(main(sys.argv[1:]), flush=True)
        """,
    )
    chance = random.Random(20)
    places = [len(whole) * part // 10 for part in range(10)]
    flips = [(chance.randrange(len(whole)), 1 << chance.randrange(8)) for _ in range(20)]
    lines = [f"open({str(path)!r}, 'r+b').truncate({place})" for place in reversed(places)]
    for place, bit in flips:
        content = f"f.seek({place}); b = f.read(1)[0] ^ {bit}; f.seek({place})"
        restore = f"open({str(path)!r}, 'wb').write(open({str(path) + '.whole'!r}, 'rb').read())"
        lines.append(
            f"{restore}; f = open({str(path)!r}, 'r+b'); {content}; f.write(bytes([b])); f.close()"
        )
    other = json.dumps({**json.loads(facts), "sha256": "0" * 64})
    alien = json.dumps({**json.loads(facts), "alias": "other"})
    lines.append(f"{restore}; import os; os.unlink({str(facts_of(path))!r})")
    lines += [
        f"open({str(facts_of(path))!r}, 'w').write({text!r})"
        for text in ("", "{}", "[1", other, alien)
    ]
    path.with_name(path.name + ".whole").write_bytes(whole)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), "restore", run, "--yes"],
        cwd=project.root,
        env=project.environ(),
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.stdout.split() == ["1"] * len(lines), done
    assert database.dump(schema_only=False) == before
    path.with_name(path.name + ".whole").unlink()
    facts_of(path).write_text(facts)
    path.write_bytes(whole)
    assert project.migrator("restore", run, "--yes").returncode == 0


def test_facts_of_another_backup_are_refused(
    shop: Callable[..., Project], create_database: Callable[..., Database]
) -> None:
    first, second = create_database("sqlite"), create_database("sqlite")
    project = shop(first, second)
    second.execute("DELETE FROM shop_item")
    told = project.migrator("backup", check=True).stdout
    run = told.partition("migrator restore ")[2].split()[0]
    (one,), (two,) = backups(project), backups(project, "other1")
    ambiguous = project.migrator("restore", run, "--yes")
    assert ambiguous.returncode == 2, ambiguous
    assert "--database" in ambiguous.stderr
    before = first.dump(schema_only=False)
    shutil.copy(facts_of(two), facts_of(one))
    refused = project.migrator("restore", run, "--yes", "--database", "default")
    assert refused.returncode == 1, refused
    shutil.copy(two, one)  # dump and facts, both of the other database
    refused = project.migrator("restore", run, "--yes", "--database", "default")
    assert refused.returncode == 1, refused
    assert first.dump(schema_only=False) == before


def test_facts_and_dump_that_the_journal_does_not_know_are_refused(
    shop: Callable[..., Project], sqlite_database: Database
) -> None:
    import hashlib

    project = shop(sqlite_database)
    run = project.migrator("backup", check=True).stdout.split()[-1]
    (path,) = backups(project)
    forged = path.read_bytes().replace(b"one", b"eno")
    path.write_bytes(forged)
    facts = json.loads(facts_of(path).read_text())
    facts["sha256"] = hashlib.sha256(forged).hexdigest()
    facts_of(path).write_text(json.dumps(facts))
    refused = project.migrator("restore", run, "--yes")
    assert refused.returncode == 1, refused
    assert "journal" in refused.stderr
    project.journal_path.unlink()  # then nobody knows better
    assert project.migrator("restore", run[:8], "--yes").returncode == 0


# -- backups that cannot be made --------------------------------------------------------------


def refused(project: Project, database: Database, *, env: dict[str, str] | None = None) -> str:
    """A backup that fails: nothing was migrated, and one line says why."""
    before = database.dump(schema_only=False)
    done = migrate(project, "--allow-destructive", "--format", "json", env=env)
    assert done.returncode == 1, done
    error = json.loads(done.stdout)["databases"][0]["error"]
    assert error["type"] == "BackupFailed", done
    assert error["hint"]
    assert "Traceback" not in done.output
    assert "\n" not in error["message"]
    assert database.dump(schema_only=False) == before
    left = [path.name for path in (project.root / "migrator_backups").rglob("*") if path.is_file()]
    assert left == []
    return str(error["message"])


def tool(directory: Path, name: str, script: str) -> Path:
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.postgresql
def test_without_a_tool_that_fits_nothing_is_migrated(
    shop: Callable[..., Project],
    postgres: PostgresServer,
    postgres_database: PostgresDatabase,
    tmp_path: Path,
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    project = shop(postgres_database, extra=f'MIGRATOR["CLIENT_TOOLS"] = {str(tools)!r}')
    evolve(project)
    assert "no pg_dump" in refused(project, postgres_database)
    tool(tools, "pg_dump", 'echo "pg_dump (PostgreSQL) 9.6.1"')
    message = refused(project, postgres_database)
    assert "older than the server" in message
    assert f"PostgreSQL {postgres.version}" in message
    version = f'if [ "$1" = --version ]; then echo "pg_dump (PostgreSQL) {postgres.version}.0"'
    tool(tools, "pg_restore", "exit 0")
    secret = 'connection to "postgresql://me:hidden@there/x" failed'
    tool(tools, "pg_dump", f"{version}; else echo 'pg_dump: error: {secret}' >&2; exit 1; fi")
    message = refused(project, postgres_database)
    assert "failed" in message
    assert "hidden" not in message
    tool(tools, "pg_dump", f"{version}; else printf PGDMP; exit 0; fi")
    shutil.copy(postgres.tool("pg_restore"), tools / "real")
    (tools / "pg_restore").write_text(f'#!/bin/sh\nexec {postgres.tool("pg_restore")} "$@"\n')
    assert "pg_restore" in refused(project, postgres_database)
    tool(tools, "pg_dump", f"{version}; else echo 'No space left on device' >&2; exit 1; fi")
    assert "No space left" in refused(project, postgres_database)


def test_a_directory_that_takes_no_backup(
    shop: Callable[..., Project], sqlite_database: Database, tmp_path: Path
) -> None:
    place = tmp_path / "taken"
    place.write_text("a file")
    project = shop(sqlite_database, extra=f'MIGRATOR["BACKUP_DIR"] = {str(place)!r}')
    evolve(project)
    assert str(place) in refused(project, sqlite_database)


def test_a_full_disk(
    shop: Callable[..., Project], create_database: Callable[..., Database], tmp_path: Path
) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    try:
        small = f'MIGRATOR["BACKUP_DIR"] = {str(place)!r}'
        lite, big = create_database("sqlite"), create_database("postgresql")
        project = shop(lite, extra=small)
        lite.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)"
            " INSERT INTO shop_item (name, note) SELECT i, hex(randomblob(30)) FROM n"
        )
        evolve(project)
        assert "room" in refused(project, lite)  # seen before anything is written
        project = shop(big, extra=small)
        big.execute(
            "INSERT INTO shop_item (name, note) SELECT n, md5(n::text) || md5((-n)::text)"
            " FROM generate_series(1, 9000) AS n"
        )
        evolve(project)
        assert "No space left" in refused(project, big)
        assert list(place.rglob("*.*")) == []
    finally:
        subprocess.run(["umount", str(place)], check=True)


# -- interrupted -------------------------------------------------------------------------------


SLOW = """
if [ "$1" = --version ]; then exec {real} --version; fi
{real} "$@"
touch {flag}
exec sleep 60
"""


@pytest.mark.postgresql
@pytest.mark.parametrize("number", [9, 15])
def test_killed_while_it_dumps(
    shop: Callable[..., Project],
    postgres: PostgresServer,
    postgres_database: PostgresDatabase,
    tmp_path: Path,
    number: int,
) -> None:
    tools, flag = tmp_path / "tools", tmp_path / "flag"
    for name in ("pg_restore", "psql"):
        tool(tools, name, f'exec {postgres.tool(name)} "$@"')
    tool(tools, "pg_dump", SLOW.format(real=postgres.tool("pg_dump"), flag=flag))
    project = shop(postgres_database, extra=f'MIGRATOR["CLIENT_TOOLS"] = {str(tools)!r}')
    evolve(project)
    before = postgres_database.dump(schema_only=False)
    process = project.popen(
        "migrate_all", "--skip-makemigrations", "--non-interactive", "--allow-destructive"
    )
    try:
        deadline = time.monotonic() + 60
        while not flag.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert flag.exists()
    finally:
        kill(process, number)
    assert process.returncode == (130 if number == 15 else -9)
    assert postgres_database.dump(schema_only=False) == before
    parts = [path.name for path in backups(project)]
    assert [name.endswith(".part") for name in parts] == ([] if number == 15 else [True])
    assert _running(str(flag)) == []
    tool(tools, "pg_dump", f'exec {postgres.tool("pg_dump")} "$@"')
    resumed = project.manage("migrate_all", "--resume", "--non-interactive", "--allow-destructive")
    assert resumed.returncode == 0, resumed
    (path,) = backups(project)
    assert path.suffix == ".dump"
    assert project.migrator("restore", path.stem, "--yes").returncode == 0
    assert postgres_database.dump(schema_only=False) == before


def _running(words: str) -> list[str]:
    if not Path("/proc").is_dir():
        return []
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            line = (place / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if words in line:
            found.append(line)
    return found


# -- how long they are kept ---------------------------------------------------------------------


def test_only_so_many_are_kept(shop: Callable[..., Project], sqlite_database: Database) -> None:
    project = shop(sqlite_database, extra='MIGRATOR["BACKUP_KEEP"] = 2')
    evolve(project, FAILS)
    failed = migrate(project, "--allow-destructive", "--format", "json")
    kept = json.loads(failed.stdout)["run_id"]
    place = project.root / "migrator_backups/default"
    (place / "mine.sqlite3").write_text("not of ours")
    (place / "0000000000000.sqlite3.part").write_text("left by a run that was killed")
    runs = [project.migrator("backup", check=True).stdout.split()[-1] for _ in range(4)]
    names = {path.stem for path in backups(project)}
    assert names == {"mine", kept, *runs[-2:]}
    assert {path.stem for path in place.glob("*.json")} == {kept, *runs[-2:]}
    listed = project.migrator("restore", "--list", check=True).stdout
    assert [line.split()[0] for line in listed.splitlines()] == [*reversed(runs[-2:]), kept]


def test_another_run_at_work_is_not_disturbed(
    shop: Callable[..., Project], postgres_database: PostgresDatabase
) -> None:
    from migrator.backends.postgresql import LOCK_KEY

    project = shop(postgres_database)
    run = project.migrator("backup", check=True).stdout.split()[-1]
    with postgres_database.connect() as other:
        other.execute("SELECT pg_advisory_lock(%s)", [LOCK_KEY])
        done = project.migrator("restore", run, "--yes")
        assert done.returncode == 4, done
        assert project.migrator("backup").returncode == 4


def test_questions_that_make_no_sense(
    shop: Callable[..., Project], sqlite_database: Database
) -> None:
    project = shop(sqlite_database)
    for arguments in (
        ["restore"],
        ["restore", "zzzz"],
        ["restore", "1", "--database", "nowhere", "--yes"],
        ["backup", "--database", "nowhere"],
        ["restore", "1", "--database", "a", "--database", "b"],
        ["restore", "1", "--list"],
        ["restore", "--list", "--into", "other"],
        ["restore", "--list", "--yes"],
        ["restore", "1", "--check", "--yes"],
    ):
        done = project.migrator(*arguments)
        assert done.returncode == 2, done
        assert "Traceback" not in done.output
    assert project.migrator("restore", "--list").stdout.startswith("No backups in ")
    run = project.migrator("backup", "--format", "json", check=True)
    (made,) = json.loads(run.stdout)["backups"]
    assert made["bytes"] == Path(made["path"]).stat().st_size
    checked = project.migrator("restore", made["run_id"], "--check")
    assert checked.returncode == 0, checked
    assert made["sha256"] in checked.stdout
