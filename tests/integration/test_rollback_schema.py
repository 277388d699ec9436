"""Each migration of the realistic projects, there and back: the schema is the one from before."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.projects import Project
from tests.servers import Database

ROOT = Path(__file__).resolve().parents[2]


def walk_back(root: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.healthy.back", "default"],
        cwd=root,
        env={**env, "PYTHONPATH": os.pathsep.join([str(ROOT), str(root)])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_sample_project(database: Database, sample_project: Callable[..., Project]) -> None:
    project = sample_project(databases={"default": database.settings()})
    said = walk_back(project.root, project.environ())
    assert "there and back" in said
    assert "irreversible" not in said


@pytest.mark.parametrize("vendor", ["postgresql"])
def test_the_sweeps_project(
    vendor: str, create_database: Callable[..., Database], tmp_path: Path
) -> None:
    """Operations outside of transactions, squashes, data."""
    database = create_database(vendor)
    env = Project(tmp_path).environ(
        {
            "SWEEP_DATABASES": _json({"default": database.settings()}),
            "SWEEP_JOURNAL": f"sqlite:///{tmp_path}/journal.sqlite3",
        }
    )
    assert "there and back" in walk_back(ROOT / "tests/sweep/project", env)


def _json(value: object) -> str:
    import json

    return json.dumps(value, default=str)
