"""A sample of the mutation suite, a process for each vendor; `make test-mutations` does it all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests import servers
from tests.servers import MySQLServer, PostgresServer

ROOT = Path(__file__).parents[2]


def go_through(vendor: str, sample: int, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutations", vendor, "--sample", str(sample)],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    return done.stdout


def test_a_sample_on_postgresql(postgres: PostgresServer) -> None:
    address = postgres.address
    login = address.user + (f":{address.password}" if address.password else "")
    if address.host.startswith("/"):
        url = f"postgresql://{login}@/postgres?host={address.host}&port={address.port}"
    else:
        url = f"postgresql://{login}@{address.host}:{address.port}/{address.maintenance}"
    shown = go_through("postgresql", 40, **{servers.POSTGRES_URL: url})
    assert "mutations" in shown


def test_a_sample_on_mysql(mysql: MySQLServer) -> None:
    assert "mutations" in go_through("mysql", 60)


def test_a_sample_on_sqlite() -> None:
    assert "mutations" in go_through("sqlite", 30)
