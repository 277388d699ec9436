"""What the rows of django_migrations say, held against the migrations on disk. Data only.

Stricter than nothing and no stricter than Django: duplicate rows, rows of replaced
migrations and rows that only a squash's `replaces` names are all part of a healthy database
(`MigrationRecorder.applied_migrations`, `MigrationLoader.build_graph`,
`MigrationLoader.check_consistent_history`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from migrator.core.effects import MigrationKey
from migrator.core.incidents import Code, Evidence, Incident, ObjectRef


@dataclass(frozen=True, slots=True)
class HistoryFacts:
    """The migration graph and the recorded rows, as data.

    Attributes:
        nodes: Every migration on disk, replaced ones included (`loader.disk_migrations`).
        parents: Dependencies of each migration on disk, `__first__`/`__latest__` resolved,
            `run_before` included. Those of replaced migrations too.
        replacements: Of each squashed migration on disk, the migrations that it replaces.
        recorded: The rows of django_migrations by id, duplicates included.
        apps: Labels of the installed apps; None when unknown.
    """

    nodes: frozenset[MigrationKey] = frozenset()
    parents: Mapping[MigrationKey, tuple[MigrationKey, ...]] = field(default_factory=dict)
    replacements: Mapping[MigrationKey, tuple[MigrationKey, ...]] = field(default_factory=dict)
    recorded: tuple[MigrationKey, ...] = ()
    apps: frozenset[str] | None = None


def classify_history(facts: HistoryFacts) -> tuple[Incident, ...]:
    """Ghosts (DR109), rows without their dependency (DR110), partial squashes (DR111).

    Args:
        facts: The graph and the rows.

    Returns:
        Incidents, ordered by code, then migration.
    """
    found = (*_ghosts(facts), *_wrong_order(facts), *_partial_squashes(facts))
    return tuple(sorted(found, key=lambda i: (i.code.value, i.object.name)))


def _ghosts(facts: HistoryFacts) -> Iterator[Incident]:
    """Rows without a file that no squash accounts for; those of absent apps together."""
    replaced = {key for keys in facts.replacements.values() for key in keys}
    needed: dict[MigrationKey, list[MigrationKey]] = {}
    for child, parents in facts.parents.items():
        for parent in parents:
            needed.setdefault(parent, []).append(child)
    absent: dict[str, int] = {}
    for key in dict.fromkeys(facts.recorded):
        if key in facts.nodes or key in replaced:
            continue
        children = sorted(child for child in needed.get(key, ()) if child in facts.nodes)
        if facts.apps is not None and key.app not in facts.apps and not children:
            absent[key.app] = absent.get(key.app, 0) + 1
            continue
        yield _incident(
            Code.GHOST,
            key,
            blocking=bool(children),
            expected="a file on disk",
            live="a row of django_migrations alone",
            message=f"Migration {key} is recorded, but there is no such file"
            + (f", and {children[0]} depends on it." if children else "."),
            hint="Bring the file back, or deploy the code that this database was migrated with."
            if children
            else "Nothing needs to be done if the file was removed on purpose.",
        )
    for app, rows in absent.items():
        yield Incident(
            Code.GHOST,
            blocking=False,
            evidence=Evidence.STATE,
            object=ObjectRef("migration", "", app),
            expected="an installed app",
            live=f"{rows} row{'s' if rows > 1 else ''} of django_migrations",
            message=f"Migrations of {app} are recorded, but no such app is installed.",
            hint="Nothing needs to be done if the app was removed on purpose.",
        )


def _wrong_order(facts: HistoryFacts) -> Iterator[Incident]:
    """Rows whose dependency has none, as `check_consistent_history` sees it."""
    recorded = set(facts.recorded)
    squashes: dict[MigrationKey, list[MigrationKey]] = {}
    for squash, keys in facts.replacements.items():
        for key in keys:
            squashes.setdefault(key, []).append(squash)

    def applied(key: MigrationKey, seen: frozenset[MigrationKey] = frozenset()) -> bool:
        if key in recorded:
            return True
        if key in seen:
            return False
        seen |= {key}
        replaced = facts.replacements.get(key)
        if replaced and all(applied(other, seen) for other in replaced):
            return True
        return any(squash in recorded for squash in squashes.get(key, ()))

    for key in dict.fromkeys(facts.recorded):
        if key not in facts.nodes or any(s in recorded for s in squashes.get(key, ())):
            continue
        missing = [
            parent
            for parent in facts.parents.get(key, ())
            if parent in facts.nodes and not applied(parent)
        ]
        if not missing:
            continue
        yield _incident(
            Code.WRONG_ORDER,
            key,
            blocking=True,
            expected=f"{missing[0]} recorded as well",
            live="recorded without it",
            message=f"Migration {key} is recorded, but {missing[0]}, which it needs, is not.",
            hint=f"If all of {missing[0]} is in the database, --repair records it.",
            mendable=True,
        )


def _partial_squashes(facts: HistoryFacts) -> Iterator[Incident]:
    """Squashes of whose replaced migrations some are recorded.

    Django then leaves the squash out of the graph and goes on with the replaced ones
    (`MigrationLoader.build_graph`), which it can as long as their files are there.
    """
    recorded = set(facts.recorded)
    for squash, keys in sorted(facts.replacements.items()):
        there = [key for key in keys if key in recorded]
        missing = [key for key in keys if key not in recorded]
        if squash in recorded or not there or not missing:
            continue
        lost = [key for key in missing if key not in facts.nodes]
        yield _incident(
            Code.PARTIAL_SQUASH,
            squash,
            blocking=bool(lost),
            expected="all that it replaces recorded, or none of it",
            live=f"{len(there)} of {len(keys)} recorded",
            message=f"Of what {squash} replaces, {missing[0]} is not recorded"
            + (", and its file is gone." if lost else "."),
            hint=f"Bring {lost[0]} back until this database has it."
            if lost
            else "Django applies the rest of the replaced migrations one by one.",
        )


def _incident(
    code: Code,
    key: MigrationKey,
    *,
    blocking: bool,
    expected: str,
    live: str,
    message: str,
    hint: str,
    mendable: bool = False,
) -> Incident:
    return Incident(
        code,
        blocking=blocking,
        evidence=Evidence.STATE,
        object=ObjectRef("migration", "", str(key)),
        expected=expected,
        live=live,
        migration=key,
        message=message,
        hint=hint,
        mendable=mendable,
    )
