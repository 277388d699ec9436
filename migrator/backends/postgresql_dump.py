"""Backups of PostgreSQL: pg_dump's custom format, and back in one transaction.

pg_dump and its kin get the parameters of the connection that is open (whatever settings,
service files and environment variables they came from) in a private service file, and the
password in a private PGPASSFILE: neither their arguments nor their environment hold it.

A restore is one transaction of psql: drop what a dump would hold, replay the archive, commit.
The COMMIT is only sent when pg_restore has read the archive to its end without an error, so a
restore that fails or is killed leaves the database as it was. Other sessions read the old data
until then, or wait.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.backends.base import Session
from migrator.backends.catalog import fetch, fetch_row, load_sql, reason
from migrator.backends.dump import HISTORY, Dumper, Step
from migrator.backends.programs import Call, Program, look_up, spell_place
from migrator.exceptions import ToolFailed

DUMP_LOCK_WAIT_MS = 60_000
RESTORE_LOCK_WAIT = "10s"

_INSTALLED = ("/usr/lib/postgresql", "/usr/pgsql-*", "/opt/homebrew/opt", "/usr/local/opt")
_WRAPPER = "pg_wrapper"
"""Debian's stand-in, which chooses a version by the port; its real programs are looked for."""

_HANDED_ON = {
    **dict.fromkeys(("host", "hostaddr", "port", "user", "dbname", "options"), 13),
    **dict.fromkeys(("sslmode", "sslcompression", "sslcert", "sslkey", "sslpassword"), 13),
    **dict.fromkeys(("sslrootcert", "sslcrl", "channel_binding", "gssencmode"), 13),
    **dict.fromkeys(("ssl_min_protocol_version", "ssl_max_protocol_version"), 13),
    **dict.fromkeys(("krbsrvname", "gsslib", "requirepeer", "connect_timeout"), 13),
    **dict.fromkeys(("keepalives", "keepalives_idle", "keepalives_interval"), 13),
    **dict.fromkeys(("keepalives_count", "tcp_user_timeout", "target_session_attrs"), 13),
    **dict.fromkeys(("sslsni", "sslcrldir"), 14),
    **dict.fromkeys(("require_auth", "sslcertmode", "gssdelegation"), 16),
    "sslnegotiation": 17,
}
"""Parameters and the libpq that knows them first: the program's may be older than the driver's,
and one that it does not know is an error."""
_HIDDEN = ("PGPASSWORD", "PGOPTIONS", "PGCLIENTENCODING")


class PostgreSQLDumper(Dumper):
    """See Dumper."""

    vendor = "postgresql"
    suffix = ".dump"

    _program: Program | None = None

    def tool(self) -> str:
        """See Dumper. The oldest program that is not older than the server: pg_dump refuses
        a newer server, and writes for its own version.
        """
        if self._program is None:
            self._program = choose(
                [*_candidates(self.tools)],
                self._server_major(),
                self.connection.alias,
                tools=self.tools,
            )
        return str(self._program)

    def size(self) -> int | None:
        """See Dumper."""
        try:
            (size,) = fetch_row(self.connection, "SELECT pg_database_size(current_database())")
        except Error:  # a role without CONNECT may not ask
            return None
        return int(size)

    def dump(self, path: Path) -> None:
        """See Dumper."""
        with (
            self._call(
                "pg_dump",
                "--format=custom",
                "--no-password",
                f"--lock-wait-timeout={DUMP_LOCK_WAIT_MS}",
            ) as call,
            path.open("wb") as file,
        ):
            for chunk in call.read():
                file.write(chunk)

    def check(self, path: Path, *, history: bool) -> str:
        """See Dumper. `pg_restore --list` reads no data, so it accepts a truncated file."""
        listing = self._listing(path)
        if history and not re.search(rf"^\d+; .* TABLE DATA \S+ {HISTORY} ", listing, re.M):
            raise ToolFailed(f"The archive does not hold the table {HISTORY}.")
        Call([self._restore_tool(), "-f", os.devnull, str(path)], {}, without=_HIDDEN).run()
        return f"read by pg_restore {'.'.join(map(str, self._found().version))}"

    def others(self) -> tuple[Session, ...]:
        """See Dumper."""
        return tuple(Session(**row) for row in fetch(self.connection, "postgresql_others"))

    def restore(self, path: Path, *, run_id: str, same: bool, step: Step) -> None:  # noqa: ARG002
        """See Dumper."""
        extensions = {row[0] for row in self._rows("SELECT extname::text FROM pg_extension")}
        listing = self._listing(path)
        kept = extensions & archived_extensions(listing) | {"plpgsql"}
        schemas = {
            row[0]
            for row in self._rows(
                "SELECT DISTINCT nspname::text FROM pg_extension AS e"
                " JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE extname = ANY (%s)",
                [sorted(kept)],
            )
        }
        step("everything is replaced in one transaction")
        with (
            tempfile.NamedTemporaryFile("w", prefix="migrator-", suffix=".list") as wanted,
            self._call(
                "psql", "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"
            ) as psql,
        ):
            wanted.write(wanted_entries(listing, kept, schemas))
            wanted.flush()
            argv = [self._restore_tool(), "--exit-on-error", f"--use-list={wanted.name}"]
            if not same:
                argv += ["--no-owner", "--no-privileges"]
            script = Call([*argv, "-f", "-", str(path)], {}, without=_HIDDEN).read()
            psql.feed(self._script(script, kept))
        with suppress(Error), self.connection.cursor() as cursor:
            cursor.execute("ANALYZE")  # statistics are not dumped

    def absent(self) -> bool:
        """See Dumper. Asks a database of the server that is always there."""
        with self.connection._nodb_cursor() as cursor:
            name = str(self.connection.settings_dict["NAME"])
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            return cursor.fetchone() is None

    def create(self) -> None:
        """See Dumper."""
        name = str(self.connection.settings_dict["NAME"])
        quoted = name.replace('"', '""')  # Django's quote_name leaves it alone
        with self.connection._nodb_cursor() as cursor:
            try:
                cursor.execute(f'CREATE DATABASE "{quoted}" TEMPLATE template0')
            except Error as error:
                raise ToolFailed(
                    f"The database {name} cannot be made: {reason(self.connection, error)}.",
                    hint="Let the role create databases, or make it by hand, empty, and repeat.",
                ) from error

    # -- how it is done -----------------------------------------------------------

    def _script(self, script: Iterator[bytes], kept: Collection[str]) -> Iterator[bytes]:
        """What psql gets. COMMIT is the last line, behind an archive that was read whole."""
        names = ",".join(sorted(kept)).replace("'", "''")
        yield (
            "SET client_min_messages = warning;\n"
            "BEGIN;\n"
            f"SET LOCAL lock_timeout = '{RESTORE_LOCK_WAIT}';\n"
            "SET LOCAL statement_timeout = 0;\n"
            f"SET LOCAL migrator.kept_extensions = '{names}';\n"
            f"{load_sql('postgresql_clear')}\n"
        ).encode()
        first = True
        for chunk in script:
            yield readable_by(chunk, self._server_major()) if first else chunk
            first = False
        yield b"\nCOMMIT;\n"

    def _listing(self, path: Path) -> str:
        return Call([self._restore_tool(), "--list", str(path)], {}, without=_HIDDEN).text()

    def _restore_tool(self) -> str:
        return str(self._found().beside("pg_restore"))

    def _found(self) -> Program:
        self.tool()
        assert self._program is not None  # noqa: S101  (tool() finds it or raises)
        return self._program

    def _server_major(self) -> int:
        return int(self.connection.pg_version) // 10000  # type: ignore[attr-defined]

    def _rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[str, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, params or None)
            return [tuple(row) for row in cursor.fetchall()]

    @contextmanager
    def _call(self, name: str, *arguments: str) -> Iterator[Call]:
        """A call of a program that connects; its parameters live as long as this does."""
        info = self.connection.connection.info
        password: str = info.password
        libpq = self._found().version[0]
        parameters = parameters_of(self.connection, libpq=libpq)
        with tempfile.TemporaryDirectory(prefix="migrator-") as directory:  # mode 0700
            service, passfile = Path(directory, "service"), Path(directory, "password")
            _write_private(service, service_file(parameters))
            _write_private(passfile, pass_file(password))
            yield Call(
                [str(self._found().beside(name)), *arguments],
                {
                    "PGSERVICEFILE": str(service),
                    "PGSERVICE": "migrator",
                    "PGPASSFILE": str(passfile),
                },
                secrets=(password,),
                without=_HIDDEN,
            )


# -- the programs ---------------------------------------------------------------------


def _candidates(tools: str) -> Iterator[Program]:
    if tools:
        yield from look_up("pg_dump", [Path(tools)])
        return
    yield from look_up("pg_dump")
    for place in _INSTALLED:
        base = Path(place)
        pattern = f"{base.name}/bin" if "*" in base.name else f"{base.name}/*/bin"
        yield from look_up("pg_dump", sorted(base.parent.glob(pattern)))


def choose(candidates: Collection[Program], server: int, alias: str, *, tools: str = "") -> Program:
    """The program for a server.

    Args:
        candidates: Those that were found.
        server: The server's major version.
        alias: For the message.
        tools: Where alone they were looked for; "" for the usual places.

    Raises:
        ToolFailed: There is none, or all are too old.
    """
    named = [program for program in candidates if program.version]
    fitting = [program for program in named if program.version[0] >= server]
    if fitting:
        return min(
            fitting, key=lambda p: (p.version[0], Path(os.path.realpath(p.path)).name == _WRAPPER)
        )
    if not named:
        raise ToolFailed(
            f"There is no pg_dump {spell_place(tools)}.",
            hint="Install PostgreSQL's client programs (Debian: postgresql-client), name their "
            'directory in MIGRATOR["CLIENT_TOOLS"], or migrate without a backup by --no-backup.',
        )
    newest = max(named, key=lambda program: program.version)
    raise ToolFailed(
        f"{newest} at {newest.path} is older than the server of {alias}, PostgreSQL {server}, "
        "and pg_dump refuses newer servers.",
        hint=f"Install the client programs of PostgreSQL {server} (Debian: "
        f'postgresql-client-{server}), name their directory in MIGRATOR["CLIENT_TOOLS"], '
        "or migrate without a backup by --no-backup.",
    )


# -- how they connect -------------------------------------------------------------------


def parameters_of(connection: BaseDatabaseWrapper, *, libpq: int) -> dict[str, str]:
    """The parameters of an open connection, wherever they came from; never the password.

    `host` and `port` are those that were really connected to, of several that were named.

    Args:
        connection: Open.
        libpq: Major version of the program that gets them.
    """
    info = connection.connection.info
    given = {
        key: value
        for key, value in info.get_parameters().items()
        if value and _HANDED_ON.get(key, sys.maxsize) <= libpq
    }
    several = "," in given.get("host", "") or "," in given.get("hostaddr", "")
    if several:
        given.pop("hostaddr", None)
    return {
        **given,
        "host": info.host,
        "port": str(info.port),
        "user": info.user,
        "dbname": info.dbname,
        "application_name": "migrator:backup",
    }


def service_file(parameters: Mapping[str, str]) -> str:
    """A libpq service file with one service, `migrator`.

    Args:
        parameters: By keyword; a line holds one, so none may span two.
    """
    lines = [f"{key}={value}" for key, value in parameters.items() if value and "\n" not in value]
    return "\n".join(["[migrator]", *lines, ""])


def pass_file(password: str) -> str:
    """A libpq password file that answers for every server."""
    if not password:
        return ""
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    return f"*:*:*:*:{escaped}\n"


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


# -- the table of contents of an archive ---------------------------------------------------

_EXTENSION = re.compile(r"^\d+; \d+ \d+ EXTENSION - (?P<name>.+?) *$", re.M)


def archived_extensions(listing: str) -> frozenset[str]:
    """The extensions that an archive makes.

    Args:
        listing: What `pg_restore --list` prints.
    """
    return frozenset(match["name"] for match in _EXTENSION.finditer(listing))


def wanted_entries(listing: str, extensions: Collection[str], schemas: Collection[str]) -> str:
    """The listing without what is there already and stays.

    Args:
        listing: What `pg_restore --list` prints.
        extensions: That stay: a comment on one belongs to its owner.
        schemas: That stay, as they hold such extensions.
    """
    left_out = tuple(
        [f" EXTENSION - {name} " for name in extensions]
        + [f" COMMENT - EXTENSION {name} " for name in extensions]
        + [f" SCHEMA - {name} " for name in schemas if name != "public"]
    )
    lines = [
        line
        for line in listing.splitlines()
        if line.startswith(";") or not any(entry in f"{line} " for entry in left_out)
    ]
    return "\n".join([*lines, ""])


def readable_by(script: bytes, server: int) -> bytes:
    """The beginning of a script without a setting that the server does not know yet."""
    if server >= 17:
        return script
    return script.replace(b"SET transaction_timeout = 0;\n", b"", 1)
