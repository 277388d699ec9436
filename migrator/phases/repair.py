"""scanned → repaired: plan, show, ask, carry out, scan again; done only if that scan is clean.

Where the vendor rolls DDL back, the second scan happens inside the transaction: a repair that
does not lead to a clean scan leaves nothing behind.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import NoReturn

from django.db import DatabaseError

from journal import Phase
from migrator.core.events import Emit, Event, RepairApplied, RepairPlanned
from migrator.core.repair import ForgetMigration, RecordMigration, RepairPlan
from migrator.exceptions import (
    DecisionNeeded,
    DriftFound,
    LockLost,
    MigratorError,
    RepairFailed,
)
from migrator.executor import Contended, LockPatience
from migrator.mending import Mending, plan_mending
from migrator.phases.context import Context
from migrator.scanner import ScanResult, reconcile_history, scan_target


def run(context: Context) -> None:
    """Mend what the scan found, where that was asked for.

    Raises:
        DriftFound: Something blocks and no repair was asked for.
        DecisionNeeded: A repair needs somebody's word.
        RepairFailed: Something is not for a repair to mend, or the second scan is not clean.
    """
    scan = context.scan
    assert scan is not None  # noqa: S101  (the machine allows no other order)
    assumed = context.vouched if context.options.repair else ()
    if not scan.blocked and not assumed:
        _settle(context)
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
        _settle(context)
        return
    _refuse(context, mending.plan)
    _refuse_for_rows(context, mending)
    context.emit(RepairPlanned(context.alias, mending.shown, mending.plan.notes))
    context.prompter.confirm_repair(context.alias, mending.shown, mending.plan.notes)
    for name in assumed:
        context.ledger.decision(f"assume-applied {name}", {"by": "--assume-applied"})
    _apply(context, mending)
    _settle(context)


def _settle(context: Context) -> None:
    """Give an outcome to what an interrupted repair had begun: the scan finds nothing amiss."""
    if not context.ledger.resumed or not context.options.repair:
        return
    newest = {entry.name: entry for entry in context.ledger.entries("repair")}
    for name, entry in newest.items():
        if entry.phase is Phase.INTENT:
            context.ledger.reconciled("repair", name, entry.attempt)


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
    """Carry it out, as often as it takes to get the locks.

    Raises:
        LockLost: Somebody else may have been at work since the scan.
        LockTimedOut: Somebody else's lock was in the way all the time.
        RepairFailed
    """
    patience = LockPatience(
        context.connection, alias=context.alias, limits=context.limits, emit=context.emit
    )
    attempt = 0

    def once() -> None:
        nonlocal attempt
        attempt += 1
        _Attempt(context, mending, patience, attempt).run()

    with patience.in_force():
        try:
            patience.persist(once)
        except Contended as error:
            raise patience.exhausted(error) from error.__cause__


def _assert_lock(context: Context) -> None:
    if context.lock is not None and not context.lock.held():
        raise LockLost(
            f"The lock of {context.alias} was lost between the scan and the repair.",
            hint="Nothing was changed. Go on with --resume: it scans again.",
        )


class _Attempt:
    """Intents, one transaction where the vendor can, what cannot be in one, outcomes."""

    def __init__(
        self, context: Context, mending: Mending, patience: LockPatience, attempt: int
    ) -> None:
        self._context = context
        self._mending = mending
        self._patience = patience
        self._attempt = attempt
        self._shown = mending.shown
        self._names = [f"{n}:{description}" for n, (description, _) in enumerate(self._shown, 1)]
        ledger = context.ledger
        self._number = 1 + max(ledger.attempts("repair", name) for name in self._names)
        self._transactional = context.backend.supports_transactional_ddl
        self._seconds: dict[int, float] = {}
        self._after: list[Event] = []  # the scan is told after what it looked at

    def run(self) -> None:
        """Raises: Contended, LockLost, RepairFailed."""
        context = self._context
        _assert_lock(context)
        for name, (action, sql) in zip(self._names, self._mending.steps, strict=True):
            payload: dict[str, object] = {"sql": list(sql)}
            if isinstance(action, ForgetMigration):
                payload["forgets"] = [str(action.migration)]
            if isinstance(action, RecordMigration):
                written = self._mending.mender.records(action.migration)
                payload["records"] = [str(row) for row in written]
            context.ledger.intent("repair", name, self._number, payload)
        try:
            self._carry_out()
        except (DatabaseError, MigratorError) as error:
            self._fail(error)
        shown = zip(self._names, self._shown, strict=True)
        for number, (name, (description, sql)) in enumerate(shown):
            seconds = self._seconds[number]
            context.ledger.done("repair", name, self._number, seconds, {"sql": list(sql)})
            context.applied += 1
            context.emit(RepairApplied(context.alias, description, sql, seconds))
        # What it has recorded is not for an attempt that was cut short before to have applied.
        rows = context.backend.history(context.connection) or ()
        reconcile_history(context.ledger, rows, alias=context.alias, emit=context.emit)
        for event in self._after:
            context.emit(event)

    def _carry_out(self) -> None:
        context, mender = self._context, self._mending.mender
        transactional = self._transactional
        outside = {
            number: action
            for number, (action, _) in enumerate(self._mending.steps)
            if mender.outside_transaction(action)
        }
        statements = nullcontext() if transactional else self._patience.statements()
        with statements, context.connection.schema_editor(atomic=transactional) as editor:
            for number, (action, _) in enumerate(self._mending.steps):
                if number in outside:
                    continue
                began = time.monotonic()
                mender.apply(action, editor)
                if not transactional:
                    _flush(editor)
                self._seconds[number] = time.monotonic() - began
            _flush(editor)
            if transactional and not outside:
                _scan_again(context, self._after.append)
        for number, action in outside.items():
            self._transactional = False  # from here on nothing is rolled back
            began = time.monotonic()
            with context.connection.schema_editor(atomic=False) as editor:
                mender.apply(action, editor)
            self._seconds[number] = time.monotonic() - began
        if not self._transactional:
            _scan_again(context, self._after.append)

    def _fail(self, error: Exception) -> NoReturn:
        context = self._context
        found = self._patience.contended(error, self._attempt) if self._transactional else None
        payload = {"error": str(error), **(found.payload if found else {})}
        for name in self._names:
            context.ledger.failed("repair", name, self._number, payload=payload)
        if found is not None:
            raise found from error
        for event in self._after:
            context.emit(event)
        if isinstance(error, MigratorError):
            raise error
        raise RepairFailed(
            f"The repair of {context.alias} failed: {str(error).partition(chr(10))[0]}",
            hint="It was rolled back."
            if self._transactional
            else "Run --check to see where it stands.",
        ) from error


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
