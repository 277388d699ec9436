"""The lint as the rest of the tool calls it: the rules with the project's own settings, with
the source of the operations for alternatives as code, and with the lines that findings stand in.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.db import migrations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.writer import MigrationWriter, OperationWriter

from migrator.conf import Settings
from migrator.core.effects import MigrationKey
from migrator.core.findings import Finding
from migrator.core.lint import UNUSED, LintPolicy, lint
from migrator.core.live import Facts
from migrator.core.plan import Plan, Step
from migrator.core.rules import Family, Policy, Rule, all_rules, rule_of
from migrator.core.rules.moments import Sources
from migrator.exceptions import ConfigurationError
from migrator.sources import full_plan, load_disk, load_graph
from migrator.sources.positions import Positions, positions_in
from migrator.sources.tracking import TrackingState, apply_state, mutate

_KEYS = ("IGNORE", "LARGE_ROWS", "TINY_ROWS", "TINY_BYTES")
_CODE = re.compile(r"[A-Z]{2}(\d{3})?(:\d+)?")


def lint_plan(
    plan: Plan,
    facts: Facts | None,
    settings: Settings,
    *,
    third_party: bool = True,
    rules: Iterable[Rule] | None = None,
    loader: MigrationLoader | None = None,
) -> tuple[Finding, ...]:
    """Judge a plan as the project wants it judged.

    Args:
        plan: What would be done to one database.
        facts: That database, live; None without one.
        settings: The project's, with `MIGRATOR["LINT"]`.
        third_party: Whether migrations of packages are judged as well.
        rules: Other rules than all.
        loader: Holds the migrations; by default those on disk.

    Returns:
        Findings in the order of the plan, worst first within a migration. Those that are
        switched off carry the reason.

    Raises:
        ConfigurationError: MIGRATOR["LINT"] or a `migrator_ignore` cannot be used.
    """
    policy = replace(read_policy(settings), third_party=third_party)
    for step in plan.steps:
        _check_ignored(step)
    found = lint(plan, facts, policy, sources=sources_of(plan, loader), rules=rules)
    return with_lines(found, settings.base_dir)


# -- settings -----------------------------------------------------------------------------


def read_policy(settings: Settings) -> LintPolicy:
    """What the project has decided about the lint.

    Args:
        settings: The project's.

    Raises:
        ConfigurationError: A key that does not exist, a reason that is empty, a size that is
            no number.
    """
    raw = settings.lint
    for key in raw:
        if key not in _KEYS:
            raise ConfigurationError(
                f"settings.MIGRATOR['LINT'] has the unknown key {key!r}.",
                hint="Known keys: " + ", ".join(_KEYS) + ".",
            )
    ignore = raw.get("IGNORE", {})
    if not isinstance(ignore, Mapping):
        raise ConfigurationError(
            f"settings.MIGRATOR['LINT']['IGNORE'] is {type(ignore).__name__}.",
            hint='Write {"LK101": "reason", "shop.0003_total:LK101": "reason"}.',
        )
    for key, reason in ignore.items():
        _check_reason(str(key), reason, "settings.MIGRATOR['LINT']['IGNORE']")
    default = Policy()
    return LintPolicy(
        ignore=dict(ignore),
        weights=Policy(
            tiny_rows=_size(raw, "TINY_ROWS", default.tiny_rows),
            tiny_bytes=_size(raw, "TINY_BYTES", default.tiny_bytes),
            large_rows=_size(raw, "LARGE_ROWS", default.large_rows),
        ),
    )


def _size(raw: Mapping[str, Any], key: str, default: int) -> int:
    value = raw.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigurationError(
            f"settings.MIGRATOR['LINT'][{key!r}] is {value!r}.", hint="Use a number from 0 up."
        )
    return value


def _check_ignored(step: Step) -> None:
    for key, reason in step.ignored:
        if not key and not reason:
            raise ConfigurationError(
                f"migrator_ignore of {step.migration} is no dictionary of codes and reasons.",
                hint='Write migrator_ignore = {"LK101": "the table has 50 rows"}.',
            )
        _check_reason(key, reason, f"migrator_ignore of {step.migration}")


def _check_reason(key: str, reason: Any, where: str) -> None:
    code = key if _CODE.fullmatch(key) else key.partition(":")[2]
    if not _CODE.fullmatch(code):
        raise ConfigurationError(
            f"{where} has {key!r}, which is no code of a rule.",
            hint='Write a code ("LK101"), a family ("LK"), or a code and the number of an '
            'operation ("LK101:0").',
        )
    name = code.partition(":")[0]
    if name not in set(Family) and name != UNUSED and rule_of(name) is None:
        near = [rule.code for rule in all_rules() if rule.code[:2] == name[:2]]
        raise ConfigurationError(
            f"{where} has {key!r}, and there is no rule {name}.",
            hint=f"Rules of that family: {', '.join(near)}."
            if near
            else f"Families: {', '.join(Family)}.",
        )
    if not isinstance(reason, str) or not reason.strip():
        raise ConfigurationError(
            f"{where} switches {key} off without a reason.",
            hint=f'Say why, for those who come later: {{"{key}": "the table has 50 rows"}}.',
        )


# -- the source of the operations ---------------------------------------------------------


def sources_of(plan: Plan, loader: MigrationLoader | None = None) -> Sources:
    """The source of every operation that Django's writer can spell.

    Args:
        plan: Of migrations.
        loader: Holds them; by default those on disk.
    """
    disk = load_disk().migrations if loader is None else loader.graph.nodes
    codes: dict[MigrationKey, Mapping[int, str]] = {}
    fields: dict[MigrationKey, Mapping[int, str]] = {}
    for step in plan.steps:
        migration = disk.get((step.migration.app, step.migration.name))
        if migration is None:
            continue
        written = {index: _code(each) for index, each in enumerate(migration.operations)}
        codes[step.migration] = {index: text for index, text in written.items() if text}
        renames = [
            index
            for index, each in enumerate(migration.operations)
            if isinstance(each, migrations.RenameField)
        ]
        if renames:
            fields[step.migration] = _renamed_fields(step.migration, renames, loader)
    return Sources(codes, fields)


def _code(operation: Operation) -> str:
    if isinstance(operation, migrations.RunPython):
        return _run_python(operation)
    try:
        text = str(OperationWriter(operation, indentation=0).serialize()[0]).strip().rstrip(",")
        ast.parse(text)
    except Exception:  # whatever somebody's own operation cannot be spelled for
        return ""
    return text


def _run_python(operation: migrations.RunPython) -> str:
    """By the names of its functions, which are those of the migration's module."""
    noop = migrations.RunPython.noop
    names = []
    for code in (operation.code, operation.reverse_code):
        if code is noop:
            names.append("migrations.RunPython.noop")
        elif code is not None:
            names.append(str(getattr(code, "__name__", "")))
    if all(name.replace(".", "").isidentifier() for name in names):
        return f"migrations.RunPython({', '.join(names)})"
    return ""


def _renamed_fields(
    key: MigrationKey, renames: Iterable[int], loader: MigrationLoader | None
) -> dict[int, str]:
    """The field of each RenameField, as it is before."""
    loader = loader or load_graph(None, check=False)
    state = TrackingState(real_apps=set(loader.unmigrated_apps))
    if key not in loader.graph.nodes:
        return {}
    wanted = set(loader.graph.forwards_plan(key)) - {tuple(key)}
    for each in full_plan(loader):
        if tuple(each) in wanted:
            mutate(loader.graph.nodes[each], state)
    found: dict[int, str] = {}
    for index, operation in enumerate(loader.graph.nodes[key].operations):
        if index in renames:
            model = state.models.get((key.app, operation.model_name_lower))
            field = model.fields.get(operation.old_name) if model else None
            try:
                found[index] = str(MigrationWriter.serialize(field)[0]) if field else ""
            except Exception:  # a field whose default or validator cannot be spelled
                found[index] = ""
        apply_state(operation, key.app, state, str(key))
    return found


# -- lines -----------------------------------------------------------------------------------


def with_lines(findings: Iterable[Finding], base_dir: Path) -> tuple[Finding, ...]:
    """Findings with the line that each stands in.

    Args:
        findings: With their files.
        base_dir: Root of the project, which files are relative to.
    """
    read: dict[str, Positions] = {}
    placed = []
    for finding in findings:
        if finding.file and finding.file not in read:
            read[finding.file] = positions_in(base_dir / finding.file)
        line = read[finding.file].line(finding.operation) if finding.file else 0
        placed.append(replace(finding, line=line))
    return tuple(placed)
