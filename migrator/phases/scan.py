"""guarded → scanned: what is expected, what is live, and where they disagree."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from migrator.backends import facts_for
from migrator.core.events import FindingsMade, PlanMade, PlannedStep, RepairPlanned, Warned
from migrator.core.precautions import sorted_findings
from migrator.core.preview import preview_plan
from migrator.core.reference import Held
from migrator.expectation import read_expected
from migrator.ledger import in_doubt
from migrator.mending import plan_mending
from migrator.phases.context import Context
from migrator.replay import remove_stale
from migrator.returning import foresee, remaining_steps, unsettled
from migrator.scanner import ScanResult, reconcile_history, scan_target


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
            in_doubt=_unsettled(context),
            labels=context.options.apps,
            fake_initial=context.options.fake_initial,
            # What has been taken back already is the run's own doing.
            advisory=bool(context.options.rollback and context.ledger.entries("migration")),
        )
        if not context.ledger.entries("migration"):  # a resume keeps what was there before it all
            context.ledger.update(
                leaves_before=list(context.scan.leaves),
                fingerprint_before=context.scan.live.fingerprint(),
            )
            _keep(context, context.scan)
        if context.options.dry_run and context.options.repair and context.scan.blocked:
            _show_repair(context, context.scan)
        if context.options.dry_run:
            _show_plan(context, context.scan)


def _keep(context: Context, scan: ScanResult) -> None:
    """Keep the schema as it is, where the run is about to change it and nobody has yet."""
    if context.read_only or not (scan.pending or scan.blocked or context.options.rollback):
        return
    fingerprint = scan.live.fingerprint()
    verified = context.ledger.latest_verified(context.survey.identity)
    if verified is None or verified.record.schema.fingerprint() != fingerprint:
        context.ledger.save_before(context.survey.identity, scan.record())


def _unsettled(context: Context) -> tuple[str, ...]:
    """Migrations of which something may be there although they are not recorded, or not all of
    it although they are.
    """
    if context.options.rollback:
        return unsettled(context.ledger)
    return in_doubt(context.ledger.entries("migration"))


def _show_plan(context: Context, scan: ScanResult) -> None:
    """What is pending, with its SQL, what it costs and what the lint says of it."""
    if context.options.rollback:
        _show_way_back(context, scan)
        return
    # A while to import, and of no use to other runs.
    from migrator.linting import lint_plan
    from migrator.planning import make_plan

    base_dir = context.settings.base_dir
    plan = make_plan(context.connection, context.backend, scan, base_dir=base_dir)
    facts = facts_for(context.connection)
    context.emit(PlanMade(context.alias, preview_plan(plan, facts)))
    findings = sorted_findings(lint_plan(plan, facts, context.settings))
    # Of packages, what nobody here wrote, only what would destroy data.
    own = {step.migration for step in plan.steps if step.own}
    kept = tuple(found for found in findings if found.migration in own or found.destroys)
    if kept:
        context.emit(FindingsMade(context.alias, kept))


def _show_way_back(context: Context, scan: ScanResult) -> None:
    """What would be taken back, with its SQL, what it costs and what would be lost."""
    from migrator.planning import make_backwards_plan  # see above

    steps = remaining_steps(context.ledger, scan.loader)
    real = make_backwards_plan(
        context.connection,
        context.backend,
        scan.loader,
        scan.recorded,
        [step.migration for step in steps if not step.forget],
        base_dir=context.settings.base_dir,
    )
    shown = {step.migration: step for step in preview_plan(real, facts_for(context.connection))}
    only_rows = "only its row is removed: it was recorded without having been run"
    planned = (
        shown.get(step.migration) or PlannedStep(step.migration, (), (only_rows,), backwards=True)
        for step in steps
    )
    context.emit(PlanMade(context.alias, tuple(planned)))
    context.emit(FindingsMade(context.alias, foresee(real, context.connection, context.settings)))


def _show_repair(context: Context, scan: ScanResult) -> None:
    """What --repair would do; what it would ask or refuse is said as a note."""
    mending = plan_mending(
        context.connection,
        scan.loader,
        scan.recorded,
        scan.incidents,
        scan.facts,
        context.vouched,
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
