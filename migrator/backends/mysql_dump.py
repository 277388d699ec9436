"""Backups of MySQL and MariaDB: mariadb-dump or mysqldump, compressed, and back by renaming.

MySQL commits DDL statement by statement, so a restore into the database itself could stop half
way. Therefore the tables are loaded into a scratch database first, which also proves that the
archive loads, and then all tables change places in one RENAME TABLE. What cannot be renamed
from one database to another (views, triggers, routines, events) is made anew after that. So
the archive has three parts, each a complete dump of the tool's own; together they are one plain
SQL script, `gunzip -c FILE | mariadb DATABASE`.

The password is in a private option file: neither arguments nor environment hold it.
"""

from __future__ import annotations

import gzip
import os
import re
import tempfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.db import Error

from migrator.backends.base import Session
from migrator.backends.catalog import fetch, fetch_row, reason
from migrator.backends.dump import HISTORY, Dumper, Step
from migrator.backends.mysql_scratch import MySQLScratch
from migrator.backends.programs import CHUNK, Call, Program, look_up, spell_place
from migrator.backends.scratch import scratch_name
from migrator.core.spelling import spell_bytes
from migrator.exceptions import RestoredInPart, ScratchRefused, ToolFailed

LOCK_WAIT_SECONDS = 10

TABLES, PROGRAMS, VIEWS = "tables", "programs", "views"
_MARK = "-- Part of a migrator backup: "
_TRAILER = re.compile(rb"^-- Dump completed", re.M)
_SANDBOX = re.compile(rb"\A/\*M?!999999\\- enable the sandbox mode \*/[^\n]*\n")

# Without --hex-blob: hexadecimal is twice as long, and a row that the server has taken once must
# not be too large for its max_allowed_packet when it comes back.
_DUMPING = (
    "--single-transaction",
    "--quick",
    "--max-allowed-packet=1G",
    "--no-tablespaces",
    "--skip-dump-date",
    "--default-character-set=utf8mb4",
)


class MySQLDumper(Dumper):
    """See Dumper."""

    vendor = "mysql"
    suffix = ".sql.gz"

    _program: Program | None = None

    def tool(self) -> str:
        """See Dumper."""
        return str(self._dumping())

    def size(self) -> int | None:
        """See Dumper. Without indexes, which are not dumped."""
        (size,) = fetch_row(
            self.connection,
            "SELECT sum(data_length) FROM information_schema.tables"
            " WHERE table_schema = DATABASE()",
        )
        return int(size or 0)

    def dump(self, path: Path) -> None:
        """See Dumper."""
        views = self._names("SELECT table_name FROM information_schema.views")
        name = str(self.connection.settings_dict["NAME"])
        parts = {
            TABLES: [
                "--skip-triggers",
                *self._history(),
                *(f"--ignore-table={name}.{view}" for view in views),
                "--",
                name,
            ],
            PROGRAMS: [
                "--no-create-info",
                "--no-data",
                *("--triggers", "--routines", "--events"),
                *(f"--ignore-table={name}.{view}" for view in views),
                "--",
                name,
            ],
            VIEWS: ["--skip-triggers", "--", name, *views],
        }
        with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
            for part, arguments in parts.items():
                file.write(f"{_MARK}{part}\n".encode())
                if part == VIEWS and not views:
                    continue  # without names, it would dump everything
                with self._call(self._dumping().path, *self._flavour(), *arguments) as call:
                    for chunk in call.read():
                        file.write(chunk)

    def check(self, path: Path, *, history: bool) -> str:
        """See Dumper. gzip carries a checksum of the whole; each part ends with a line of the
        tool's own that it writes last.
        """
        wanted = f"CREATE TABLE `{HISTORY}`".encode()
        complete: dict[str, bool | None] = {}  # None: there is nothing in it
        found, length, longest = False, 0, 0
        for part, line, begins in _lines(path):
            length = len(line) + (0 if begins else length)
            longest = max(longest, length)
            if not begins:
                continue
            complete.setdefault(part, None)
            if _TRAILER.match(line):
                complete[part] = True
            elif line.strip():
                complete[part] = False
            found = found or wanted in line
        if tuple(complete) != (TABLES, PROGRAMS, VIEWS):
            raise ToolFailed("The file is no whole backup of MySQL or MariaDB.")
        for part, is_complete in complete.items():
            if not is_complete and (is_complete is False or part != VIEWS):
                raise ToolFailed(f"The dump ends in the middle of its {part}.")
        if history and not found:
            raise ToolFailed(f"The dump does not hold the table {HISTORY}.")
        (packet,) = fetch_row(self.connection, "SELECT @@GLOBAL.max_allowed_packet")
        if longest > int(packet):
            raise ToolFailed(
                f"A row of the dump takes {spell_bytes(longest)}, and the server takes "
                f"{spell_bytes(int(packet))} at once: it could not be brought back.",
                hint="Raise the server's max_allowed_packet.",
            )
        return "read whole: checksum, and each part to its last line"

    def others(self) -> tuple[Session, ...]:
        """See Dumper. Without the PROCESS privilege, only those of the same user."""
        return tuple(
            Session(
                pid=int(row["pid"]),
                user=str(row["user"]),
                client=str(row["client"]).rsplit(":", 1)[0],
            )
            for row in fetch(self.connection, "mysql_others")
        )

    def restore(self, path: Path, *, run_id: str, same: bool, step: Step) -> None:  # noqa: ARG002
        """See Dumper."""
        alias = self.connection.alias
        new = scratch_name(run_id, f"new_{alias}")
        old = scratch_name(run_id, f"old_{alias}")
        loading, leaving = MySQLScratch(self.connection, {}), MySQLScratch(self.connection, {})
        try:
            with loading.scratch(new), leaving.scratch(old):
                step("the tables are loaded into a scratch database")
                self._feed(_part(path, TABLES), new)
                step("the tables change places")
                self._swap(new, old)
                step("views, triggers, routines and events are made anew")
                try:
                    self._drop_programs()
                    self._feed(_part(path, PROGRAMS), self._name)
                    self._feed(_part(path, VIEWS), self._name)
                except (ToolFailed, Error) as error:
                    said = getattr(error, "message", "") or reason(self.connection, error)
                    raise RestoredInPart(
                        "The tables are restored, but not all views, triggers, routines and "
                        f"events: {said}",
                        hint="Mend that, then restore again: it begins anew.",
                    ) from error
        except ScratchRefused as error:
            raise ToolFailed(
                error.message,
                hint="A restore loads the tables beside the database first: let the user "
                "create databases whose names begin with migrator_scratch_.",
            ) from error
        except Error as error:
            raise ToolFailed(f"{reason(self.connection, error)}.") from error

    def absent(self) -> bool:
        """See Dumper."""
        with self.connection._nodb_cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", [self._name]
            )
            return cursor.fetchone() is None

    def create(self) -> None:
        """See Dumper."""
        with self.connection._nodb_cursor() as cursor:
            try:
                cursor.execute(f"CREATE DATABASE {_quote(self._name)} CHARACTER SET utf8mb4")
            except Error as error:
                raise ToolFailed(
                    f"The database {self._name} cannot be made: {reason(self.connection, error)}.",
                    hint="Let the role create databases, or make it by hand, empty, and repeat.",
                ) from error

    # -- the exchange ---------------------------------------------------------------

    @property
    def _name(self) -> str:
        return str(self.connection.settings_dict["NAME"])

    def _swap(self, new: str, old: str) -> None:
        """All tables in one statement: out with those that are there, in with those of the
        archive. A table with triggers cannot leave its database, so they go just before, and
        come back when the exchange fails.
        """
        leaving = self._names(_TABLES_OF, self._name)
        coming = self._names(_TABLES_OF, new)
        moves = [f"{_quote(self._name)}.{_quote(t)} TO {_quote(old)}.{_quote(t)}" for t in leaving]
        moves += [f"{_quote(new)}.{_quote(t)} TO {_quote(self._name)}.{_quote(t)}" for t in coming]
        triggers = self._triggers()
        with self.connection.cursor() as cursor:
            cursor.execute("SET @migrator_checks = @@foreign_key_checks, foreign_key_checks = 0")
            cursor.execute(f"SET lock_wait_timeout = {LOCK_WAIT_SECONDS}")
            try:
                for trigger in triggers:
                    cursor.execute(f"DROP TRIGGER {_quote(trigger)}")
                if moves:
                    cursor.execute("RENAME TABLE " + ", ".join(moves))
            except BaseException:
                for mode, statement in triggers.values():
                    with suppress(Error):
                        cursor.execute("SET sql_mode = %s", [mode])
                        cursor.execute(statement.replace("%", "%%"))
                raise
            finally:
                with suppress(Error):
                    cursor.execute("SET foreign_key_checks = @migrator_checks")

    def _triggers(self) -> dict[str, tuple[str, str]]:
        """Each trigger's SQL mode and definition."""
        found = {}
        for name in self._names(
            "SELECT trigger_name FROM information_schema.triggers", column="trigger_schema"
        ):
            row = fetch_row(self.connection, f"SHOW CREATE TRIGGER {_quote(name)}")
            found[name] = (str(row[1]), str(row[2]))
        return found

    def _drop_programs(self) -> None:
        """What the exchange has left: it belonged to the tables that are gone."""
        with self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT 'VIEW', table_name FROM information_schema.views"
                " WHERE table_schema = DATABASE()"
                " UNION ALL SELECT routine_type, routine_name FROM information_schema.routines"
                " WHERE routine_schema = DATABASE()"
                " AND routine_type IN ('FUNCTION', 'PROCEDURE')"
                " UNION ALL SELECT 'EVENT', event_name FROM information_schema.events"
                " WHERE event_schema = DATABASE()"
            )
            for kind, name in cursor.fetchall():
                cursor.execute(f"DROP {kind} {_quote(name)}")

    def _names(self, sql: str, schema: str = "", *, column: str = "table_schema") -> list[str]:
        with self.connection.cursor() as cursor:
            joined = "AND" if "WHERE" in sql else "WHERE"
            cursor.execute(f"{sql} {joined} {column} = %s ORDER BY 1", [schema or self._name])
            return [str(name) for (name,) in cursor.fetchall()]

    # -- the programs ------------------------------------------------------------------

    def _feed(self, chunks: Iterator[bytes], database: str) -> None:
        # Databases may bear any name; an option file takes it without a shell's rules.
        with self._call(
            self._client(),
            "--default-character-set=utf8mb4",
            "--max-allowed-packet=1G",
            "--batch",
            database=database,
        ) as call:
            call.feed(chunks)

    def _client(self) -> Path:
        found = self._dumping()
        names = ("mariadb", "mysql") if "MariaDB" in found.said else ("mysql", "mariadb")
        for name in names:
            with suppress(ToolFailed):
                return found.beside(name)
        return found.beside(names[0])

    def _dumping(self) -> Program:
        if self._program is None:
            mariadb = bool(self.connection.mysql_is_mariadb)  # type: ignore[attr-defined]
            places = [Path(self.tools)] if self.tools else []
            found = [
                program
                for name in ("mariadb-dump", "mysqldump")
                for program in look_up(name, places)
            ]
            if not found:
                raise ToolFailed(
                    f"There is neither mariadb-dump nor mysqldump {spell_place(self.tools)}.",
                    hint="Install the client programs (Debian: mariadb-client or "
                    'default-mysql-client), name their directory in MIGRATOR["CLIENT_TOOLS"], '
                    "or migrate without a backup by --no-backup.",
                )
            # Each product dumps itself best.
            found.sort(key=lambda program: ("MariaDB" in program.said) != mariadb)
            self._program = found[0]
        return self._program

    def _history(self) -> tuple[str, ...]:
        """Of system-versioned tables (MariaDB), the rows of before as well. A client that does
        not know the option makes no backup, rather than one that has lost them.
        """
        versioned = self._names(f"{_TABLES_OF} AND table_type = 'SYSTEM VERSIONED'")
        return ("--dump-history",) if versioned else ()

    def _flavour(self) -> tuple[str, ...]:
        if "MariaDB" in self._dumping().said:
            return _DUMPING
        return (*_DUMPING, "--set-gtid-purged=OFF", "--column-statistics=0")

    @contextmanager
    def _call(self, program: Path, *arguments: str, database: str = "") -> Iterator[Call]:
        """A call of a program that connects; its option file lives as long as this does."""
        parameters = self.connection.get_connection_params()
        mariadb = "MariaDB" in self._dumping().said
        with tempfile.TemporaryDirectory(prefix="migrator-") as directory:  # mode 0700
            options = Path(directory, "options.cnf")
            text = option_file(parameters, mariadb=mariadb, database=database)
            with os.fdopen(os.open(options, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(text)
            secret = str(parameters.get("password") or parameters.get("passwd") or "")
            yield Call(
                [str(program), f"--defaults-extra-file={options}", *arguments],
                {},
                secrets=(secret,),
                without=("MYSQL_PWD",),
            )


def _quote(name: str) -> str:
    """An identifier; Django's `quote_name` leaves a backtick within it alone."""
    return "`" + name.replace("`", "``") + "`"


_TABLES_OF = "SELECT table_name FROM information_schema.tables WHERE table_type <> 'VIEW'"


# -- the archive --------------------------------------------------------------------------


def _lines(path: Path) -> Iterator[tuple[str, bytes, bool]]:
    """Each line of an archive with the name of its part; a very long one in pieces, of which
    only the first begins a line.

    Raises:
        ToolFailed: It is no gzip file, is cut off, or its checksum is wrong.
    """
    part = ""
    try:
        with gzip.open(path, "rb") as file:
            whole = True
            while line := file.readline(CHUNK):
                if whole and line.startswith(_MARK.encode()):
                    part, line = line[len(_MARK) :].strip().decode(errors="replace"), b"\n"
                yield part, line, whole
                whole = line.endswith(b"\n")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ToolFailed(f"The file is damaged: {error}.") from error


def _part(path: Path, wanted: str) -> Iterator[bytes]:
    """One part of an archive that was checked."""
    part, first = "", True
    with gzip.open(path, "rb") as file:
        whole = True
        while line := file.readline(CHUNK):
            if whole and line.startswith(_MARK.encode()):
                part, first = line[len(_MARK) :].strip().decode(), True
            elif part == wanted:
                # Only MariaDB's newest clients know it; it is an option, not a statement.
                yield _SANDBOX.sub(b"", line) if first else line
                first = False
            whole = line.endswith(b"\n")


# -- how they connect ----------------------------------------------------------------------


def option_file(parameters: Mapping[str, Any], *, mariadb: bool, database: str = "") -> str:
    """A client's option file.

    Args:
        parameters: Of the driver, as Django gives them.
        mariadb: Whether MariaDB's programs read it.
        database: Which database a client is to use; "" where the arguments say it.
    """
    lines = []
    if parameters.get("read_default_file"):
        lines.append(f"!include {parameters['read_default_file']}")
    lines.append("[client]")
    for key, names in _OPTIONS.items():
        value = next((parameters[name] for name in names if parameters.get(name)), None)
        if value is not None:
            lines.append(f"{key}={quoted(str(value))}")
    ssl = parameters.get("ssl") or {}
    ssl = ssl if isinstance(ssl, Mapping) else {}
    lines += [
        f"ssl-{key}={quoted(str(ssl[key]))}"
        for key in ("ca", "capath", "cert", "key", "cipher")
        if ssl.get(key)
    ]
    mode = str(parameters.get("ssl_mode") or "").upper()
    if mode and not mariadb:
        lines.append(f"ssl-mode={mode}")
    elif mariadb:
        # Its newest programs verify by default; the driver of the connection does not.
        verify = mode == "VERIFY_IDENTITY" or bool(ssl.get("check_hostname"))
        lines += ["ssl"] if mode in _SSL_REQUIRED or ssl else []
        lines.append(f"loose-ssl-verify-server-cert={int(verify)}")
    if database:
        lines += ["[mysql]", f"database={quoted(database)}"]
        lines += ["[mariadb-client]", f"database={quoted(database)}"]
    return "\n".join([*lines, ""])


_OPTIONS: Mapping[str, Collection[str]] = {
    "user": ("user",),
    "password": ("password", "passwd"),
    "host": ("host",),
    "port": ("port",),
    "socket": ("unix_socket",),
}
_SSL_REQUIRED = ("REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")


def quoted(value: str) -> str:
    """A value as an option file takes it, whatever it holds."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
