"""scanned → repaired: plan, show, ask, carry out, scan again; done only if that scan is clean.

Where the vendor rolls DDL back, the second scan happens inside the transaction: a repair that
does not lead to a clean scan leaves nothing behind.
"""

from __future__ import annotations

import time

from django.db import DatabaseError

from migrator.core.effects import MigrationKey
from migrator.core.events import RepairApplied, RepairPlanned
from migrator.core.repair import Action, RepairPlan, RepairPolicy, plan_repair
from migrator.exceptions import DecisionNeeded, DriftFound, RepairFailed, UsageError
from migrator.mending import Mender
from migrator.phases.context import Context
from migrator.scanner import ScanResult, scan_target


def run(context: Context) -> None:
    """Mend what the scan found, where that was asked for.

    Raises:
        DriftFound: Something blocks and no repair was asked for.
        DecisionNeeded: A repair needs somebody's word.
        RepairFailed: Something is not for a repair to mend, or the second scan is not clean.
    """
    scan = context.scan
    assert scan is not None  # noqa: S101  (the machine allows no other order)
    if not scan.blocked:
        return
    if not context.options.repair:
        raise DriftFound(
            f"{context.alias}: {_count(scan)}, the first is: {scan.blocking[0].message}",
            hint=f"Look at it with --check --database {context.alias}, mend it with --repair.",
        )
    plan = plan_repair(scan.incidents, scan.facts, _policy(context))
    _refuse(context, plan)
    mender = Mender(context.connection, scan.loader, scan.recorded)
    shown = tuple((action.description, mender.render_sql(action)) for action in plan.actions)
    context.emit(RepairPlanned(context.alias, shown))
    context.prompter.confirm_repair(context.alias, shown, plan.notes)
    _apply(context, mender, plan.actions, shown)


def _count(scan: ScanResult) -> str:
    number = len(scan.blocking)
    return f"{number} incident{'s' if number > 1 else ''} of drift"


def _policy(context: Context) -> RepairPolicy:
    keys = set()
    for name in context.options.assume_applied:
        app, dot, migration = name.partition(".")
        if not dot:
            raise UsageError(
                f"--assume-applied takes app.name, not {name!r}.",
                hint="For example: --assume-applied blog.0007_fill_slugs.",
            )
        keys.add(MigrationKey(app, migration))
    return RepairPolicy(assume_applied=frozenset(keys))


def _refuse(context: Context, plan: RepairPlan) -> None:
    if plan.refusals:
        first = plan.refusals[0]
        more = f" (and {len(plan.refusals) - 1} more)" if plan.refusals[1:] else ""
        raise RepairFailed(
            f"{context.alias}: {first.incident.message} {first.reason}{more}",
            hint="Nothing was changed. Mend it by hand; the report has the SQL where there is any.",
        )
    if plan.decisions:
        decision = plan.decisions[0]
        raise DecisionNeeded(
            f"{context.alias}: {decision.migration}: {decision.reason}",
            hint=f"If it has been applied, say so: --assume-applied {decision.migration}.",
        )
    if not plan.actions:
        raise RepairFailed(
            f"{context.alias}: there is nothing that a repair could do about what the scan found.",
            hint="Mend it by hand; the report shows the SQL where there is any.",
        )


def _apply(
    context: Context,
    mender: Mender,
    actions: tuple[Action, ...],
    shown: tuple[tuple[str, tuple[str, ...]], ...],
) -> None:
    """Intents, one transaction where the vendor can, outcomes."""
    ledger, epoch = context.ledger, context.ledger.epoch
    names = [f"{number}:{description}" for number, (description, _) in enumerate(shown, 1)]
    for name, (_, sql) in zip(names, shown, strict=True):
        ledger.intent("repair", name, epoch, {"sql": list(sql)})
    transactional = context.backend.supports_transactional_ddl
    seconds: list[float] = []
    try:
        with context.connection.schema_editor(atomic=transactional) as editor:
            for action in actions:
                began = time.monotonic()
                mender.apply(action, editor)
                if not transactional:
                    _flush(editor)
                seconds.append(time.monotonic() - began)
            _flush(editor)
            if transactional:
                _scan_again(context)
        if not transactional:
            _scan_again(context)
    except (DatabaseError, RepairFailed) as error:
        for name in names:
            ledger.failed("repair", name, epoch, payload={"error": str(error)})
        if isinstance(error, RepairFailed):
            raise
        raise RepairFailed(
            f"The repair of {context.alias} failed: {str(error).partition(chr(10))[0]}",
            hint="It was rolled back." if transactional else "Run --check to see where it stands.",
        ) from error
    for name, (description, sql), took in zip(names, shown, seconds, strict=True):
        ledger.done("repair", name, epoch, took, {"sql": list(sql)})
        context.applied += 1
        context.emit(RepairApplied(context.alias, description, sql, took))


def _flush(editor: object) -> None:
    """Run what the editor put off (foreign keys, indexes), so that the scan sees it."""
    deferred = list(editor.deferred_sql)  # type: ignore[attr-defined]
    editor.deferred_sql.clear()  # type: ignore[attr-defined]
    for statement in deferred:
        editor.execute(statement)  # type: ignore[attr-defined]


def _scan_again(context: Context) -> None:
    context.scan = scan_target(
        context.connection,
        context.backend,
        alias=context.alias,
        phase="repair",
        emit=context.emit,
        snapshot=None,
        labels=context.options.apps,
    )
    if context.scan.blocked:
        first = context.scan.blocking[0]
        raise RepairFailed(
            f"After the repair of {context.alias} the scan is still not clean: {first.message}",
            hint="It was rolled back."
            if context.backend.supports_transactional_ddl
            else "Run --check to see where it stands.",
        )
