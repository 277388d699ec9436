"""guarded → scanned: what is expected, what is live, and where they disagree."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from migrator.core.events import PlanMade, RepairPlanned, Warned
from migrator.core.reference import Held
from migrator.expectation import read_expected
from migrator.ledger import in_doubt
from migrator.mending import plan_mending
from migrator.phases.context import Context
from migrator.replay import remove_stale
from migrator.scanner import ScanResult, plan_sql, reconcile_history, scan_target


def _held(context: Context) -> tuple[Held, ...]:
    """The last verification of this database, and the file that was named."""
    verified = context.ledger.latest_verified(context.survey.identity)
    held = (verified,) if verified else ()
    if context.options.expected is None:
        return held
    path = Path(context.options.expected)
    expected, server = read_expected(path, context.alias, vendor=context.connection.vendor)
    if server != str(context.survey.server):
        context.emit(
            Warned(
                context.alias,
                f"{path.name} was made on {server}, this is {context.survey.server}.",
                "What the two spell differently is told as a difference.",
            )
        )
    return (*held, expected)


def run(context: Context) -> None:
    """Scan, reconcile the journal with the target, and leave the result in the context.

    Raises:
        Diverged: The journal holds a commit that the target has lost.
        InspectionError: The catalog cannot be read.
    """
    guarded = context.backend.read_only(context.connection) if context.read_only else nullcontext()
    with guarded:
        rows = context.backend.history(context.connection) or ()
        reconcile_history(context.ledger, rows, alias=context.alias, emit=context.emit)
        context.held = _held(context)
        if not context.read_only:
            remove_stale(context.connection, context.settings.scratch.get(context.alias, {}))
        context.scan = scan_target(
            context.connection,
            context.backend,
            alias=context.alias,
            phase="scan",
            emit=context.emit,
            held=context.held,
            replay=context.replay if context.options.deep else None,
            in_doubt=in_doubt(context.ledger.entries("migration")),
            labels=context.options.apps,
            fake_initial=context.options.fake_initial,
        )
        context.ledger.update(
            leaves_before=list(context.scan.leaves),
            fingerprint_before=context.scan.live.fingerprint(),
        )
        if context.options.dry_run and context.options.repair and context.scan.blocked:
            _show_repair(context, context.scan)
        if context.options.dry_run:
            context.emit(PlanMade(context.alias, plan_sql(context.connection, context.scan)))


def _show_repair(context: Context, scan: ScanResult) -> None:
    """What --repair would do; what it would ask or refuse is said as a note."""
    mending = plan_mending(
        context.connection,
        scan.loader,
        scan.recorded,
        scan.incidents,
        scan.facts,
        context.options.assume_applied,
    )
    plan = mending.plan
    asked = (
        f"A decision is needed about {decision.migration}: {decision.reason}"
        for decision in plan.decisions
    )
    refused = (
        f"No repair does this: {refusal.incident.message} {refusal.reason}"
        for refusal in plan.refusals
    )
    notes = (*plan.notes, *asked, *refused)
    context.emit(RepairPlanned(context.alias, mending.shown, notes))
