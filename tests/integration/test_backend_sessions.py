"""Connecting, locks, other people's sessions and proxies, on real servers and processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.backends import mysql, postgresql, sqlite
from migrator.backends.base import Backend
from migrator.exceptions import DatabaseUnreachable, ExitCode, LockHeld
from tests.servers import Database, MySQLServer, PostgresDatabase, embedded_postgres

BACKENDS: dict[str, Backend] = {
    "postgresql": postgresql.backend,
    "mysql": mysql.backend,
    "sqlite": sqlite.backend,
}
SECRET = "sup3r-s3cret-word"

Register = Callable[..., BaseDatabaseWrapper]


def connect(register: Register, entry: dict[str, Any], vendor: str) -> BaseDatabaseWrapper:
    connection = register(entry)
    backend = BACKENDS[vendor]
    backend.configure(connection, application="migrator", connect_timeout=2)
    backend.connect(connection)
    return connection


# -- connecting ------------------------------------------------------------------


def refused(register: Register, entry: dict[str, Any], vendor: str) -> DatabaseUnreachable:
    """The error of a connection that cannot be made; the password stands nowhere in it."""
    connection = register(entry)
    BACKENDS[vendor].configure(connection, application="migrator", connect_timeout=2)
    with pytest.raises(DatabaseUnreachable) as caught:
        BACKENDS[vendor].connect(connection)
    everything = "".join(traceback.format_exception(caught.value)) + caught.value.hint
    assert SECRET not in everything
    assert connection.alias in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.message.endswith(".")
    assert caught.value.hint
    assert caught.value.exit_code is ExitCode.FAILED
    return caught.value


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def unused_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port: int = listening.getsockname()[1]
        return port


@pytest.mark.parametrize("vendor", ["postgresql", "mysql"])
def test_a_server_that_accepts_and_never_answers(vendor: str, register_alias: Register) -> None:
    with silent_server() as port:
        entry = {
            "ENGINE": f"django.db.backends.{vendor}",
            "NAME": "app",
            "USER": "someone",
            "PASSWORD": SECRET,
            "HOST": "127.0.0.1",
            "PORT": str(port),
        }
        error = refused(register_alias, entry, vendor)
    assert "in time" in error.message
    assert f"127.0.0.1:{port}" in error.message


@pytest.mark.parametrize("vendor", ["postgresql", "mysql"])
def test_a_server_that_is_down(vendor: str, unused_port: int, register_alias: Register) -> None:
    entry = {
        "ENGINE": f"django.db.backends.{vendor}",
        "NAME": "app",
        "USER": "someone",
        "PASSWORD": SECRET,
        "HOST": "127.0.0.1",
        "PORT": str(unused_port),
    }
    error = refused(register_alias, entry, vendor)
    assert "does not answer" in error.message
    assert f"127.0.0.1:{unused_port}" in error.message


@pytest.mark.postgresql
def test_a_missing_postgresql_database(
    postgres_database: PostgresDatabase, register_alias: Register
) -> None:
    entry = {**postgres_database.settings(), "NAME": "no_such_database"}
    assert "no database 'no_such_database'" in refused(register_alias, entry, "postgresql").message


@pytest.mark.postgresql
def test_a_wrong_postgresql_password_is_not_printed(register_alias: Register) -> None:
    with embedded_postgres() as server, server.connect() as admin:
        admin.execute("CREATE ROLE careful LOGIN PASSWORD 'another one'")
        (rules,) = admin.execute("SHOW hba_file").fetchone() or ("",)
        path = Path(rules)
        for kind in ("local all careful scram-sha-256\n", "host all careful all scram-sha-256\n"):
            path.write_text(kind + path.read_text())
        admin.execute("SELECT pg_reload_conf()")
        entry = server.create_database().settings()
        error = refused(
            register_alias, {**entry, "USER": "careful", "PASSWORD": SECRET}, "postgresql"
        )
        assert "refuses the login of user 'careful'" in error.message
        error = refused(register_alias, {**entry, "USER": "careful", "PASSWORD": ""}, "postgresql")
        assert "refuses the login of user 'careful'" in error.message
        error = refused(register_alias, {**entry, "USER": "nobody_here"}, "postgresql")
        assert "does not let user 'nobody_here' in" in error.message


@pytest.mark.mysql
def test_a_wrong_mysql_password_is_not_printed(
    mysql: MySQLServer, create_database: Callable[..., Database], register_alias: Register
) -> None:
    database = create_database("mysql")
    user = f"u{database.name[-12:]}"
    database.execute(f"CREATE USER {user}@'%' IDENTIFIED BY 'another one'")
    database.execute(f"CREATE USER {user}@localhost IDENTIFIED BY 'another one'")
    try:
        wrong = {**database.settings(), "USER": user, "PASSWORD": SECRET}
        assert f"refuses the login of user '{user}'" in (
            refused(register_alias, wrong, "mysql").message
        )
        foreign = {**wrong, "PASSWORD": "another one"}
        assert f"does not let user '{user}' use" in (
            refused(register_alias, foreign, "mysql").message
        )
        missing = {**database.settings(), "NAME": "no_such_database"}
        assert "no database 'no_such_database'" in refused(register_alias, missing, "mysql").message
    finally:
        database.execute(f"DROP USER {user}@'%'")
        database.execute(f"DROP USER {user}@localhost")


def test_sqlite_files_that_cannot_be_opened(tmp_path: Path, register_alias: Register) -> None:
    def message(path: Path) -> str:
        entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": path}
        return refused(register_alias, entry, "sqlite").message

    text = tmp_path / "text.sqlite3"
    text.write_text("This is no database. " * 100)
    assert "file is not a database" in message(text)
    assert "is a directory" in message(tmp_path)
    assert f"no directory {tmp_path / 'nowhere'}" in message(tmp_path / "nowhere" / "db.sqlite3")
    assert sorted(tmp_path.iterdir()) == [text]


@pytest.mark.parametrize("vendor", ["postgresql", "mysql"])
def test_configure_leaves_the_projects_own_options_alone(
    vendor: str, register_alias: Register
) -> None:
    own = {"connect_timeout": 77, "options": "-c search_path=a"}
    entry = {"ENGINE": f"django.db.backends.{vendor}", "NAME": "app", "OPTIONS": own}
    connection = register_alias(entry)
    BACKENDS[vendor].configure(connection, application="migrator:r:a", connect_timeout=3.2)
    options = connection.settings_dict["OPTIONS"]
    assert {key: options[key] for key in own} == own
    assert own == {"connect_timeout": 77, "options": "-c search_path=a"}

    bare = register_alias({"ENGINE": f"django.db.backends.{vendor}", "NAME": "app"})
    BACKENDS[vendor].configure(bare, application="migrator:r:a", connect_timeout=3.2)
    assert bare.settings_dict["OPTIONS"]["connect_timeout"] == 4


@pytest.mark.postgresql
def test_the_session_is_named_and_notices_a_dead_client(
    postgres_database: PostgresDatabase, register_alias: Register
) -> None:
    def show(connection: BaseDatabaseWrapper, name: str) -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting(%s, true)", [name])
            return str(cursor.fetchone()[0])

    connection = connect(register_alias, postgres_database.settings(), "postgresql")
    assert show(connection, "application_name") == "migrator"
    assert show(connection, "client_connection_check_interval") == (
        "1s" if postgres_database.server.version >= 14 else "None"
    )
    if postgres_database.server.version >= 14:
        own = postgres_database.settings(options="-c client_connection_check_interval=5s")
        connection = connect(register_alias, own, "postgresql")
        assert show(connection, "client_connection_check_interval") == "5s"


@pytest.mark.mysql
def test_a_read_limit_that_bounds_the_greeting_does_not_bound_queries(
    create_database: Callable[..., Database], register_alias: Register
) -> None:
    connection = connect(register_alias, create_database("mysql").settings(), "mysql")
    with connection.cursor() as cursor:
        cursor.execute("SELECT SLEEP(3)")  # longer than the time limit for connecting
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT @@session.lock_wait_timeout")
        assert cursor.fetchone()[0] <= 60


# -- writability -----------------------------------------------------------------


@pytest.mark.postgresql
def test_a_database_that_is_read_only_by_default(
    postgres_database: PostgresDatabase, register_alias: Register
) -> None:
    name = postgres_database.name
    postgres_database.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    connection = connect(register_alias, postgres_database.settings(), "postgresql")
    verdict = postgresql.backend.writability(connection)
    assert not verdict.writable
    assert not verdict.standby
    assert "default_transaction_read_only" in verdict.reason


@pytest.mark.postgresql
def test_a_standby_is_healthy_and_takes_no_writes(register_alias: Register) -> None:
    with embedded_postgres() as server:
        database = server.create_database()
        database.execute("CREATE UNLOGGED TABLE u (id serial); CREATE TABLE t (id serial)")
        ((directory,),) = database.query("SHOW data_directory")
        owner = Path(directory).stat().st_uid
        (Path(directory) / "standby.signal").touch()
        restart = [server.tool("pg_ctl"), "restart", "-w", "-m", "fast", "-D", directory]
        subprocess.run(
            [str(part) for part in (*restart, "-l", f"{directory}/standby.log")],
            check=True,
            stdout=subprocess.DEVNULL,
            user=owner if owner != os.geteuid() else None,
        )
        connection = connect(register_alias, database.settings(), "postgresql")
        backend = postgresql.backend
        verdict = backend.writability(connection)
        assert (verdict.writable, verdict.standby) == (False, True)
        assert "standby" in verdict.reason
        schema = backend.inspect(connection)
        assert set(schema.tables) == {"t", "u"}
        last = {sequence.name: sequence.last_value for sequence in schema.sequences}
        assert last == {"t_id_seq": 0, "u_id_seq": None}, "an unlogged one cannot be read there"
        assert backend.identity(connection).endswith(f"/{database.name}")
        assert backend.other_migrations(connection) == ()
        connection.close()


# -- the lock --------------------------------------------------------------------

HOLDER = """
import json, sys
import pymysql
pymysql.install_as_MySQLdb()
from django.conf import settings
settings.configure(DATABASES={"default": json.loads(sys.argv[1])}, USE_TZ=True)
import django
django.setup()
from importlib import import_module
from django.db import connection
from migrator.exceptions import LockHeld
backend = import_module("migrator.backends." + connection.vendor).backend
backend.configure(connection, application="migrator", connect_timeout=10)
backend.connect(connection)
lock = backend.lock(connection, run_id=sys.argv[2], alias="default")
print("ready", flush=True)
sys.stdin.readline()
try:
    lock.acquire()
except LockHeld as error:
    print("refused", error.message, flush=True)
else:
    print("won", flush=True)
    command = sys.stdin.readline().strip()
    if command:
        connection.cursor().execute(command)
    lock.release()
"""


class Holder:
    """A process that takes the lock when told to."""

    def __init__(self, entry: dict[str, Any], run_id: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, json.dumps(entry), run_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def say(self, line: str = "") -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        with suppress(OSError):
            self.say()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream
            with suppress(OSError):
                stream.close()
        self.process.wait(timeout=60)


@pytest.fixture
def start_holder() -> Iterator[Callable[..., Holder]]:
    holders: list[Holder] = []

    def start(entry: dict[str, Any], run_id: str = "r1") -> Holder:
        holders.append(Holder(entry, run_id))
        return holders[-1]

    yield start
    for holder in holders:
        holder.end()


StartHolder = Callable[..., Holder]


def test_one_process_of_many_wins_the_lock(database: Database, start_holder: StartHolder) -> None:
    holders = [start_holder(database.settings(), f"run{number}") for number in range(4)]
    assert [holder.hear() for holder in holders] == ["ready"] * 4
    for holder in holders:
        holder.say()
    heard = [holder.hear() for holder in holders]
    assert sorted(line.split()[0] for line in heard) == ["refused"] * 3 + ["won"]


def test_the_holder_is_named_and_the_lock_is_free_after_it(
    database: Database, register_alias: Register, start_holder: StartHolder
) -> None:
    backend = BACKENDS[database.vendor]
    connection = connect(register_alias, database.settings(), database.vendor)
    assert backend.lock_holder(connection) is None
    holder = start_holder(database.settings(), "20261120-abcd")
    holder.hear()
    holder.say()
    assert holder.hear() == "won"

    lock = backend.lock(connection, run_id="mine", alias="shop")
    assert not lock.held()
    with pytest.raises(LockHeld) as caught:
        lock.acquire()
    assert caught.value.exit_code is ExitCode.LOCKED
    assert caught.value.hint
    assert "'shop'" in caught.value.message
    session = backend.lock_holder(connection)
    assert session is not None
    assert str(session.pid) in caught.value.message
    if database.vendor != "mysql":  # where no session can say what it is
        assert "Run 20261120-abcd" in caught.value.message
        assert session.application == "migrator:20261120-abcd:default"
        assert session.since is not None
        assert "since" in caught.value.message
    if database.vendor == "sqlite":
        assert session.pid == holder.process.pid

    holder.say()
    lock.acquire(wait=30)
    assert lock.held()
    assert backend.lock_holder(connection) is None, "our own does not count"
    lock.acquire()  # again does nothing
    lock.release()
    assert not lock.held()
    lock.release()  # again does nothing


def test_a_killed_holder_leaves_the_lock_free(
    database: Database, register_alias: Register, start_holder: StartHolder
) -> None:
    connection = connect(register_alias, database.settings(), database.vendor)
    holder = start_holder(database.settings())
    holder.hear()
    holder.say()
    assert holder.hear() == "won"
    holder.process.send_signal(signal.SIGKILL)
    holder.process.wait(timeout=30)
    lock = BACKENDS[database.vendor].lock(connection, run_id="mine", alias="default")
    lock.acquire(wait=30)
    assert lock.held()
    lock.release()


@pytest.mark.postgresql
def test_the_query_of_a_killed_client_ends_soon(
    postgres_database: PostgresDatabase, register_alias: Register, start_holder: StartHolder
) -> None:
    """Without client_connection_check_interval the lock would be held for the whole sleep."""
    connection = connect(register_alias, postgres_database.settings(), "postgresql")
    holder = start_holder(postgres_database.settings())
    holder.hear()
    holder.say()
    assert holder.hear() == "won"
    holder.say("SELECT pg_sleep(200)")
    running = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(200)'"
    while postgres_database.query(running) != [(1,)]:
        pass
    holder.process.send_signal(signal.SIGKILL)
    holder.process.wait(timeout=30)
    assert postgres_database.server.version >= 14
    lock = postgresql.backend.lock(connection, run_id="mine", alias="default")
    lock.acquire(wait=60)
    assert lock.held()


def test_locks_of_two_databases_do_not_meet(
    database: Database, create_database: Callable[..., Database], register_alias: Register
) -> None:
    backend = BACKENDS[database.vendor]
    other = create_database(database.vendor)
    locks = [
        backend.lock(
            connect(register_alias, item.settings(), database.vendor), run_id="r", alias="a"
        )
        for item in (database, other)
    ]
    for lock in locks:
        lock.acquire()
    assert all(lock.held() for lock in locks)
    for lock in locks:
        lock.release()


def test_two_connections_of_one_process_exclude_each_other(
    database: Database, register_alias: Register
) -> None:
    backend = BACKENDS[database.vendor]
    first = connect(register_alias, database.settings(), database.vendor)
    second = connect(register_alias, database.settings(), database.vendor)
    lock = backend.lock(first, run_id="r", alias="a")
    lock.acquire()
    with pytest.raises(LockHeld):
        backend.lock(second, run_id="r", alias="b").acquire()
    assert not backend.lock(second, run_id="r", alias="b").held()
    assert backend.lock_holder(second) is not None
    assert backend.lock_holder(first) is None
    lock.release()
    assert backend.lock_holder(second) is None


@pytest.mark.parametrize(
    "vendor",
    [
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mysql", marks=pytest.mark.mysql),
    ],
)
def test_a_lost_connection_holds_nothing(
    vendor: str, create_database: Callable[..., Database], register_alias: Register
) -> None:
    database = create_database(vendor)
    connection = connect(register_alias, database.settings(), vendor)
    lock = BACKENDS[vendor].lock(connection, run_id="r", alias="a")
    lock.acquire()
    connection.close()
    assert not lock.held()
    connection.ensure_connection()
    assert not lock.held(), "another session of the same wrapper holds nothing"
    lock.acquire()
    pid = {"postgresql": "pg_backend_pid()", "mysql": "CONNECTION_ID()"}[vendor]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {pid}")
        (session,) = cursor.fetchone()
    kill = {"postgresql": "SELECT pg_terminate_backend({})", "mysql": "KILL {}"}[vendor]
    database.execute(kill.format(session))
    assert not lock.held()
    lock.release()


@pytest.mark.postgresql
def test_a_holder_of_another_role_is_named_too(
    postgres_database: PostgresDatabase, register_alias: Register
) -> None:
    role = f"{postgres_database.name}_other"
    postgres_database.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    holder = connect(register_alias, postgres_database.settings(), "postgresql")
    postgresql.backend.lock(holder, run_id="theirs", alias="default").acquire()
    entry = {**postgres_database.settings(), "USER": role, "PASSWORD": "x"}
    connection = connect(register_alias, entry, "postgresql")
    with pytest.raises(LockHeld, match="Run theirs holds the lock"):
        postgresql.backend.lock(connection, run_id="mine", alias="default").acquire()
    connection.close()
    postgres_database.execute(f"DROP ROLE {role}")


@pytest.mark.postgresql
def test_locks_of_the_application_are_none_of_our_business(
    postgres_database: PostgresDatabase, register_alias: Register
) -> None:
    connection = connect(register_alias, postgres_database.settings(), "postgresql")
    with postgres_database.connect() as application:
        application.execute("SELECT pg_advisory_lock(1), pg_advisory_lock(1, 2)")
        application.execute(f"SELECT pg_advisory_lock_shared({postgresql.LOCK_KEY - 1})")
        assert postgresql.backend.lock_holder(connection) is None
        postgresql.backend.lock(connection, run_id="r", alias="a").acquire()


# -- other sessions --------------------------------------------------------------


@pytest.mark.postgresql
def test_a_session_that_records_migrations_is_seen(
    postgres_database: PostgresDatabase, register_alias: Register
) -> None:
    connection = connect(register_alias, postgres_database.settings(), "postgresql")
    postgres_database.execute("CREATE TABLE django_migrations (id serial, app text)")
    with postgres_database.connect() as other:
        other.execute("SET application_name = 'deploy'")
        other.execute("BEGIN")
        other.execute("SELECT * FROM django_migrations")
        assert postgresql.backend.other_migrations(connection) == ()
        other.execute("INSERT INTO django_migrations (app) VALUES ('a')")
        (session,) = postgresql.backend.other_migrations(connection)
        assert (session.pid, session.application) == (other.info.backend_pid, "deploy")
        assert "deploy" in str(session)
        other.execute("ROLLBACK")
    assert postgresql.backend.other_migrations(connection) == ()


@pytest.mark.postgresql
def test_a_session_that_runs_ddl_is_seen(
    postgres_database: PostgresDatabase, register_alias: Register
) -> None:
    connection = connect(register_alias, postgres_database.settings(), "postgresql")
    postgres_database.execute("CREATE TABLE t (a integer)")
    statement = "/* by hand */ ALTER TABLE t ADD COLUMN b integer"
    with postgres_database.connect() as blocker:
        blocker.execute("BEGIN; LOCK TABLE t")
        assert postgresql.backend.other_migrations(connection) == ()
        thread = threading.Thread(target=lambda: postgres_database.execute(statement))
        thread.start()
        while not (seen := postgresql.backend.other_migrations(connection)):
            pass
        assert [session.query for session in seen] == [statement]
        blocker.execute("ROLLBACK")
        thread.join()


@pytest.mark.mysql
def test_a_mysql_session_that_runs_ddl_is_seen(
    mysql: MySQLServer, create_database: Callable[..., Database], register_alias: Register
) -> None:
    backend = BACKENDS["mysql"]
    database = create_database("mysql")
    connection = connect(register_alias, database.settings(), "mysql")
    database.execute("CREATE TABLE t (a integer)")
    statement = "ALTER TABLE t ADD COLUMN b integer"
    with closing(mysql.connect(database.name)) as blocker, blocker.cursor() as cursor:
        cursor.execute("LOCK TABLES t WRITE")
        thread = threading.Thread(target=lambda: database.execute(statement))
        thread.start()
        while not (seen := backend.other_migrations(connection)):
            pass
        assert [session.query for session in seen] == [statement]
        cursor.execute("UNLOCK TABLES")
        thread.join()


# -- proxies ---------------------------------------------------------------------


class Pooler:
    """A proxy that gives each client a session of the server for a transaction, or for as
    long as it stays; the way that PgBouncer does it, most recently used first.
    """

    def __init__(self, database: PostgresDatabase, *, mode: str, size: int) -> None:
        self._mode = mode
        self._database = database
        self._idle = [self._log_in() for _ in range(size)]
        self._servers = list(self._idle)
        self._clients: list[socket.socket] = []
        self._freed = threading.Condition()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for item in (self._listening, *self._clients, *self._servers):
            with suppress(OSError):
                item.shutdown(socket.SHUT_RDWR)
            item.close()

    def _log_in(self) -> socket.socket:
        address = self._database.server.address
        if address.host.startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{address.host}/.s.PGSQL.{address.port}")
        else:
            server = socket.create_connection((address.host, address.port))
        body = struct.pack("!i", 196608)
        for text in ("user", address.user, "database", self._database.name, ""):
            body += text.encode() + b"\0"
        server.sendall(struct.pack("!i", len(body) + 4) + body)
        while _message(server)[:1] != b"Z":
            pass
        return server

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._clients.append(client)
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server: socket.socket | None = None
        with suppress(OSError, EOFError):
            while True:
                (length,) = struct.unpack("!i", _exactly(client, 4))
                (code,) = struct.unpack("!i", _exactly(client, length - 4)[:4])
                if code == 196608:
                    break
                client.sendall(b"N")  # neither TLS nor GSSAPI
            client.sendall(b"R" + struct.pack("!ii", 8, 0))
            for text in (b"server_version\x0015.0\0", b"client_encoding\0UTF8\0"):
                client.sendall(b"S" + struct.pack("!i", len(text) + 4) + text)
            client.sendall(b"K" + struct.pack("!iii", 12, 999_999, 1))
            client.sendall(b"Z" + struct.pack("!i", 5) + b"I")
            while True:
                message = _message(client)
                if message[:1] == b"X":
                    break
                server = server or self._take()
                server.sendall(message)
                if message[:1] in {b"Q", b"S"} and self._answer(server, client):
                    self._give_back(server)
                    server = None
        if server is not None:
            with suppress(OSError, EOFError):
                self._roll_back(server)
                self._give_back(server)
        client.close()

    def _roll_back(self, server: socket.socket) -> None:
        """The client is gone, maybe in the middle of a transaction."""
        query = b"ROLLBACK\0"
        server.sendall(b"Q" + struct.pack("!i", len(query) + 4) + query)
        while _message(server)[:1] != b"Z":
            pass

    def _answer(self, server: socket.socket, client: socket.socket) -> bool:
        """Pass on the server's answer; whether the session is free for somebody else then."""
        while True:
            message = _message(server)
            client.sendall(message)
            if message[:1] == b"Z":
                return self._mode == "transaction" and message[-1:] == b"I"

    def _take(self) -> socket.socket:
        with self._freed:
            self._freed.wait_for(lambda: bool(self._idle))
            return self._idle.pop()

    def _give_back(self, server: socket.socket) -> None:
        with self._freed:
            self._idle.append(server)
            self._freed.notify()


def _exactly(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = source.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _message(source: socket.socket) -> bytes:
    head = _exactly(source, 5)
    return head + _exactly(source, struct.unpack("!i", head[1:])[0] - 4)


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("mode", "size", "pooled"),
    [
        ("transaction", 1, True),
        ("transaction", 3, True),
        ("session", 1, False),
        ("session", 3, False),
    ],
)
def test_a_proxy_that_pools_transactions_is_detected(
    mode: str,
    size: int,
    pooled: bool,
    postgres_database: PostgresDatabase,
    register_alias: Register,
) -> None:
    with closing(Pooler(postgres_database, mode=mode, size=size)) as pooler:
        entry = {**postgres_database.settings(), "HOST": "127.0.0.1", "PORT": str(pooler.port)}
        connection = connect(register_alias, entry, "postgresql")
        assert postgresql.backend.pooled(connection) is pooled
        connection.close()
