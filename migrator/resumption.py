"""What a resume refuses, whom it waits for, and what it would do (`--resume --dry-run`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from journal import Entry, Journal, JournalCorrupt, Run, Target, TargetStatus
from migrator.conf import Settings
from migrator.core.effects import MigrationKey
from migrator.core.events import Emit, ResumePlanned
from migrator.core.lifecycle import Goal
from migrator.core.options import MigratorOptions
from migrator.core.returning import Return
from migrator.exceptions import (
    DatabaseUnreachable,
    LockHeld,
    MigratorError,
    ResumeRefused,
    exit_code_of,
)
from migrator.executor import Reconciliation, lost_leaves, reconcile
from migrator.ledger import Ledger, in_doubt
from migrator.phases import guard
from migrator.phases.context import Context, SkipTarget, Survey
from migrator.prompts import Prompter
from migrator.returning import remaining_steps, unsettled
from migrator.scanner import ScanResult, scan_target
from migrator.sources import load_disk, load_file_digests
from migrator.waiting import KILLED_SECONDS, Patience, left_behind

# -- what is refused ---------------------------------------------------------------------


def refuse_altered(journal: Journal, run: Run) -> None:
    """Refuse to act upon what a damaged or edited journal says that the run has done.

    Args:
        journal: Its chain is recomputed, for this run alone.
        run: What is to be continued, or taken back.

    Raises:
        JournalCorrupt
    """
    breaks = journal.verify([run.id])
    if not breaks:
        return
    first = breaks[0]
    where = f" on {first.alias}" if first.alias else ""
    more = f" (and {len(breaks) - 1} more)" if breaks[1:] else ""
    raise JournalCorrupt(
        f"What the journal holds of run {run.id}{where} was altered: {first.problem}{more}",
        hint="`migrator journal verify` shows all of it. Restore the journal from a backup; a new "
        "run (without --resume) goes by what is in the databases.",
    )


def refuse_unknown_aliases(run: Run, aliases: Iterable[str], known: Iterable[str]) -> None:
    """Refuse aliases that the settings no longer have.

    Raises:
        ResumeRefused
    """
    gone = sorted(set(aliases) - set(known))
    if gone:
        raise ResumeRefused(
            f"Run {run.id} has the alias {', '.join(gone)}, which DATABASES no longer has.",
            hint="Put it back, or start a new run without --resume. Where the database is gone for "
            f"good, give the run up: migrator journal prune --run {run.id}.",
        )


def refuse_changed_files(run: Run, *, accept: bool) -> None:
    """Refuse migration files that were edited, added or removed since the run was opened.

    Args:
        run: What its files were stands in its options.
        accept: Somebody has looked at them.

    Raises:
        ResumeRefused
    """
    if accept:
        return
    stored = run.options.get("migration_files", {})
    found = load_file_digests()
    edited = sorted(name for name in found if name in stored and found[name] != stored[name])
    removed = sorted(name for name in stored if name not in found)
    added = sorted(name for name in found if name not in stored)
    changes = [
        f"{verb} {_some(names)}"
        for verb, names in (("edited", edited), ("removed", removed), ("added", added))
        if names
    ]
    if changes:
        raise ResumeRefused(
            f"Migration files changed since run {run.id} was opened: {'; '.join(changes)}.",
            hint="Restore them, accept them with --accept-changed-migrations, "
            "or start a new run without --resume.",
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "")


def refuse_rolled_back(journal: Journal, run: Run, targets: Iterable[Target]) -> None:
    """Refuse to go on with what has been rolled back since.

    Args:
        journal: Where the rollback would stand.
        run: What is to be continued.
        targets: Its targets that are not at their goal.

    Raises:
        ResumeRefused
    """
    wanted = {target.alias for target in targets}
    for other in journal.runs():
        if other.id <= run.id:
            break
        if other.kind != "rollback" or other.parent != run.id:
            continue
        back = sorted(
            alias
            for alias in wanted
            if any(entry.kind == "migration" for entry in journal.entries(other.id, alias))
        )
        if back:
            raise ResumeRefused(
                f"Run {run.id} has been rolled back on {', '.join(back)} by run {other.id}.",
                hint="Start a new run without --resume to apply its migrations again.",
            )


def refuse_moved(run: Run, target: Target, survey: Survey) -> None:
    """Refuse another database than the one that the run began with.

    Raises:
        ResumeRefused
    """
    if target.identity and survey.identity and target.identity != survey.identity:
        raise ResumeRefused(
            f"{target.alias} is another database than when run {run.id} was opened "
            f"({survey.identity}, was {target.identity}).",
            hint="Point it back, or start a new run without --resume. Where the database is gone "
            f"for good, give the run up: migrator journal prune --run {run.id}.",
        )


def refuse_restored(journal: Journal, run: Run, target: Target) -> None:
    """Refuse a database whose content was replaced by a backup since.

    Raises:
        ResumeRefused
    """
    for later in journal.runs():
        if later.id <= run.id:
            return
        if later.kind != "restore" or not target.identity:
            continue
        for restored in journal.targets(later.id):
            if restored.identity != target.identity:
                continue
            if restored.state == "restored":
                raise ResumeRefused(
                    f"{target.alias} was restored to the backup of run "
                    f"{later.options.get('run', '?')} by run {later.id}, so what run {run.id} "
                    "had done is gone.",
                    hint="Start a new run without --resume.",
                )
            if restored.state == "restoring":
                raise ResumeRefused(
                    f"A restore of {target.alias} was begun by run {later.id} and has no outcome.",
                    hint=f"Restore it again: migrator restore {later.options.get('run', 'RUN')}.",
                )


def await_lock(journal: Journal, run: Run, survey: Survey, patience: Patience) -> None:
    """Wait for whoever holds the lock, before anything of the run is changed: it may be this
    very run. What a killed process of it has left on the server is always waited for.

    Args:
        journal, run: What is to be continued.
        survey: The alias.
        patience: How long anybody else is waited for.

    Raises:
        LockHeld: Somebody who lives, or the time is over.
    """
    if survey.backend is None or survey.error is not None or survey.skip:
        return

    def look() -> LockHeld | None:
        error = _lock_held(survey)
        if error is not None and not patience.seconds and not _is_left_behind(journal, run, survey):
            raise error
        return error

    replace(patience, seconds=patience.seconds or KILLED_SECONDS).until_free(look)


def _lock_held(survey: Survey) -> LockHeld | None:
    assert survey.backend is not None  # noqa: S101  (typing)
    holder = survey.backend.lock_holder(survey.connection)
    if holder is None:
        return None
    return LockHeld(
        f"{survey.alias} is locked by another run: {holder}.",
        hint="Wait for it to end (--wait-lock SECONDS does), then resume again.",
    )


def _is_left_behind(journal: Journal, run: Run, survey: Survey) -> bool:
    assert survey.backend is not None  # noqa: S101  (typing)
    holder = survey.backend.lock_holder(survey.connection)
    return holder is None or left_behind(journal, run, survey.alias, holder)


# -- what it would do ------------------------------------------------------------------------


_AT_GOAL = (TargetStatus.DONE, TargetStatus.SKIPPED)


@dataclass(frozen=True, slots=True)
class Preview:
    """Says for each alias of a run what a resume would do with it; changes nothing.

    Attributes:
        journal: Open for reading.
        run: What would be continued.
        options: Of the continuation, as a dry run.
        settings: The project's settings.
        emit: Gets a ResumePlanned for each alias, and what the scan found.
        known: The aliases of DATABASES.
    """

    journal: Journal
    run: Run
    options: MigratorOptions
    settings: Settings
    emit: Emit
    known: Sequence[str]

    def show(self, surveys: Mapping[str, Survey]) -> tuple[ResumePlanned, ...]:
        """Look at every alias.

        Args:
            surveys: Of the aliases that are not at their goal, as far as DATABASES has them.

        Returns:
            What was emitted.
        """
        refused = self._run_refused()
        shown = tuple(self._alias(target, surveys, refused) for target in self._targets())
        for planned in shown:
            self.emit(planned)
        return shown

    def _targets(self) -> tuple[Target, ...]:
        return self.journal.targets(self.run.id)

    def _run_refused(self) -> MigratorError | None:
        """What keeps the run as a whole from being continued, whatever the alias."""
        try:
            unfinished = [t for t in self._targets() if t.status not in _AT_GOAL]
            refuse_rolled_back(self.journal, self.run, unfinished)
            refuse_changed_files(self.run, accept=self.options.accept_changed_migrations)
        except ResumeRefused as error:
            return error
        return None

    def _alias(
        self, target: Target, surveys: Mapping[str, Survey], refused: MigratorError | None
    ) -> ResumePlanned:
        begun = ResumePlanned(
            target.alias,
            state=target.state,
            status=target.status.value,
            stopped_in=_stopped_in(self.journal.entries(self.run.id, target.alias)),
            done=_done(self.journal.entries(self.run.id, target.alias)),
        )
        if target.status is TargetStatus.DONE:
            return replace(begun, reason="It has reached its goal and is not touched again.")
        if target.status is TargetStatus.SKIPPED:
            return replace(begun, reason=f"It was skipped: {target.reason}.")
        try:
            if target.alias not in self.known:
                refuse_unknown_aliases(self.run, [target.alias], self.known)
            if refused is not None:
                raise refused
            survey = surveys[target.alias]
            refuse_moved(self.run, target, survey)
            refuse_restored(self.journal, self.run, target)
            waits = self._lock(survey)
        except MigratorError as error:
            return _refused(begun, error, "refuse")
        if survey.skip:
            return replace(begun, reason=f"It would be skipped: {survey.skip}.")
        try:
            return self._look(begun, target, survey, waits)
        except SkipTarget as skip:
            return replace(begun, reason=f"It would be skipped: {skip.reason}.")
        except MigratorError as error:
            return _refused(begun, error, "stop")

    def _lock(self, survey: Survey) -> str:
        """Whom it would wait for; raises where it would not."""
        if survey.backend is None or survey.error is not None:
            return ""
        error = _lock_held(survey)
        if error is None:
            return ""
        if not _is_left_behind(self.journal, self.run, survey):
            raise error
        return "It waits for what the killed process has left running on the server; then it "

    def _look(
        self, begun: ResumePlanned, target: Target, survey: Survey, waits: str
    ) -> ResumePlanned:
        if survey.backend is None or survey.error is not None:
            raise survey.error or DatabaseUnreachable()
        ledger = Ledger(self.journal, self.run.id, target.alias, target.epoch, Goal.VERIFIED)
        context = Context(
            survey=survey,
            settings=self.settings,
            options=self.options,
            emit=self.emit,
            prompter=Prompter(),
            ledger=ledger,
            backend=survey.backend,
        )
        if not waits:
            guard.run(context)
        with survey.backend.read_only(survey.connection):
            rows = survey.backend.history(survey.connection) or ()
            recorded = {(row.migration.app, row.migration.name) for row in rows}
            found = reconcile(ledger.migrations(), recorded, replaces=replaced())
            found.raise_if_diverged(target.alias)
            lost_leaves(ledger.known_leaves(), recorded, replaced()).raise_if_diverged(target.alias)
            verified = ledger.latest_verified(survey.identity)
            scan = scan_target(
                survey.connection,
                survey.backend,
                alias=target.alias,
                phase="scan",
                emit=self.emit,
                held=(verified,) if verified else (),
                in_doubt=self._unsettled(ledger, found),
                labels=self.options.apps,
                fake_initial=self.options.fake_initial,
                advisory=bool(self.options.rollback and ledger.entries("migration")),
            )
        back = remaining_steps(ledger, scan.loader) if self.options.rollback else None
        return _judged(
            begun, found, scan, ledger, repair=self.options.repair, waits=waits, back=back
        )

    def _unsettled(self, ledger: Ledger, found: Reconciliation) -> Iterable[str]:
        """Migrations that are looked at again in any case."""
        settled = {str(each.migration) for each in found.reconciled}
        if self.options.rollback:
            return unsettled(ledger, settled)
        return set(in_doubt(ledger.entries("migration"))) - settled


def _refused(begun: ResumePlanned, error: MigratorError, action: str) -> ResumePlanned:
    return replace(
        begun,
        action=action,
        reason=error.message,
        hint=error.hint,
        error_type=type(error).__name__,
        exit_code=int(exit_code_of(error)),
    )


def _judged(
    begun: ResumePlanned,
    found: Reconciliation,
    scan: ScanResult,
    ledger: Ledger,
    *,
    repair: bool,
    waits: str,
    back: tuple[Return, ...] | None = None,
) -> ResumePlanned:
    pending = scan.pending if back is None else tuple(step.migration for step in back)
    planned = replace(
        begun,
        action="continue",
        reconciled=tuple(settled.migration for settled in found.reconciled),
        retried=tuple(key for key in found.retried if key in set(pending)),
        in_doubt=_doubtful_operations(ledger.entries("operation"), set(pending)),
        pending=pending,
    )
    if scan.blocked and not repair and not waits:  # what is at work now is not judged yet
        return replace(
            planned,
            action="stop",
            reason=f"{begun.alias}: the schema and the recorded migrations disagree: "
            f"{scan.blocking[0].message}",
            hint="Look at it with --check, mend it with --repair.",
            error_type="DriftFound",
            exit_code=1,
        )
    verb = "applies" if back is None else "unapplies"
    return replace(planned, reason=_why(planned, waits, verb, drifted=scan.blocked and repair))


def _why(planned: ResumePlanned, waits: str, verb: str, *, drifted: bool) -> str:
    """In one sentence."""
    parts = ["guards and scans it anew"]
    if drifted:
        parts.append("repairs the drift")
    if planned.reconciled:
        there = "there" if verb == "applies" else "gone"
        parts.append(f"takes {_count(planned.reconciled)} for committed (its row is {there})")
    if planned.retried:
        there = "not there" if verb == "applies" else "still there"
        parts.append(f"attempts {_count(planned.retried)} again (its row is {there})")
    if planned.in_doubt:
        parts.append("looks in the database how far what is in doubt came")
    fresh = [key for key in planned.pending if key not in planned.retried]
    if fresh:
        parts.append(f"{verb} {_count(fresh)}")
    parts.append("verifies it")
    text = ", ".join(parts[:-1]) + f" and {parts[-1]}."
    return waits + text if waits else f"It {text}"


def _count(keys: Sequence[MigrationKey]) -> str:
    return str(keys[0]) if len(keys) == 1 else f"{len(keys)} migrations"


def _stopped_in(entries: Sequence[Entry]) -> str:
    """The transition that has an intent and was not done."""
    stopped = ""
    for entry in entries:
        if entry.kind == "transition" and entry.name != "fail":
            stopped = "" if entry.phase.value == "done" else entry.name
    return stopped


def _done(entries: Sequence[Entry]) -> tuple[MigrationKey, ...]:
    done = (
        entry.name
        for entry in entries
        if entry.kind == "migration" and entry.phase.value in ("done", "reconciled")
    )
    return tuple(MigrationKey(*name.split(".", 1)) for name in dict.fromkeys(done))


def _doubtful_operations(entries: Sequence[Entry], pending: set[MigrationKey]) -> tuple[str, ...]:
    """Operations of migrations still pending that were begun and have no outcome."""
    open_ones: dict[str, str] = {}
    for entry in entries:
        if entry.phase.value == "intent":
            open_ones[entry.name] = str(entry.payload.get("description", ""))
        elif entry.phase.value != "failed" or entry.payload.get("effects") is False:
            open_ones.pop(entry.name, None)
    return tuple(
        f"{name} ({description})" if description else name
        for name, description in open_ones.items()
        if MigrationKey(*name.rpartition(":")[0].split(".", 1)) in pending
    )


def replaced() -> dict[tuple[str, str], list[tuple[str, str]]]:
    """What each squash of the project replaces."""
    return {
        key: list(migration.replaces)
        for key, migration in load_disk().migrations.items()
        if migration.replaces
    }


def close_all(surveys: Iterable[Survey]) -> None:
    """Let go of connections; what a caller holds open in a transaction (a test case) stays."""
    for survey in surveys:
        if survey.connection.in_atomic_block:
            continue
        with suppress(Exception):
            survey.connection.close()
