"""A healthy database with migrations still to come, at every point of its history: no alarm.

That is what a deploy finds, and where what is pending could be taken for what is there.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.projects import Project
from tests.servers import Database

GO_ALONG = """
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from migrator.backends import backend_for
from migrator.scanner import scan_target

backend = backend_for(connection.vendor)
executor = MigrationExecutor(connection)
plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
state = executor._create_project_state(with_applied_migrations=True)
seen = 0
for migration, _ in plan:
    executor.recorder.ensure_schema()
    state = executor.apply_migration(state, migration)
    executor.check_replacements()
    scan = scan_target(
        connection, backend, alias="default", phase="scan", emit=lambda event: None
    )
    seen += 1
    for incident in scan.blocking:
        print("BLOCKS after", migration, incident.code.value, incident.object, incident.message)
print("LOOKED", seen, "of", len(plan))
"""


def test_no_alarm_at_any_point_of_a_history(
    database: Database, sample_project: Callable[..., Project]
) -> None:
    project = sample_project(databases={"default": database.settings()})
    done = project.manage("shell", "-c", GO_ALONG, timeout=280)
    assert done.returncode == 0, done
    assert "BLOCKS" not in done.stdout, done.stdout
    looked = next(line for line in done.stdout.splitlines() if line.startswith("LOOKED"))
    _, seen, _, planned = looked.split()
    assert seen == planned
    assert int(seen) > 30
