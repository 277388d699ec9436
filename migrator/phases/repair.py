"""scanned → repaired: plan, show, ask, carry out, scan again; done only if that scan is clean.

Where the vendor rolls DDL back, the second scan happens inside the transaction: a repair that
does not lead to a clean scan leaves nothing behind.
"""

from __future__ import annotations

import time

from django.db import DatabaseError

from migrator.core.events import Emit, Event, RepairApplied, RepairPlanned
from migrator.core.repair import RepairPlan
from migrator.exceptions import DecisionNeeded, DriftFound, RepairFailed
from migrator.mending import Mending, plan_mending
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
    assumed = context.options.assume_applied if context.options.repair else ()
    if not scan.blocked and not assumed:
        return
    if not context.options.repair:
        raise DriftFound(
            f"{context.alias}: {_count(scan)}, the first is: {scan.blocking[0].message}",
            hint=f"Look at it with --check --database {context.alias}, mend it with --repair.",
        )
    mending = plan_mending(
        context.connection, scan.loader, scan.recorded, scan.incidents, scan.facts, assumed
    )
    if not scan.blocked and not mending.plan:
        return
    _refuse(context, mending.plan)
    _refuse_for_rows(context, mending)
    context.emit(RepairPlanned(context.alias, mending.shown, mending.plan.notes))
    context.prompter.confirm_repair(context.alias, mending.shown, mending.plan.notes)
    for name in assumed:
        context.ledger.decision(f"assume-applied {name}", {"by": "--assume-applied"})
    _apply(context, mending)


def _count(scan: ScanResult) -> str:
    number = len(scan.blocking)
    return f"{number} incident{'s' if number > 1 else ''} of drift"


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


def _refuse_for_rows(context: Context, mending: Mending) -> None:
    """Stop before anything is changed where rows that are there stand in the way."""
    try:
        obstacles = mending.obstacles()
    except DatabaseError as error:
        raise RepairFailed(
            f"The rows of {context.alias} could not be looked at: "
            f"{str(error).partition(chr(10))[0]}",
            hint="Nothing was changed.",
        ) from error
    if obstacles:
        more = f" (and {len(obstacles) - 1} more)" if obstacles[1:] else ""
        raise RepairFailed(
            f"{context.alias}: {obstacles[0]}{more}",
            hint="Nothing was changed. Change or remove these rows, then repair again.",
        )


def _apply(context: Context, mending: Mending) -> None:
    """Intents, one transaction where the vendor can, what cannot be in one, outcomes."""
    ledger, epoch, shown = context.ledger, context.ledger.epoch, mending.shown
    names = [f"{number}:{description}" for number, (description, _) in enumerate(shown, 1)]
    for name, (_, sql) in zip(names, shown, strict=True):
        ledger.intent("repair", name, epoch, {"sql": list(sql)})
    transactional = context.backend.supports_transactional_ddl
    seconds: dict[int, float] = {}
    after: list[Event] = []  # the scan is told after what it looked at
    outside = {
        number: action
        for number, (action, _) in enumerate(mending.steps)
        if mending.mender.outside_transaction(action)
    }
    try:
        with context.connection.schema_editor(atomic=transactional) as editor:
            for number, (action, _) in enumerate(mending.steps):
                if number in outside:
                    continue
                began = time.monotonic()
                mending.mender.apply(action, editor)
                if not transactional:
                    _flush(editor)
                seconds[number] = time.monotonic() - began
            _flush(editor)
            if transactional and not outside:
                _scan_again(context, after.append)
        for number, action in outside.items():
            transactional = False  # from here on nothing is rolled back
            began = time.monotonic()
            with context.connection.schema_editor(atomic=False) as editor:
                mending.mender.apply(action, editor)
            seconds[number] = time.monotonic() - began
        if not transactional:
            _scan_again(context, after.append)
    except (DatabaseError, RepairFailed) as error:
        for event in after:
            context.emit(event)
        for name in names:
            ledger.failed("repair", name, epoch, payload={"error": str(error)})
        if isinstance(error, RepairFailed):
            raise
        raise RepairFailed(
            f"The repair of {context.alias} failed: {str(error).partition(chr(10))[0]}",
            hint="It was rolled back." if transactional else "Run --check to see where it stands.",
        ) from error
    for number, (name, (description, sql)) in enumerate(zip(names, shown, strict=True)):
        ledger.done("repair", name, epoch, seconds[number], {"sql": list(sql)})
        context.applied += 1
        context.emit(RepairApplied(context.alias, description, sql, seconds[number]))
    for event in after:
        context.emit(event)


def _flush(editor: object) -> None:
    """Run what the editor put off (foreign keys, indexes), so that the scan sees it."""
    deferred = list(editor.deferred_sql)  # type: ignore[attr-defined]
    editor.deferred_sql.clear()  # type: ignore[attr-defined]
    for statement in deferred:
        # None stands for a constraint that this vendor does not have (create_model of Django 5.2,
        # where a default needs parameters). Without parameters a percent sign is one.
        if statement is not None:
            editor.execute(statement, None)  # type: ignore[attr-defined]


def _scan_again(context: Context, emit: Emit) -> None:
    context.scan = scan_target(
        context.connection,
        context.backend,
        alias=context.alias,
        phase="repair",
        emit=emit,
        held=context.held,
        labels=context.options.apps,
        before=context.scan,
        fake_initial=context.options.fake_initial,
    )
    if context.scan.blocked:
        first = context.scan.blocking[0]
        raise RepairFailed(
            f"After the repair of {context.alias} the scan is still not clean: {first.message}",
            hint="It was rolled back."
            if context.backend.supports_transactional_ddl
            else "Run --check to see where it stands.",
        )
