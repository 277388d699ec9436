"""Opening a journal, and everything that can be wrong with it: one sentence, a hint, no more."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from journal import (
    Journal,
    JournalCorrupt,
    JournalError,
    JournalNewer,
    JournalReadOnly,
    JournalUnreachable,
    Phase,
    Run,
    RunStatus,
    Target,
    open_journal,
)
from journal.connection import parse_url
from journal.revisions import REVISIONS, VERSION_TABLE
from journal.tables import metadata
from tests.servers import PostgresDatabase

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def a_run(journal: Journal) -> Run:
    return journal.open_run(
        kind="migrate",
        goal="verified",
        options={},
        actor={},
        targets=[Target("", "default")],
    )


def filled(path: Path) -> Run:
    with open_journal(url(path)) as journal:
        run = a_run(journal)
        epoch = journal.claim(run.id, "default")
        for number in range(50):
            journal.write(
                run.id,
                "default",
                epoch=epoch,
                kind="migration",
                name=f"a.{number:04}",
                phase=Phase.DONE,
                payload={"text": "x" * 500},
            )
        return run


def refused(error: type[JournalError], where: str, *, create: bool = True) -> JournalError:
    """Opening fails with one sentence that says where, and a hint, without a traceback's noise."""
    with pytest.raises(error) as caught:
        open_journal(where, create=create)
    assert type(caught.value) is error
    assert "\n" not in caught.value.message
    assert "Traceback" not in caught.value.message
    assert "sqlalche.me" not in caught.value.message
    assert caught.value.hint
    return caught.value


# -- files -----------------------------------------------------------------------


def test_the_first_opening_creates_the_file(path: Path) -> None:
    with open_journal(url(path)) as journal:
        assert journal.runs() == ()
        assert str(path) in journal.location

    assert path.exists()


def test_a_journal_survives_a_power_cut_and_lets_readers_read(path: Path) -> None:
    """WAL and synchronous=FULL, on the connection that writes."""
    from journal.connection import Connector

    connector = Connector(url(path), create=True)
    with connector.writing() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar()
        waits = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
    connector.close()

    assert (mode, synchronous) == ("wal", 2)
    assert waits is not None
    assert waits >= 10_000


def test_a_relative_path_does_not_follow_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_journal("sqlite:///here.sqlite3") as journal:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        a_run(journal)
        assert len(journal.runs()) == 1

    assert (tmp_path / "here.sqlite3").exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("name", ["a b.sqlite3", "a%20b?c#d.sqlite3", "é.sqlite3", "a:b@c"])
def test_a_path_may_hold_odd_characters(tmp_path: Path, name: str) -> None:
    with open_journal("sqlite:///" + str(tmp_path / name).replace("?", "%3F")) as journal:
        a_run(journal)
        assert journal.verify() == ()


def test_a_missing_directory(tmp_path: Path) -> None:
    error = refused(JournalUnreachable, url(tmp_path / "nowhere" / "journal.sqlite3"))

    assert str(tmp_path / "nowhere") in error.message
    assert not (tmp_path / "nowhere").exists()


def test_a_directory_instead_of_a_file(tmp_path: Path) -> None:
    assert "directory" in refused(JournalCorrupt, url(tmp_path)).message


@pytest.mark.parametrize("content", [b"hello", b"hello, this is no database. " * 200])
def test_a_file_that_is_no_database_stays_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    for create in (True, False):
        assert str(path) in refused(JournalCorrupt, url(path), create=create).message
    assert path.read_bytes() == content


@pytest.mark.parametrize("table", ["entry", "auth_user"])
def test_a_database_of_something_else_stays_as_it_is(path: Path, table: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, title TEXT)")
    before = path.read_bytes()

    assert table in refused(JournalCorrupt, url(path)).message
    assert path.read_bytes() == before


@pytest.mark.parametrize("size", [100, 4096, 12_288])
def test_a_file_that_was_cut_off(path: Path, size: int) -> None:
    filled(path)
    with path.open("r+b") as file:
        file.truncate(size)

    for create in (True, False):
        assert str(path) in refused(JournalCorrupt, url(path), create=create).message
    assert path.stat().st_size == size


def test_bytes_overwritten_in_the_middle(path: Path) -> None:
    run = filled(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 8192))

    with pytest.raises(JournalCorrupt) as caught, open_journal(url(path)) as journal:
        journal.entries(run.id)
    assert caught.value.hint


def test_a_table_that_is_gone(path: Path) -> None:
    run = filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("DROP TABLE entry")

    with open_journal(url(path)) as journal:
        with pytest.raises(JournalCorrupt) as caught:
            journal.entries(run.id)
        assert str(path) in caught.value.message
        with pytest.raises(JournalCorrupt):
            journal.claim(run.id, "default")


@pytest.mark.parametrize(
    "column", ["status = 'gone'", "options = '{'", "opened_at = 'noon'", "actor = '[]'"]
)
def test_a_row_that_makes_no_sense(path: Path, column: str) -> None:
    run = filled(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE run SET {column}")

    with open_journal(url(path)) as journal:
        with pytest.raises(JournalCorrupt, match=run.id):
            journal.runs()
        assert [found.run_id for found in journal.verify()] == [run.id]


def test_a_journal_of_a_newer_version(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")

    for create in (True, False):
        error = refused(JournalNewer, url(path), create=create)
        assert "9999" in error.message
        assert "pgrade" in error.hint


def test_a_project_that_moves_into_the_file_of_the_journal(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE auth_user (id INTEGER PRIMARY KEY)")

    assert "auth_user" in refused(JournalCorrupt, url(path)).message


# -- reading only ------------------------------------------------------------------


def test_reading_never_creates(path: Path, tmp_path: Path) -> None:
    assert str(path) in refused(JournalUnreachable, url(path), create=False).message
    assert list(tmp_path.iterdir()) == []


def test_reading_an_empty_file_leaves_it_empty(path: Path) -> None:
    path.touch()

    refused(JournalUnreachable, url(path), create=False)
    assert path.stat().st_size == 0


def test_what_was_opened_for_reading_is_not_written(path: Path) -> None:
    run = filled(path)
    before = path.read_bytes()
    with open_journal(url(path), create=False) as journal:
        assert journal.find_run(run.id) == run
        assert journal.verify() == ()
        with pytest.raises(JournalReadOnly):
            journal.close_run(run.id, RunStatus.FAILED)

    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_reading_sees_what_another_writes_meanwhile(path: Path) -> None:
    with open_journal(url(path)) as writer, open_journal(url(path), create=False) as reader:
        run = a_run(writer)
        assert reader.runs() == (run,)


_AS_ANOTHER_USER = """
import os, sys, tempfile
import journal
url, run_id = sys.argv[1:]
# Import all there is before changing the user: the interpreter may be out of reach for others.
with tempfile.TemporaryDirectory() as directory:
    with journal.open_journal("sqlite:///" + directory + "/warm.sqlite3") as warm:
        warm.open_run(kind="", goal="", options={}, actor={}, targets=[journal.Target("", "a")])
        warm.verify()
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
with journal.open_journal(url) as opened:
    assert opened.find_run(run_id).id == run_id
    assert len(opened.entries(run_id)) == 51
    assert opened.verify() == ()
    for write in (
        lambda: opened.claim(run_id, "default"),
        lambda: opened.open_run(kind="migrate", goal="verified", options={}, actor={}),
    ):
        try:
            write()
        except journal.JournalReadOnly as error:
            assert error.hint and "cannot be written" in error.message, error.message
        else:
            raise SystemExit("written")
if not os.access(os.path.dirname(url[10:]), os.W_OK):
    try:
        journal.open_journal(url + ".new")
    except journal.JournalReadOnly as error:
        assert error.hint
    else:
        raise SystemExit("created")
print("read only")
"""


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that other users can reach, which pytest's own is not."""
    directory = Path(tempfile.mkdtemp(prefix="journal-"))
    directory.chmod(0o755)
    yield directory
    directory.chmod(0o755)
    shutil.rmtree(directory)


@pytest.mark.parametrize("what", ["file", "directory", "both"])
@pytest.mark.parametrize("crashed", [False, True], ids=["closed", "crashed"])
def test_a_read_only_journal_can_be_read(public: Path, what: str, crashed: bool) -> None:
    """As a user who may not write: root may write anywhere."""
    made = public / "made"
    made.mkdir()
    path = made / "journal.sqlite3"
    run = filled(path)
    if crashed:  # a process that was killed leaves -wal and -shm behind
        with open_journal(url(path)):
            for leftover in made.iterdir():
                shutil.copy(leftover, public / leftover.name)
        path = public / path.name
    else:
        shutil.copy(path, public / path.name)
        path = public / path.name
    shutil.rmtree(made)
    files = [each for each in public.iterdir() if each.is_file()]
    for each in files:
        each.chmod(0o444 if what in ("file", "both") else 0o666)
    public.chmod(0o555 if what in ("directory", "both") else 0o777)

    completed = subprocess.run(
        [sys.executable, "-W", "error", "-c", _AS_ANOTHER_USER, url(path), run.id],
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (completed.stdout.strip(), completed.returncode) == ("read only", 0), completed.stderr


_ON_A_FULL_DISK = """
import resource, sys
import journal
opened = journal.open_journal(sys.argv[1])
run = opened.open_run(
    kind="migrate", goal="verified", options={}, actor={}, targets=[journal.Target("", "default")]
)
epoch = opened.claim(run.id, "default")
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    for number in range(100):
        opened.write(
            run.id, "default", epoch=epoch, kind="m", name=str(number),
            phase=journal.Phase.DONE, payload={"text": "x" * 20_000},
        )
except journal.JournalError as error:
    assert type(error) in (journal.JournalUnreachable, journal.JournalReadOnly), type(error)
    print(number, error.message, error.hint, sep="|")
opened.close()
"""


def test_a_full_disk_refuses_the_write_and_keeps_what_was_written(path: Path) -> None:
    completed = subprocess.run(
        [sys.executable, "-W", "error", "-c", _ON_A_FULL_DISK, url(path)],
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    number, message, hint = completed.stdout.strip().split("|")
    assert str(path) in message
    assert "disk" in hint or "space" in hint
    with open_journal(url(path)) as journal:
        (run,) = journal.runs()
        assert len(journal.entries(run.id)) == int(number) + 1  # the claim, and all acknowledged
        assert journal.verify() == ()


# -- a journal that changes under our hands ------------------------------------------


def test_a_file_that_vanishes_while_it_is_open(path: Path) -> None:
    with open_journal(url(path)) as journal:
        run = a_run(journal)
        path.rename(path.with_suffix(".moved"))

        for use in (lambda: journal.claim(run.id, "default"), journal.runs):
            with pytest.raises(JournalUnreachable, match="while it was in use") as caught:
                use()
            assert caught.value.hint
        assert not path.exists()


def test_a_file_that_is_replaced_while_it_is_open(path: Path, tmp_path: Path) -> None:
    filled(tmp_path / "other.sqlite3")
    with open_journal(url(path)) as journal:
        run = a_run(journal)
        (tmp_path / "other.sqlite3").replace(path)

        with pytest.raises(JournalUnreachable, match="replaced"):
            journal.claim(run.id, "default")


def test_a_journal_that_goes_back_in_time_while_it_is_open(path: Path) -> None:
    """Restored in place: the same file, with what had been acknowledged gone."""
    with open_journal(url(path)) as journal:
        run = a_run(journal)
        epoch = journal.claim(run.id, "default")
        journal.write(run.id, "default", epoch=epoch, kind="m", name="a.0001", phase=Phase.INTENT)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DROP TRIGGER entry_delete")
            connection.execute("DELETE FROM entry WHERE seq = 2")
            connection.execute(
                "UPDATE target SET seq = 1, head = (SELECT hash FROM entry WHERE seq = 1)"
            )
        with pytest.raises(JournalCorrupt, match="lost") as caught:
            journal.write(run.id, "default", epoch=epoch, kind="m", name="a.0001", phase=Phase.DONE)
        assert caught.value.hint

        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DELETE FROM entry")
            connection.execute("DELETE FROM target")
            connection.execute("DELETE FROM run")
        for write in (
            lambda: journal.claim(run.id, "default"),
            lambda: journal.close_run(run.id, RunStatus.COMPLETE),
        ):
            with pytest.raises(JournalCorrupt, match="lost"):
                write()


# -- URLs ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", "nonsense", "://", "sqlite://", "sqlite:///:memory:", "sqlite:///file:x?uri=true"]
)
def test_what_is_no_url_of_a_journal(text: str) -> None:
    assert "sqlite:////" in refused(JournalUnreachable, text).hint


@pytest.mark.parametrize(
    "text",
    [
        "nosuch://me:hunter2@host/db",
        "postgresql+nosuch://me:hunter2@host/db",
        "postgresql://me:hunter2@host:port/db",
        "postgresql://me:hunter2@127.0.0.1:1/db",
        "postgresql://127.0.0.1:1/db?password=hunter2&user=me",
        "postgresql://me:hunter2@127.0.0.1:1/db?nonsense=1",
        "oracle://me:hunter2@host/db",
        "mysql+nosuch://me:hunter2@host/db",
    ],
)
def test_a_password_in_a_url_is_never_said(text: str) -> None:
    error = refused(JournalUnreachable, text)

    cause: BaseException | None = error
    while cause is not None:
        assert "hunter2" not in f"{cause!r} {cause}"
        cause = cause.__cause__
    assert "hunter2" not in error.hint


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_postgresql_url_means_psycopg(scheme: str) -> None:
    assert parse_url(f"{scheme}://me@host/db").drivername == "postgresql+psycopg"


# -- PostgreSQL ------------------------------------------------------------------


@pytest.mark.postgresql
def test_a_database_that_does_not_exist(postgres_database: PostgresDatabase) -> None:
    missing = postgres_database.url.replace(postgres_database.name, "no_such_database")

    assert "no_such_database" in refused(JournalUnreachable, missing).message


@pytest.mark.postgresql
def test_reading_creates_nothing_in_postgresql(postgres_database: PostgresDatabase) -> None:
    refused(JournalUnreachable, postgres_database.url, create=False)

    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert postgres_database.query(tables) == [(0,)]


@pytest.mark.postgresql
def test_a_postgresql_that_accepts_no_writes(postgres_database: PostgresDatabase) -> None:
    with open_journal(postgres_database.url) as journal:
        run = a_run(journal)
    postgres_database.execute(
        f'ALTER DATABASE "{postgres_database.name}" SET default_transaction_read_only = on'
    )
    with open_journal(postgres_database.url) as journal:
        assert journal.runs() == (run,)
        with pytest.raises(JournalReadOnly) as caught:
            journal.claim(run.id, "default")
        assert caught.value.hint


@pytest.mark.postgresql
def test_a_role_that_may_only_read(postgres_database: PostgresDatabase) -> None:
    with open_journal(postgres_database.url) as journal:
        run = a_run(journal)
    role = f"reader_{postgres_database.name}"
    postgres_database.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'hunter2'")
    try:
        postgres_database.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        login = postgres_database.url.split("@", 1)[1]
        with open_journal(f"postgresql://{role}:hunter2@{login}") as journal:
            assert journal.runs() == (run,)
            with pytest.raises(JournalReadOnly) as caught:
                journal.claim(run.id, "default")
            assert "hunter2" not in f"{caught.value.message} {caught.value.__cause__!r}"
            assert "hunter2" not in journal.location
    finally:
        postgres_database.execute(f"DROP OWNED BY {role}")
        postgres_database.execute(f"DROP ROLE {role}")


@pytest.mark.postgresql
def test_a_journal_of_a_newer_version_in_postgresql(postgres_database: PostgresDatabase) -> None:
    open_journal(postgres_database.url).close()
    postgres_database.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")

    refused(JournalNewer, postgres_database.url)


@pytest.mark.postgresql
def test_somebody_elses_tables_stay_as_they_are(postgres_database: PostgresDatabase) -> None:
    postgres_database.execute("CREATE TABLE run (id int)")

    assert "run" in refused(JournalCorrupt, postgres_database.url).message
    assert postgres_database.query(
        "SELECT tablename::text FROM pg_tables WHERE schemaname='public'"
    ) == [("run",)]


@pytest.mark.postgresql
def test_a_connection_that_was_cut_is_made_again(postgres_database: PostgresDatabase) -> None:
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{postgres_database.name}' AND pid <> pg_backend_pid()"
    )
    with open_journal(postgres_database.url) as journal:
        run = a_run(journal)
        epoch = journal.claim(run.id, "default")
        for number in range(3):
            assert postgres_database.query(cut)
            journal.write(
                run.id, "default", epoch=epoch, kind="m", name=str(number), phase=Phase.DONE
            )
        assert [entry.seq for entry in journal.entries(run.id)] == [1, 2, 3, 4]


# -- the schema ------------------------------------------------------------------


def test_the_code_knows_every_revision() -> None:
    config = Config(str(ROOT / "alembic.ini"))
    script = ScriptDirectory.from_config(config)

    assert script.get_heads() == [REVISIONS[-1]]
    assert [each.revision for each in script.walk_revisions()] == list(reversed(REVISIONS))


@pytest.mark.parametrize(
    "vendor", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
def test_the_revisions_make_the_tables_that_the_code_uses(
    vendor: str, path: Path, request: pytest.FixtureRequest
) -> None:
    where = url(path)
    if vendor == "postgresql":
        where = request.getfixturevalue("postgres_database").url
    open_journal(where).close()
    engine = create_engine(parse_url(where))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        differences = compare_metadata(context, metadata)
    engine.dispose()

    assert differences == []


def test_alembic_itself_reaches_the_journal(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MIGRATOR_JOURNAL_URL", url(path))
    config = Config(str(ROOT / "alembic.ini"), stdout=sys.stdout)
    command.upgrade(config, "head")
    command.current(config)

    assert REVISIONS[-1] in capsys.readouterr().out
    with open_journal(url(path)) as journal:
        a_run(journal)


@pytest.mark.parametrize("when", ["opening", "writing"])
def test_a_journal_that_another_process_holds_locked(
    path: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("journal.connection.BUSY_SECONDS", 0)
    path.touch()
    if when == "writing":
        filled(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        if when == "opening":
            holder.execute("BEGIN EXCLUSIVE")
            error = refused(JournalUnreachable, url(path))
        else:
            with open_journal(url(path)) as journal:
                holder.execute("BEGIN IMMEDIATE")
                assert len(journal.runs()) == 1  # readers need not wait
                with pytest.raises(JournalUnreachable) as caught:
                    a_run(journal)
                error = caught.value
    assert "locked by another process" in error.message
    assert error.hint


def test_threads_of_one_process_open_new_journals_at_once(tmp_path: Path) -> None:
    """Alembic keeps its context in globals of the process."""
    with ThreadPoolExecutor(4) as threads:
        opened = list(
            threads.map(open_journal, [url(tmp_path / f"{number}.sqlite3") for number in range(4)])
        )
    for journal in opened:
        a_run(journal)
        assert journal.verify() == ()
        journal.close()
