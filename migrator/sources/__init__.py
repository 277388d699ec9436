"""Where a schema comes from: what Django's code expects of one database, as plain data."""

from migrator.sources.effects import Walk, load_effects
from migrator.sources.expressions import find_differing, stated_expressions
from migrator.sources.graph import (
    Disk,
    check_conflicts,
    check_history,
    file_digests,
    full_plan,
    leaf_nodes,
    load_disk,
    load_file_digests,
    load_graph,
    pending_plan,
    recorded_plan,
    recorded_state,
)
from migrator.sources.ownership import Ownership
from migrator.sources.state import StateTables, state_schema

__all__ = [
    "Disk",
    "Ownership",
    "StateTables",
    "Walk",
    "check_conflicts",
    "check_history",
    "file_digests",
    "find_differing",
    "full_plan",
    "leaf_nodes",
    "load_disk",
    "load_effects",
    "load_file_digests",
    "load_graph",
    "pending_plan",
    "recorded_plan",
    "recorded_state",
    "state_schema",
    "stated_expressions",
]
