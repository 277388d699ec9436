"""Restores that are cut short anywhere, or that meet a database that is no longer one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.acceptance.test_restore import evolve, migrate, shop
from tests.projects import Project
from tests.servers import Database, SQLiteDatabase
from tests.zygote import Zygote

__all__ = ["shop"]

POINTS = 3
"""So many places to be killed at, spread over a whole restore."""


def test_killed_anywhere_it_is_as_before_or_restored_and_is_done_again(
    shop: Callable[..., Project], database: Database, zygote: Zygote
) -> None:
    project = shop(database)
    kept = database.dump(schema_only=False)
    run = project.migrator("backup", check=True).stdout.split()[-1]
    evolve(project)
    assert migrate(project, "--allow-destructive", "--no-backup").returncode == 0
    restore = ("restore", run, "--yes")
    crossed = zygote.run(project, *restore, console=True).crossed
    assert database.dump(schema_only=False) == kept
    step = max(1, len(crossed) // POINTS)
    for at in range(1, len(crossed), step):
        assert migrate(project, "--allow-destructive", "--no-backup").returncode == 0
        later = database.dump(schema_only=False)
        ended = zygote.run(project, *restore, console=True, kill_at=at)
        assert ended.killed, f"{at}: {ended}"
        where = f"killed at {at} of {len(crossed)}: {crossed[at - 1]}"
        assert database.dump(schema_only=False) in (kept, later), where
        ended = zygote.run(project, *restore, console=True)
        assert ended.code == 0, f"{where}: {ended}"
        assert database.dump(schema_only=False) == kept, where
    checked = project.migrator("journal", "check")
    assert checked.returncode == 0, checked
    if database.vendor == "mysql":
        left = database.query("SELECT schema_name FROM information_schema.schemata")
        mine = [name for (name,) in left if "migrator_scratch" in name and run[:8] in name]
        assert mine == []


def test_a_file_that_is_no_database_any_more_says_how_it_is_replaced(
    shop: Callable[..., Project], sqlite_database: SQLiteDatabase
) -> None:
    project = shop(sqlite_database)
    kept = sqlite_database.dump(schema_only=False)
    run = project.migrator("backup", check=True).stdout.split()[-1]
    path, ruins = Path(sqlite_database.path), b"no database at all, but long enough " * 99
    path.write_bytes(ruins)
    refused = project.migrator("restore", run, "--yes")
    assert refused.returncode == 1, refused
    assert f"If {path} is damaged, move it away" in " ".join(refused.stderr.split())
    assert path.read_bytes() == ruins
    path.unlink()
    done = project.migrator("restore", run, "--yes")
    assert done.returncode == 0, done
    assert sqlite_database.dump(schema_only=False) == kept
