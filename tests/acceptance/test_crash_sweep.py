"""A few points of the crash sweep on each vendor; `make test-crash` is all of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.servers import MYSQL_URL, PostgresServer

ROOT = Path(__file__).parents[2]


def swept(vendor: str, *arguments: str) -> list[dict[str, Any]]:
    """The points of ours, as one worker reports them."""
    completed = subprocess.run(
        [sys.executable, "-m", "tests.sweep.worker", "--vendor", vendor, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr[-3000:]
    documents = [json.loads(x) for x in completed.stdout.splitlines() if x.startswith("{")]
    points = [d for d in documents if d["event"] == "point" and not d["stock"]]
    failures = [point for point in points if point["verdict"] != "converged"]
    assert not failures, json.dumps(failures[:3], indent=1)
    return points


def kinds(points: list[dict[str, Any]]) -> set[str]:
    return {point["kind"] for point in points}


def test_killed_on_sqlite_it_converges() -> None:
    points = swept("sqlite", "--thin", "40", "--thin-light", "2", "--thin-returns", "4")
    assert len(points) >= 15
    assert kinds(points) >= {"killed", "killed in resume", "history of kills", "runs at once"}


@pytest.mark.postgresql
def test_killed_on_postgresql_it_converges(postgres: PostgresServer) -> None:
    address = postgres.address
    login = address.user + (f":{address.password}" if address.password else "")
    url = f"postgresql://{login}@/{address.maintenance}?host={address.host}&port={address.port}"
    points = swept(
        "postgresql", "--server", url, "--thin", "40", "--thin-light", "2", "--thin-returns", "4"
    )
    assert len(points) >= 15
    assert kinds(points) >= {"killed", "killed in flight", "answer lost", "session terminated"}


@pytest.mark.mysql
@pytest.mark.usefixtures("mysql")
def test_killed_without_transactional_ddl_it_converges() -> None:
    points = swept(
        "mysql",
        "--server",
        os.environ[MYSQL_URL],
        "--thin",
        "80",
        "--thin-light",
        "3",
        "--thin-returns",
        "4",
    )
    assert len(points) >= 12
    assert kinds(points) >= {"killed", "killed in flight", "session terminated"}
