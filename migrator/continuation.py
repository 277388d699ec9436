"""Which run a resume is about, and with which options it goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from journal import Journal, Run, RunStatus, Target, TargetStatus
from journal.scrub import HIDDEN
from migrator.core.lifecycle import Goal
from migrator.core.options import MigratorOptions
from migrator.exceptions import NothingToResume, ResumeRefused


def find_run(journal: Journal, prefix: str | None) -> tuple[Run, bool]:
    """The run to continue.

    Args:
        journal: Where it stands.
        prefix: Its id, or a unique prefix; None for the newest that can be continued.

    Returns:
        The run, and whether there is anything left of it to do: with no prefix and nothing
        left anywhere, the newest run of all.

    Raises:
        NothingToResume: The journal holds no run.
        ResumeRefused: It is of a kind that nobody continues.
        UnknownRun, AmbiguousRun: From the journal.
    """
    if prefix is not None:
        run = journal.find_run(prefix)
        if run.goal != Goal.VERIFIED.value:
            raise ResumeRefused(
                f"Run {run.id} is a {run.kind}; there is nothing in it to continue.",
                hint="Start it again instead.",
            )
        return run, run.status is not RunStatus.COMPLETE
    incomplete = [r for r in journal.incomplete_runs() if r.goal == Goal.VERIFIED.value]
    if incomplete:
        return incomplete[0], True
    newest = journal.runs(limit=1)
    if not newest:
        raise NothingToResume(
            f"The journal {journal.location} holds no run yet.",
            hint="Check MIGRATOR_JOURNAL_URL, or start a run without --resume.",
        )
    return newest[0], False


def is_finished(target: Target) -> bool:
    """Whether nothing is left to do on a target."""
    return target.status in (TargetStatus.DONE, TargetStatus.SKIPPED)


def resumed_options(run: Run, given: MigratorOptions, failed: str | None = None) -> MigratorOptions:
    """What the run was opened with; how to talk, and what was decided since, from now.

    Args:
        run: Its options are in it.
        given: Those of the resume.
        failed: A test command that an earlier resume was given and that has not passed: leaving
            it out is no way around it, an empty one is.

    Raises:
        ResumeRefused: The test command holds a credential, which the journal does not keep.
    """
    stored = run.options
    asked: dict[str, Any] = {
        name: stored.get(name) if getattr(given, name) is None else getattr(given, name)
        for name in ("lock_timeout", "lock_retries", "test_command")
    }
    if asked["test_command"] is None:
        asked["test_command"] = failed
    if given.test_command is None and HIDDEN in str(asked["test_command"] or ""):
        raise ResumeRefused(
            f"The test command of run {run.id} holds a credential, which the journal does not.",
            hint="Give it again with --test-command, or an empty one to do without.",
        )
    return replace(
        given,
        **asked,
        check=False,
        dry_run=False,
        repair=bool(stored.get("repair")) or given.repair,
        skip_makemigrations=True,
        apps=tuple(stored.get("apps", ())),
        fake_initial=bool(stored.get("fake_initial")),
        run_syncdb=bool(stored.get("run_syncdb")),
        # Consent to what the run was opened with; other files are another matter.
        allow_destructive=given.allow_destructive
        or (bool(stored.get("allow_destructive")) and not given.accept_changed_migrations),
        backup=given.backup or stored.get("backup"),
        rollback=str(stored.get("rollback", "")),
        with_later=bool(stored.get("with_later")),
    )
