"""What `migrator rollback` is about: the run, its databases, and what is refused beforehand.

Everything is planned before anything is written, on every database: what one of them refuses
stops them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from shlex import quote
from typing import TypeAlias

from journal import Journal, Run, Target
from migrator.backends import Backend
from migrator.conf import Settings
from migrator.core.events import Emit
from migrator.core.options import MigratorOptions
from migrator.exceptions import (
    DestructiveStep,
    MigratorError,
    RollbackRefused,
    UnknownAlias,
    UsageError,
)
from migrator.phases.context import Survey
from migrator.resumption import await_lock
from migrator.returning import AliasReturn, failures, foresee, plan_alias
from migrator.sources import recorded_plan
from migrator.waiting import Patience

RETURNABLE = ("migrate", "repair")
"""Kinds of runs that apply migrations."""

Confirm: TypeAlias = Callable[[tuple[AliasReturn, ...]], None]
"""Is shown what would be taken back; raises to leave it."""

_SHOWN = 3


class WayBack:
    """Plans the rollback of one run."""

    def __init__(
        self,
        journal: Journal,
        run: Run,
        options: MigratorOptions,
        settings: Settings,
        emit: Emit,
    ) -> None:
        """Prepare.

        Args:
            journal: Where the run stands.
            run: What is to be taken back.
            options: What was asked for.
            settings: The project's.
            emit: Told whom it waits for.

        Raises:
            UsageError: By its kind, the run has applied nothing.
        """
        _refuse_kind(run)
        self._journal = journal
        self._run = run
        self._given = options
        self._settings = settings
        self._emit = emit
        self._targets = {target.alias: target for target in journal.targets(run.id)}

    def aliases(self, known: Sequence[str]) -> tuple[str, ...]:
        """The databases to look at.

        Args:
            known: Those of DATABASES, in the order of a run.

        Raises:
            UnknownAlias: One that was asked for is not in the run.
            RollbackRefused: The run has one that DATABASES no longer has.
        """
        wanted = self._given.databases or tuple(self._targets)
        strange = [alias for alias in wanted if alias not in self._targets]
        if strange:
            raise UnknownAlias(
                f"Run {self._run.id} has no database {strange[0]!r}.",
                hint=f"It has: {', '.join(self._targets)}.",
            )
        gone = [alias for alias in wanted if alias not in known]
        if gone:
            raise RollbackRefused(
                f"Run {self._run.id} has the alias {gone[0]}, which DATABASES no longer has.",
                hint="Put it back, or name the others with --database.",
            )
        return tuple(alias for alias in known if alias in wanted)

    def plan(self, surveys: Sequence[Survey]) -> dict[str, AliasReturn]:
        """Plan every database.

        Args:
            surveys: The first look at each.

        Returns:
            By alias. A database that is skipped has no steps.

        Raises:
            RollbackRefused: One of them cannot go back.
            LockHeld: Another run is at work on one of them.
            MigratorError: One of them does not answer.
        """
        found: dict[str, AliasReturn] = {}
        for survey in surveys:
            target = self._targets[survey.alias]
            if survey.skip or not target.epoch:
                found[survey.alias] = AliasReturn(survey.alias)
                continue
            if survey.error is not None or survey.backend is None:
                raise survey.error or MigratorError(f"{survey.alias} cannot be read.")
            self._refuse_moved(target, survey)
            if not self._given.dry_run:
                patience = Patience.of(survey.alias, self._given, self._settings, self._emit)
                await_lock(self._journal, self._run, survey, patience)
            found[survey.alias] = self._plan_alias(target, survey, survey.backend)
        self._refuse([each for each in found.values() if each.refusals])
        return found

    def _plan_alias(self, target: Target, survey: Survey, backend: Backend) -> AliasReturn:
        from migrator.planning import make_backwards_plan  # only a rollback needs it here

        connection = survey.connection
        found, loader = plan_alias(
            self._journal,
            self._run,
            target,
            connection,
            backend,
            with_later=self._given.with_later,
            accept_changed=self._given.accept_changed_migrations,
        )
        if found.refusals or not found.steps:
            return found
        with backend.read_only(connection):
            plan = make_backwards_plan(
                connection,
                backend,
                loader,
                recorded_plan(loader),
                [step.migration for step in found.steps if not step.forget],
                base_dir=self._settings.base_dir,
            )
            foreseen = foresee(plan, connection, self._settings)
        refusals = tuple(
            f"{each.migration}: {each.message.rstrip('.')}" for each in failures(foreseen)
        )
        hints = ("Change or remove these rows, then roll back.",) if refusals else ()
        losses = tuple(each for each in foreseen if each.destroys)
        return replace(found, findings=losses, refusals=refusals, hints=hints)

    def refuse_losses(self, found: Iterable[AliasReturn]) -> None:
        """Stop where data would be lost and nobody can be asked; else the gate asks.

        Raises:
            DestructiveStep
        """
        given = self._given
        if given.allow_destructive or given.interactive or given.dry_run:
            return
        losses = [
            (each.alias, finding)
            for each in found
            for finding in each.findings
            if not finding.suppressed
        ]
        if losses:
            shown = "; ".join(
                f"{alias}: {loss.message.rstrip('.')}" for alias, loss in losses[:_SHOWN]
            )
            more = f"; and {len(losses) - _SHOWN} more" if losses[_SHOWN:] else ""
            raise DestructiveStep(
                f"Rolling back run {self._run.id} would lose data, and nothing was touched: "
                f"{shown}{more}.",
                hint=f"Look at it with migrator rollback {self._run.id} --dry-run; "
                "consent with --allow-destructive.",
            )

    def options(self) -> MigratorOptions:
        """Of the run that takes it back."""
        return replace(
            self._given,
            check=False,
            repair=False,
            skip_makemigrations=True,
            apps=(),
            fake_initial=False,
            run_syncdb=False,
            rollback=self._run.id,
        )

    def nothing(self, found: Iterable[AliasReturn]) -> str:
        """Why there is nothing to do, in one sentence."""
        if any(each.plan.undone for each in found):
            return f"Nothing to roll back: what run {self._run.id} applied is no longer recorded."
        return f"Nothing to roll back: run {self._run.id} applied nothing."

    def _refuse_moved(self, target: Target, survey: Survey) -> None:
        if target.identity and survey.identity and target.identity != survey.identity:
            raise RollbackRefused(
                f"{target.alias} is another database than in run {self._run.id} "
                f"({survey.identity}, was {target.identity}).",
                hint="Point it back, or name the others with --database.",
            )

    def _refuse(self, refused: Sequence[AliasReturn]) -> None:
        if not refused:
            return
        reasons = [f"{each.alias}: {reason}" for each in refused for reason in each.refusals]
        more = f"; and {len(reasons) - _SHOWN} more" if reasons[_SHOWN:] else ""
        raise RollbackRefused(
            f"Run {self._run.id} cannot be rolled back, and nothing was touched: "
            f"{'; '.join(reasons[:_SHOWN])}{more}.",
            hint=" ".join(self._ways_out(refused)),
        )

    def _ways_out(self, refused: Sequence[AliasReturn]) -> list[str]:
        hints = list(dict.fromkeys(hint for each in refused for hint in each.hints))[:_SHOWN]
        kept = [each.alias for each in refused if self._has_backup(each.alias)]
        if kept:
            begin = "Or bring" if hints else "Bring"
            what = "backup" if len(kept) == 1 else "backups"
            commands = (
                f"migrator restore {self._run.id} --database {quote(alias)}" for alias in kept
            )
            hints.append(f"{begin} back the {what} that the run has made: {'; '.join(commands)}.")
        elif not hints:
            hints.append("Undo it by a new migration, or bring back a backup from before the run.")
        return hints

    def _has_backup(self, alias: str) -> bool:
        return any(
            entry.kind == "backup" and entry.phase.value == "done"
            for entry in self._journal.entries(self._run.id, alias)
        )


def _refuse_kind(run: Run) -> None:
    """Refuse a run that applies nothing, or that took something back itself.

    Raises:
        UsageError
    """
    if run.kind in RETURNABLE:
        return
    if run.kind == "rollback":
        raise UsageError(
            f"Run {run.id} is itself a rollback, of run {run.parent}.",
            hint="To go forwards again, run manage.py migrate_all.",
        )
    raise UsageError(
        f"Run {run.id} is a {run.kind}: it applied nothing that could be rolled back.",
        hint="`migrator journal list` shows the runs that migrated.",
    )
