"""The journal in the whole product: shared on PostgreSQL, lost, full, damaged, out of time."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from journal import open_journal
from journal.store import SqlJournal
from tests.acceptance.test_fencing import AFTER, INITIAL, MODELS, STOP
from tests.acceptance.test_waiting import until
from tests.projects import Project
from tests.servers import Database, PostgresDatabase
from tests.zygote import Child, Zygote

SQLITE = "django.db.backends.sqlite3"


def bank(make_project: Callable[..., Project], *, stops: bool = False, **databases: Any) -> Project:
    migrations = {
        "0001_initial": INITIAL,
        "0002_stop": STOP.format(then="pass"),
        "0003_after": AFTER,
    }
    if not stops:
        migrations = {"0001_initial": INITIAL}
    return make_project(
        databases=databases,
        apps={"bank": {"models": MODELS, "migrations": migrations}},
        installed=(),
    )


def stopped(zygote: Zygote, project: Project, **how: Any) -> Child:
    child = zygote.start(project, "migrate_all", **how)
    until(child, (project.root / "here").exists)
    return child


@pytest.mark.parametrize("count", [2, 4, 8])
def test_several_runs_at_once_share_a_new_journal(
    zygote: Zygote,
    make_project: Callable[..., Project],
    postgres_database: PostgresDatabase,
    tmp_path: Path,
    count: int,
) -> None:
    """Its first upgrade is raced; every chain holds, and each run is there."""
    url = {"MIGRATOR_JOURNAL_URL": postgres_database.url}
    projects = [
        bank(
            make_project,
            default={"ENGINE": SQLITE, "NAME": str(tmp_path / f"{number}.sqlite3")},
            other={"ENGINE": SQLITE, "NAME": str(tmp_path / f"{number}-other.sqlite3")},
        )
        for number in range(count)
    ]
    children = [zygote.start(project, "migrate_all", env=url) for project in projects]
    ended = [child.wait() for child in children]
    assert [child.code for child in ended] == [0] * count, [child.output for child in ended]
    with open_journal(postgres_database.url, create=False) as journal:
        assert len(journal.runs()) == count
        assert not journal.verify()
        assert not journal.incomplete_runs()
    for command in ("verify", "check"):
        done = projects[0].migrator("journal", command, env=url)
        assert done.returncode == 0, done


@pytest.mark.parametrize("how", ["read-only", "dropped", "revoked"])
def test_a_journal_that_goes_away_in_mid_run(
    zygote: Zygote,
    make_project: Callable[..., Project],
    create_database: Callable[..., PostgresDatabase],
    how: str,
) -> None:
    """Nothing more is done to any target; what was begun is found out on resume."""
    journal, target, other = (create_database("postgresql") for _ in range(3))
    url = {"MIGRATOR_JOURNAL_URL": journal.url}
    project = bank(make_project, stops=True, default=target.settings(), other=other.settings())
    child = stopped(zygote, project, env=url)
    untouched = other.dump(schema_only=False)
    if how == "read-only":
        make_read_only(journal, on=True)
    elif how == "revoked":
        journal.execute("ALTER TABLE entry RENAME TO kept")
    else:
        journal.drop()
    (project.root / "go").touch()
    ended = child.wait()
    assert ended.code == 1, ended.output
    assert "Traceback" not in ended.output
    assert "nothing more was done" in " ".join(ended.output.split())
    assert target.query("SELECT count(*) FROM bank_coin") == [(0,)], "0003 was never begun"
    assert other.dump(schema_only=False) == untouched
    again = zygote.run(project, "migrate_all", env=url)
    assert again.code == 1, again.output
    assert other.dump(schema_only=False) == untouched
    if how == "dropped":
        return
    if how == "read-only":
        make_read_only(journal, on=False)
    else:
        journal.execute("ALTER TABLE kept RENAME TO entry")
    decided = ("--assume-applied", "bank.0002_stop")
    resumed = zygote.run(project, "migrate_all", "--resume", *decided, env=url)
    assert resumed.code == 0, resumed.output
    assert target.query("SELECT count(*) FROM bank_coin") == [(1,)]
    with open_journal(journal.url, create=False) as opened:
        assert not opened.verify()


def make_read_only(database: PostgresDatabase, *, on: bool) -> None:
    """For every session, also those that are open."""
    with database.server.connect() as admin:
        admin.execute(f'ALTER DATABASE "{database.name}" SET default_transaction_read_only = {on}')
        admin.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s",
            [database.name],
        )


def test_a_disk_that_fills_in_mid_run(
    zygote: Zygote, make_project: Callable[..., Project], postgres_database: PostgresDatabase
) -> None:
    """The journal's file may not grow any more: one clear error, and a resume when it may."""
    project = bank(make_project, default=postgres_database.settings())
    checked = zygote.run(project, "migrate_all", "--check")
    assert checked.code == 0, checked.output
    size = project.journal_path.stat().st_size
    found = set()
    for limit in range(size + 8192, size + 8192 * 12, 8192 * 2):
        ended = zygote.run(project, "migrate_all", file_limit=limit)
        assert ended.code in (0, 1), ended.output
        assert "Traceback" not in ended.output
        found.add(ended.code)
        if ended.code:
            assert "journal" in ended.output.lower()
        with open_journal(project.journal_url, create=False) as journal:
            assert not journal.verify()
    assert 1 in found
    final = zygote.run(project, "migrate_all")
    assert final.code == 0, final.output
    assert postgres_database.query("SELECT count(*) FROM django_migrations") == [(1,)]


DAMAGES = {
    "truncated": "",
    "edited": "UPDATE entry SET name = 'bank.0009' WHERE name = 'bank.0001_initial'",
    "said to be done": "UPDATE entry SET phase = 'done' WHERE name = 'bank.0002_stop'",
    "removed": "DELETE FROM entry WHERE seq = 3",
    "targets removed": "DELETE FROM target",
    "options": """UPDATE run SET options = '{"migration_files": 3, "apps": 7}'""",
    "emptied table": "DROP TABLE entry",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_journal(
    zygote: Zygote, make_project: Callable[..., Project], tmp_path: Path, damage: str
) -> None:
    """Said by `journal verify`; what it tells of a run is not acted upon."""
    path = tmp_path / "default.sqlite3"
    project = bank(make_project, stops=True, default={"ENGINE": SQLITE, "NAME": str(path)})
    stopped(zygote, project).kill()
    before = path.read_bytes()
    journal = project.journal_path
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ((run,),) = connection.execute("SELECT id FROM run").fetchall()
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(DAMAGES[damage])
        connection.commit()
    if damage == "truncated":
        journal.write_bytes(journal.read_bytes()[: journal.stat().st_size // 2])
    unreadable = damage in ("truncated", "emptied table")
    for words in (["--resume"], ["--resume", "--dry-run"], *([[]] if unreadable else [])):
        ended = zygote.run(project, "migrate_all", *words)
        assert ended.code == 1, ended.output
        assert "Traceback" not in ended.output, ended.output
        assert "journal" in ended.output
        assert path.read_bytes() == before
    back = zygote.run(project, "rollback", run, "--yes", console=True)
    assert back.code == 1, back.output
    assert "Traceback" not in back.output, back.output
    assert path.read_bytes() == before
    verified = project.migrator("journal", "verify")
    assert verified.returncode == 1, verified
    assert "Traceback" not in verified.output


def test_a_clock_that_goes_backwards(tmp_path: Path) -> None:
    """Ids stay sortable, and chains valid."""
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    jumps = iter([0, 0, -3600, -3600, -86400, 5, -(10**6), 10, 10, 10] * 40)
    url = f"sqlite:///{tmp_path / 'journal.sqlite3'}"
    with closing(SqlJournal(url, clock=lambda: now + timedelta(seconds=next(jumps)))) as journal:
        ids = []
        for _ in range(8):
            from journal import Phase, RunStatus, Target

            run = journal.open_run(
                kind="migrate",
                goal="verified",
                options={},
                actor={},
                targets=[Target("", "default")],
            )
            ids.append(run.id)
            epoch = journal.claim(run.id, "default")
            for phase in (Phase.INTENT, Phase.DONE):
                journal.write(
                    run.id, "default", epoch=epoch, kind="migration", name="a.0001", phase=phase
                )
            journal.close_run(run.id, RunStatus.FAILED)
        assert ids == sorted(ids)
        assert len(set(ids)) == 8
        assert [run.id for run in journal.runs()] == ids[::-1]
        assert not journal.verify()


SECRET = "Xyzzy-8-distinctive-secret"


def test_no_password_anywhere(
    zygote: Zygote,
    make_project: Callable[..., Project],
    create_database: Callable[..., Database],
    tmp_path: Path,
) -> None:
    """Journal, reports, progress, holder files, argument lists and server sessions."""
    target, journal = create_database("postgresql"), create_database("postgresql")
    login, _, address = journal.url.removeprefix("postgresql://").partition("@")
    url = f"postgresql://{login.partition(':')[0]}:{SECRET}@{address}"
    project = bank(
        make_project,
        stops=True,
        default={**target.settings(), "PASSWORD": SECRET},
        file={"ENGINE": SQLITE, "NAME": str(tmp_path / "file.sqlite3"), "PASSWORD": SECRET},
        dead={**target.settings(), "PORT": 1, "HOST": "127.0.0.1", "PASSWORD": SECRET},
    )
    env = {"MIGRATOR_JOURNAL_URL": url}
    said: list[str] = []
    child = stopped(zygote, project, env=env)
    said.append(processes())
    said += [
        str(row) for row in target.query("SELECT application_name, query FROM pg_stat_activity")
    ]
    only = ("--database", "default")
    waiting = zygote.run(project, "migrate_all", "--wait-lock", "0.3", *only, env=env)
    assert waiting.code == 4, waiting.output
    said += [waiting.output, child.kill().output]
    (project.root / "go").touch()
    decided = ("--assume-applied", "bank.0002_stop")
    for words in (
        ("--resume", "--dry-run"),
        ("--resume", *decided, "-v3"),
        ("--check", "--format", "json"),
        ("--dry-run", "--format", "markdown"),
    ):
        ended = zygote.run(project, "migrate_all", *words, env=env)
        assert "Traceback" not in ended.output, ended.output
        said.append(ended.output)
    for words in (("list",), ("show",), ("show", "--format", "json"), ("export",), ("verify",)):
        said.append(project.migrator("journal", *words, env=env).output)
    said.append(journal.dump(schema_only=False))
    for path in (*tmp_path.glob("*.sqlite3*"), *project.root.rglob("*")):
        if path.is_file() and path.name != "settings.py":
            said.append(path.read_bytes().decode("latin-1"))
    for text in said:
        assert SECRET not in text, text[max(0, text.index(SECRET) - 300) :][:600]
    assert len(json.dumps(said)) > 10_000, "something was said at all"


def processes() -> str:
    """The argument lists of all processes."""
    found = []
    deadline = time.monotonic() + 5
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        assert time.monotonic() < deadline
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode("latin-1"))
        except OSError:  # ended meanwhile
            continue
    return "\n".join(found)
