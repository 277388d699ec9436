"""`manage.py migrate_all`: every database, through the whole lifecycle."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from migrator.core.options import MigratorOptions
from migrator.exceptions import UsageError
from migrator.management.running import (
    add_run_arguments,
    fail,
    refuse_contradictions,
    run_and_exit,
    safety_options,
)
from migrator.terminal import is_terminal


class Command(BaseCommand):
    """Parses, calls the API, renders, exits."""

    help = "Take every database to the state that the code expects, journaled and resumable."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Design section 2."""
        parser.add_argument(
            "--check",
            action="store_true",
            help="Guards and scan only; writes nothing to any database.",
        )
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="--check, then the ordered plan with its SQL; writes nothing to any database.",
        )
        parser.add_argument(
            "--resume",
            nargs="?",
            const="",
            metavar="RUN",
            help="Continue an interrupted or failed run; without an id, the newest.",
        )
        parser.add_argument("--fake-initial", action="store_true", help="As Django's migrate.")
        parser.add_argument("--run-syncdb", action="store_true", help="As Django's migrate.")
        parser.add_argument(
            "--fail-on-pending",
            action="store_true",
            help="With --check: pending migrations also exit 1.",
        )
        parser.add_argument(
            "--deep",
            action="store_true",
            help="Replay the recorded migrations into a scratch database and compare with it.",
        )
        parser.add_argument(
            "--expected",
            metavar="FILE",
            help="With --check: compare with a file of `migrator schema snapshot`.",
        )
        parser.add_argument(
            "--accept-changed-migrations",
            action="store_true",
            help="With --resume: continue although migration files changed.",
        )
        add_run_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run."""
        try:
            refuse_contradictions(options)
        except UsageError as error:
            fail(error, self.stderr)  # type: ignore[arg-type]
        chosen = MigratorOptions(
            check=options["check"],
            dry_run=options["dry_run"],
            repair=options["repair"],
            interactive=options["interactive"] and self._asks(),
            skip_makemigrations=options["skip_makemigrations"],
            verbosity=options["verbosity"],
            databases=tuple(options["databases"]),
            fake_initial=options["fake_initial"],
            run_syncdb=options["run_syncdb"],
            fail_on_pending=options["fail_on_pending"],
            deep=options["deep"],
            expected=options["expected"],
            accept_changed_migrations=options["accept_changed_migrations"],
            wait_lock=options["wait_lock"],
            assume_applied=tuple(options["assume_applied"]),
            assume_not_applied=tuple(options["assume_not_applied"]),
            **safety_options(options),
        )
        resume = options["resume"]
        run_and_exit(
            (lambda m: m.migrate_all()) if resume is None else (lambda m: m.resume(resume or None)),
            chosen,
            style=options["format"],
            output=options["output"],
            reports=options["reports"],
            stdout=self.stdout,  # type: ignore[arg-type]
            stderr=self.stderr,  # type: ignore[arg-type]
            color=False if options["no_color"] else (True if options["force_color"] else None),
        )

    def _asks(self) -> bool:
        """Only a person at a terminal, who sees the question, can be asked."""
        return is_terminal(sys.stdin) and is_terminal(sys.stdout)
