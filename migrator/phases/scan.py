"""guarded → scanned: what is expected, what is live, and where they disagree."""

from __future__ import annotations

from contextlib import nullcontext

from migrator.core.events import PlanMade
from migrator.ledger import in_doubt
from migrator.phases.context import Context
from migrator.scanner import plan_sql, reconcile_history, scan_target


def run(context: Context) -> None:
    """Scan, reconcile the journal with the target, and leave the result in the context.

    Raises:
        Diverged: The journal holds a commit that the target has lost.
        InspectionError: The catalog cannot be read.
    """
    guarded = context.backend.read_only(context.connection) if context.read_only else nullcontext()
    with guarded:
        reconcile_history(
            context.ledger,
            context.backend.history(context.connection) or (),
            alias=context.alias,
            emit=context.emit,
        )
        context.scan = scan_target(
            context.connection,
            context.backend,
            alias=context.alias,
            phase="scan",
            emit=context.emit,
            snapshot=context.ledger.latest_snapshot(context.survey.identity),
            in_doubt=in_doubt(context.ledger.entries("migration")),
            labels=context.options.apps,
        )
        context.ledger.update(
            leaves_before=list(context.scan.leaves),
            fingerprint_before=context.scan.live.fingerprint(),
        )
        if context.options.dry_run:
            context.emit(PlanMade(context.alias, plan_sql(context.connection, context.scan)))
