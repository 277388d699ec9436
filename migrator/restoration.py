"""Bringing a backup back: `migrator restore`.

The order is the crash protocol's: everything that can be refused is refused first, with the
archive read whole; then the lock, on a session of ours, and the journal (a run of kind
"restore"); only then is the database touched. The target's state is "restoring" in the journal
from then until the outcome is known, so that nothing resumes a run on what may be half of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from journal import (
    Journal,
    JournalError,
    Phase,
    RunStatus,
    TargetStatus,
    UnknownRun,
    open_journal,
)
from journal.identifiers import normalise_prefix, pick_run
from migrator import actor
from migrator.backends import Session
from migrator.backends.catalog import server_of
from migrator.backends.dump import Dumper, dumper_for
from migrator.conf import Settings
from migrator.core.lifecycle import Goal
from migrator.core.spelling import spell_bytes, spell_count
from migrator.dumping import Archive, Facts, alias_directory, check_digest, load_archive
from migrator.exceptions import (
    ArchiveRefused,
    DatabaseUnreachable,
    DecisionNeeded,
    LockHeld,
    MigratorError,
    RestoredInPart,
    RestoreFailed,
    ToolFailed,
    UnknownAlias,
    UsageError,
)
from migrator.interruption import interruptible, uninterruptible
from migrator.ledger import Ledger
from migrator.phases.context import Survey
from migrator.phases.guard import refuse_pooler, survey_connection
from migrator.prompts import Prompter
from migrator.waiting import explain_by_journal

KIND = "restore"
GOAL = "restored"
RESTORING = "restoring"
RESTORED = "restored"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore has done.

    Attributes:
        run_id: The run of the restore; "" where nothing was restored (`check`).
        archive: What was brought back.
        into: The alias, or the name of the database.
        same: Whether that is the database that was backed up.
        removed: Recorded migrations that are recorded no longer.
        seconds: How long it took.
    """

    run_id: str
    archive: Archive
    into: str
    same: bool
    removed: tuple[str, ...]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {
            "format": 1,
            "run_id": self.run_id or None,
            "into": self.into,
            "same_database": self.same,
            "removed": list(self.removed),
            "seconds": round(self.seconds, 6),
            "backup": backup_document(self.archive),
        }


def backup_document(archive: Archive) -> dict[str, Any]:
    """A backup as JSON-ready data."""
    return {"path": str(archive.path), **archive.facts.to_dict()}


class Restoration:
    """Finds backups, checks them, and brings them back."""

    def __init__(
        self,
        settings: Settings,
        *,
        prompter: Prompter | None = None,
        say: Say = lambda _text: None,
        journal: Journal | None = None,
    ) -> None:
        """Prepare.

        Args:
            settings: The project's.
            prompter: Who answers the question; by default nobody.
            say: Told what is done now, one sentence each.
            journal: An open journal; opened from the settings when absent.
        """
        self._settings = settings
        self._prompter = prompter or Prompter()
        self._say = say
        self._given_journal = journal

    # -- finding --------------------------------------------------------------------

    def backups(self, databases: Iterable[str] = ()) -> tuple[Archive, ...]:
        """The backups that lie in MIGRATOR["BACKUP_DIR"], newest first.

        Args:
            databases: Only of these aliases; empty for all.
        """
        wanted = frozenset(databases)
        found = []
        with suppress(OSError):
            for facts_path in self._settings.backup_dir.glob("*/*.json"):
                try:
                    archive = load_archive(facts_path)
                except ArchiveRefused as error:
                    self._say(f"left out: {error.message}")
                    continue
                if not wanted or archive.facts.alias in wanted:
                    found.append(archive)
        return tuple(sorted(found, key=lambda a: (a.facts.run_id, a.facts.alias), reverse=True))

    def restore(
        self,
        prefix: str,
        *,
        database: str | None = None,
        into: str | None = None,
        check: bool = False,
    ) -> Restored:
        """Bring the backup of a run back.

        Args:
            prefix: The run's id, or a unique prefix.
            database: Of this alias; may be None where the run has backed up only one.
            into: Another alias, or the name of another database of the same server; None for
                the database that was backed up.
            check: Read the backup whole, and do nothing else.

        Raises:
            ArchiveRefused: The backup is not whole; nothing was touched.
            DecisionNeeded: Nobody consented.
            LockHeld: Another run is at work there.
            RestoreFailed: The database is as it was, unless the message says otherwise.
        """
        with self._journal() as journal, interruptible():
            archive = self._find(journal, prefix, database)
            self._refuse_altered(journal, archive)
            survey = self._survey(archive.facts, into)
            try:
                made = self._is_absent(survey)
                if made:
                    self._read(archive, _server_of(survey), survey)
                    if check:
                        return Restored("", archive, survey.alias, False, (), 0.0)
                    self._ask(survey.alias, _novelty(archive, survey))
                    dumper_for(survey.connection).create()
                    survey = self._survey(archive.facts, into)
                self._refuse_unusable(survey)
                return self._restore(journal, archive, survey, check=check, consented=made)
            except ToolFailed as error:
                raise RestoreFailed(
                    f"{survey.alias} was not restored: {error.message}", hint=error.hint
                ) from error
            finally:
                survey.connection.close()

    def _find(self, journal: Journal, prefix: str, database: str | None) -> Archive:
        """The backup of a run: where the journal says it lies, or in the configured directory."""
        run_id = self._run_id(journal, prefix)
        paths: dict[str, Path] = {}
        with suppress(JournalError):
            for entry in journal.entries(run_id):
                if entry.kind == "backup" and entry.phase is Phase.DONE:
                    path = Path(str(entry.payload.get("path", "")))
                    if path.exists():
                        paths[entry.alias] = path
        for path in self._settings.backup_dir.glob(f"*/{run_id}.*"):
            if path.suffix != ".part" and path.suffix != ".json":
                alias = self._alias_of(path)
                paths.setdefault(alias, path)
        if database is not None:
            paths = {alias: path for alias, path in paths.items() if alias == database}
        if not paths:
            of = f" of {database}" if database else ""
            raise UsageError(
                f"There is no backup{of} of run {run_id} in {self._settings.backup_dir}.",
                hint="`migrator restore --list` shows the backups that there are.",
            )
        if len(paths) > 1:
            raise UsageError(
                f"Run {run_id} has backups of {', '.join(sorted(paths))}.",
                hint="Say which by --database.",
            )
        ((alias, path),) = paths.items()
        archive = load_archive(path.with_name(f"{run_id}.json"))
        facts = archive.facts
        if facts.run_id != run_id or facts.alias != alias or archive.path != path:
            raise ArchiveRefused(
                f"The facts beside {path} are those of run {facts.run_id} on {facts.alias}."
            )
        return archive

    def _alias_of(self, path: Path) -> str:
        """Whose directory a backup lies in."""
        for alias in connections:
            if alias_directory(self._settings.backup_dir, alias).name == path.parent.name:
                return str(alias)
        return path.parent.name

    def _run_id(self, journal: Journal, prefix: str) -> str:
        """Also of a run that the journal has lost or pruned, by its backup."""
        try:
            return journal.find_run(prefix).id
        except UnknownRun:
            begins = normalise_prefix(prefix)
            found = {
                archive.facts.run_id
                for archive in self.backups()
                if archive.facts.run_id.startswith(begins)
            }
            run_id = pick_run(prefix, sorted(found))
            self._say(f"the journal does not know run {run_id}; its backup is there")
            return run_id

    # -- refusing ---------------------------------------------------------------------

    def _refuse_altered(self, journal: Journal, archive: Archive) -> None:
        facts = archive.facts
        self._say(f"the backup is read: {archive.path}, {spell_bytes(facts.bytes)}")
        digests = []
        with suppress(JournalError):
            digests = [
                entry.payload.get("digest")
                for entry in journal.entries(facts.run_id, facts.alias)
                if entry.kind == "backup" and entry.phase is Phase.DONE
            ]
        if digests and digests[-1] != facts.sha256:
            raise ArchiveRefused(
                f"{archive.facts_path} names another SHA-256 than the journal holds for it."
            )
        check_digest(archive)

    def _survey(self, facts: Facts, into: str | None) -> Survey:
        """The database to restore into, which may not answer, or not exist."""
        connection = self._connection(facts, into)
        label = into or facts.alias
        if connection.vendor != facts.vendor:
            raise UsageError(
                f"The backup is of {facts.vendor}, and {label} is {connection.vendor}.",
                hint="Restore it into a database of its own vendor.",
            )
        return survey_connection(label, connection, self._settings)

    def _is_absent(self, survey: Survey) -> bool:
        """Whether it is yet to be made: dropped by accident, or new, to look at the backup."""
        if survey.error is not None and not isinstance(survey.error, DatabaseUnreachable):
            return False
        try:
            return dumper_for(survey.connection).absent()
        except Exception as error:
            if survey.error is not None:
                raise survey.error from error
            raise

    def _refuse_unusable(self, survey: Survey) -> None:
        if survey.error is not None and survey.connection.vendor == "sqlite":
            path = survey.connection.settings_dict["NAME"]
            raise RestoreFailed(
                f"{survey.alias} was not restored: {survey.error.message}",
                hint=f"If {path} is damaged, move it away with its -wal and -shm files, and "
                "restore again: a database that is not there is made.",
            )
        if survey.error is not None:
            raise survey.error
        refuse_pooler(survey)

    def _read(self, archive: Archive, connection: BaseDatabaseWrapper, survey: Survey) -> Dumper:
        """Have the vendor's own program read the archive to its end."""
        dumper = dumper_for(connection, tools=self._settings.client_tools)
        try:
            dumper.tool()
            dumper.check(archive.path, history=bool(archive.facts.recorded))
        finally:
            if connection is not survey.connection:
                connection.close()
        return dumper

    def _connection(self, facts: Facts, into: str | None) -> BaseDatabaseWrapper:
        alias = into if into in connections.settings else facts.alias
        if alias not in connections.settings:
            raise UnknownAlias(
                f"DATABASES has no alias {alias!r}, which the backup is of.",
                hint="Name the alias to restore into by --into.",
            )
        if into is None or into == alias:
            return connections[alias].copy(alias)
        connection = connections[alias].copy(alias)
        connection.settings_dict = {**connection.settings_dict, "NAME": into}
        return connection

    # -- doing ------------------------------------------------------------------------

    def _restore(
        self,
        journal: Journal,
        archive: Archive,
        survey: Survey,
        *,
        check: bool,
        consented: bool,
    ) -> Restored:
        facts = archive.facts
        same = survey.identity == facts.identity
        dumper = self._read(archive, survey.connection, survey)
        if check:
            return Restored("", archive, survey.alias, same, (), 0.0)
        before = _recorded(survey)
        self._refuse_locked(journal, survey)
        if not consented:
            self._ask(survey.alias, _warning(archive, survey, before, dumper.others()))
        run = journal.open_run(
            kind=KIND,
            goal=GOAL,
            options={"run": facts.run_id, "path": str(archive.path), "digest": facts.sha256},
            actor=actor.describe_actor(self._settings.base_dir, self._settings.secrets),
            targets=[survey.as_target()],
            parent=facts.run_id,
        )
        self._say(f"run {run.id}: restore of {survey.alias}")
        assert survey.backend is not None  # noqa: S101  (an unsupported vendor has no dumper)
        lock = survey.backend.lock(survey.connection, run_id=run.id, alias=survey.alias)
        try:
            lock.acquire()
        except MigratorError as error:
            journal.update_target(
                run.id,
                survey.alias,
                epoch=0,
                status=TargetStatus.FAILED,
                reason=error.message,
            )
            journal.close_run(run.id, RunStatus.FAILED)
            raise
        try:
            epoch = journal.claim(run.id, survey.alias, actor=actor.describe_process())
            ledger = Ledger(journal, run.id, survey.alias, epoch, Goal.VERIFIED)
            ledger.update(leaves_before=_newest(before))
            return self._journaled(journal, ledger, archive, survey, dumper, before, same)
        finally:
            lock.release()

    def _ask(self, label: str, warning: str) -> None:
        try:
            consented = self._prompter.acknowledge(warning, flag="--yes")
        except DecisionNeeded:
            self._say(warning)
            raise DecisionNeeded(
                f"{label} was not restored: nobody can be asked whether to replace it.",
                hint="Give --yes to go ahead, or --into to restore into another database.",
            ) from None
        if not consented:
            raise DecisionNeeded(
                f"The restore of {label} was declined; nothing was changed.",
                hint="Type the words to go on, or give --yes.",
            )

    def _journaled(
        self,
        journal: Journal,
        ledger: Ledger,
        archive: Archive,
        survey: Survey,
        dumper: Dumper,
        before: tuple[str, ...],
        same: bool,
    ) -> Restored:
        facts = archive.facts
        payload = {"run": facts.run_id, "path": str(archive.path), "digest": facts.sha256}
        ledger.intent(KIND, "dump", 1, payload)
        ledger.update(state=RESTORING)
        began = time.monotonic()
        try:
            dumper.restore(archive.path, run_id=ledger.run_id, same=same, step=self._say)
            after = _recorded(survey)
            missing = sorted(set(facts.recorded) - set(after))
            if missing:
                raise RestoredInPart(
                    f"{survey.alias} was restored, but does not record {', '.join(missing)}."
                )
        except BaseException as error:
            with uninterruptible(), suppress(JournalError, MigratorError):
                interrupted = isinstance(error, KeyboardInterrupt)
                changed = isinstance(error, RestoredInPart) or (
                    interrupted and survey.connection.vendor == "mysql"
                )
                said = getattr(error, "message", "") or type(error).__name__
                ledger.failed(KIND, "dump", 1, time.monotonic() - began, {"error": said})
                status = TargetStatus.INTERRUPTED if interrupted else TargetStatus.FAILED
                ledger.update(state=RESTORING if changed else "failed", status=status, reason=said)
                journal.close_run(
                    ledger.run_id, RunStatus.INTERRUPTED if interrupted else RunStatus.FAILED
                )
            raise
        seconds = time.monotonic() - began
        ledger.done(KIND, "dump", 1, seconds, payload)
        ledger.update(
            state=RESTORED, status=TargetStatus.DONE, leaves_after=_newest(after), reason=""
        )
        journal.close_run(ledger.run_id, RunStatus.COMPLETE)
        removed = tuple(name for name in before if name not in set(after))
        return Restored(ledger.run_id, archive, survey.alias, same, removed, seconds)

    def _refuse_locked(self, journal: Journal, survey: Survey) -> None:
        """Before anybody is asked; the lock itself is taken when they have consented."""
        assert survey.backend is not None  # noqa: S101  (typing)
        lock = survey.backend.lock(survey.connection, run_id="", alias=survey.alias)
        try:
            lock.acquire()
        except MigratorError as error:
            if isinstance(error, LockHeld):
                raise explain_by_journal(error, journal, survey.identity) from None
            raise
        lock.release()

    def _journal(self) -> AbstractContextManager[Journal]:
        if self._given_journal is not None:
            return nullcontext(self._given_journal)
        return open_journal(self._settings.journal_url)


def _recorded(survey: Survey) -> tuple[str, ...]:
    """The recorded migrations, in the order of their recording."""
    assert survey.backend is not None  # noqa: S101  (typing)
    rows = survey.backend.history(survey.connection) or ()
    return tuple(str(row.migration) for row in rows)


def _newest(recorded: tuple[str, ...]) -> tuple[str, ...]:
    """The last that was recorded of each app."""
    return tuple(sorted({name.partition(".")[0]: name for name in recorded}.values()))


def _server_of(survey: Survey) -> BaseDatabaseWrapper:
    """A connection to the server alone, where the database is not there; nothing of SQLite."""
    connection = survey.connection
    if connection.vendor == "sqlite":
        return connection
    server = connection.copy(survey.alias)
    server.settings_dict = {**connection.settings_dict, "NAME": None}
    return server


def _novelty(archive: Archive, survey: Survey) -> str:
    """What is shown before a database is made for a backup."""
    facts, name = archive.facts, survey.connection.settings_dict["NAME"]
    made = facts.made_at[:19].replace("T", " ")
    return "\n".join(
        [
            f"Restore of {survey.alias}: there is no database {name}, so it is made.",
            f"  of the backup   of {facts.alias}, made {made} UTC in run {facts.run_id}",
            f"                  {spell_bytes(facts.bytes)}, {facts.tool}",
            f"  which records   {_some(facts.recorded)}",
        ]
    )


def _warning(
    archive: Archive, survey: Survey, before: tuple[str, ...], others: tuple[Session, ...]
) -> str:
    """What is shown before anything is replaced."""
    facts = archive.facts
    made = facts.made_at[:19].replace("T", " ")
    lines = [
        f"Restore of {survey.alias}: the whole content of {_spell_database(survey)} is replaced.",
        f"  by the backup   of {facts.alias}, made {made} UTC in run {facts.run_id}",
        f"                  {spell_bytes(facts.bytes)}, {facts.tool}",
        f"  which records   {_some(facts.recorded)}",
        f"  recorded now    {_some(_newest(before))}",
    ]
    if others:
        lines.append(f"  connected       {spell_count(len(others), 'other session')}:")
        lines += [f"                  {session}" for session in others[:5]]
    if before:
        lines.append("Whatever was written to it since the backup was made is lost.")
    return "\n".join(lines)


def _spell_database(survey: Survey) -> str:
    """Which database, in words that its owner knows: name and server, or the file."""
    name = survey.connection.settings_dict["NAME"]
    if survey.connection.vendor == "sqlite":
        return str(name)
    return f"database {name} ({survey.server} on {server_of(survey.connection)})"


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if names[8:] else "")
    return shown or "no migration"
