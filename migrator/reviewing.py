"""`migrator lint`: which migrations are judged, for which databases, and against what.

Pending ones against the live database; those that a branch has changed, or all, each against
the state right before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from migrator.aliases import plan_order
from migrator.backends import facts_for
from migrator.conf import Settings
from migrator.core.effects import MigrationKey
from migrator.core.events import Event
from migrator.core.findings import Finding
from migrator.core.lint import unused_settings
from migrator.core.live import Facts
from migrator.core.plan import Plan
from migrator.core.review import Judged, Review, Unjudged
from migrator.exceptions import ConfigurationError, MigratorError, UsageError
from migrator.linting import lint_plan, read_policy
from migrator.phases.context import Survey
from migrator.phases.guard import NO_ENGINE, survey_alias
from migrator.planning import make_plan
from migrator.planning.describing import source_of
from migrator.planning.supposing import suppose_plans
from migrator.scanner import owns_anything, scan_target
from migrator.sources import full_plan, load_disk, load_graph
from migrator.sources.changed import changed_files


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be judged.

    Attributes:
        databases: Only these aliases; empty for all.
        labels: Only these: "app" or "app.name"; empty for all.
        since: Only what was added or changed since this git ref; "" for no such limit.
        everything: Every migration, recorded or not.
        live: Whether the databases are asked.
        third_party: Whether migrations of packages are judged as well.
    """

    databases: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    since: str = ""
    everything: bool = False
    live: bool = True
    third_party: bool = False

    @property
    def supposed(self) -> bool:
        """Whether each migration is judged against the state before it, pending or not."""
        return bool(self.since or self.everything or not self.live)

    def __str__(self) -> str:
        if self.since:
            return f"migrations changed since {self.since}"
        return "migrations" if self.supposed else "pending migrations"


def review(subject: Subject, settings: Settings) -> Review:
    """Judge migrations. Writes nothing to any database.

    Args:
        subject: Which migrations, for which databases.
        settings: The project's.

    Raises:
        UsageError: An alias, an app, a migration or a git ref that does not exist.
        ConfigurationError: MIGRATOR["LINT"] or a `migrator_ignore` cannot be used.
        MigratorError: The migrations cannot be read.
    """
    policy = read_policy(settings)
    _check_labels(subject.labels)
    files = changed_files(settings.base_dir, subject.since) if subject.since else None
    reviewer = _Reviewer(subject, settings, files)
    for alias in plan_order(subject.databases):
        reviewer.judge(alias)
    findings = tuple(reviewer.findings)
    return Review(
        subject=str(subject),
        judged=tuple(reviewer.judged),
        findings=findings,
        unjudged=tuple(reviewer.unjudged),
        unused=unused_settings(policy.ignore, findings) if _is_whole(subject) else (),
    )


def _is_whole(subject: Subject) -> bool:
    """Whether everything was judged, so that a setting that matches nothing is of no use."""
    return subject.everything and not subject.labels and not subject.databases


def _check_labels(labels: Iterable[str]) -> None:
    disk = load_disk()
    for label in labels:
        app, _, name = label.partition(".")
        if app not in disk.migrated_apps:
            known = "has no migrations" if app in disk.unmigrated_apps else "is not installed"
            raise UsageError(
                f"The app {app!r} {known}.",
                hint="Apps with migrations: " + ", ".join(sorted(disk.migrated_apps)) + ".",
            )
        if name and not any(key[0] == app and key[1].startswith(name) for key in disk.migrations):
            raise UsageError(f"The app {app} has no migration {name!r}.")


class _Reviewer:
    """Goes from alias to alias."""

    def __init__(self, subject: Subject, settings: Settings, files: frozenset[Path] | None) -> None:
        self.subject = subject
        self.settings = settings
        self.files = files
        self.judged: list[Judged] = []
        self.findings: list[Finding] = []
        self.unjudged: list[Unjudged] = []

    def judge(self, alias: str) -> None:
        """Judge one alias; what goes wrong with it is kept, and the others go on."""
        try:
            if self.subject.live:
                self._live(survey_alias(alias, self.settings))
            else:
                self._blind(alias)
        except ConfigurationError:
            raise  # the same for every alias
        except MigratorError as error:
            self.unjudged.append(Unjudged(alias, error.message, error.hint))

    # -- with the database ---------------------------------------------------------------

    def _live(self, survey: Survey) -> None:
        try:
            if survey.skip:
                return
            if survey.error is not None:
                raise survey.error
            connection, backend = survey.connection, survey.backend
            if backend is None or not self._wanted(connection):
                return
            with backend.read_only(connection):
                facts = facts_for(connection)
                if self.subject.supposed:
                    server = survey.server
                    plans = self._supposed(
                        connection,
                        product=server.product if server else "",
                        version=server.version if server else (),
                    )
                    # What --all judges has long been applied: today's rows say nothing of it.
                    self._lint(plans, None if self.subject.everything else facts)
                    return
                scan = scan_target(
                    connection,
                    backend,
                    alias=survey.alias,
                    phase="scan",
                    emit=_unheard,
                    labels={label.partition(".")[0] for label in self.subject.labels},
                )
                plan = make_plan(connection, backend, scan, base_dir=self.settings.base_dir)
                self._lint((plan,), facts)
        finally:
            survey.connection.close()

    def _wanted(self, connection: BaseDatabaseWrapper) -> bool:
        return bool(self.subject.databases) or owns_anything(connection)

    # -- without it -------------------------------------------------------------------------

    def _blind(self, alias: str) -> None:
        try:
            connection = connections[alias]
        except ImproperlyConfigured as error:
            reason = str(error).strip().splitlines()[0]
            raise MigratorError(
                f"DATABASES[{alias!r}] cannot be loaded: {reason}",
                hint="Its driver is needed to write its SQL, though no database is asked.",
            ) from error
        if connection.settings_dict["ENGINE"] == NO_ENGINE or not self._wanted(connection):
            return
        self._lint(self._supposed(connection), None)

    def _supposed(
        self,
        connection: BaseDatabaseWrapper,
        *,
        product: str = "",
        version: tuple[int, ...] = (),
    ) -> tuple[Plan, ...]:
        loader = load_graph(None, check=False)
        keys = [key for key in full_plan(loader) if self._asked_for(key)]
        plans = suppose_plans(
            connection,
            loader,
            keys,
            base_dir=self.settings.base_dir,
            product=product,
            version=version,
        )
        # All of them first: meanwhile the connection answers nothing.
        return tuple(replace(plan, alias=connection.alias) for plan in plans)

    def _asked_for(self, key: MigrationKey) -> bool:
        migration = load_disk().migrations[key.app, key.name]
        file, own = source_of(migration, self.settings.base_dir)
        if not (own or self.subject.third_party) or not self._labelled(key):
            return False
        path = (self.settings.base_dir / file).resolve()
        return self.files is None or path in self.files

    def _labelled(self, key: MigrationKey) -> bool:
        def names(label: str) -> bool:
            app, _, name = label.partition(".")
            return key.app == app and key.name.startswith(name)

        return not self.subject.labels or any(map(names, self.subject.labels))

    # -- both --------------------------------------------------------------------------------

    def _lint(self, plans: Sequence[Plan], facts: Facts | None) -> None:
        for plan in plans:
            chosen = {
                step.migration
                for step in plan.steps
                if (step.own or self.subject.third_party) and self._labelled(step.migration)
            }
            self.judged += [
                Judged(plan.alias, plan.vendor, step.migration, step.file)
                for step in plan.steps
                if step.migration in chosen
            ]
            third_party = self.subject.third_party
            made = lint_plan(plan, facts, self.settings, third_party=third_party)
            self.findings += [finding for finding in made if finding.migration in chosen]


def _unheard(event: Event) -> None:
    """Nobody watches."""
