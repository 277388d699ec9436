"""`manage.py migrator`: the same lifecycle, by flags, for one database or one app."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from migrator.core.options import MigratorOptions
from migrator.exceptions import UsageError
from migrator.management.running import (
    add_run_arguments,
    fail,
    run_and_exit,
    safety_options,
)


class Command(BaseCommand):
    """Parses, calls the API, renders, exits."""

    help = "Migrate all databases, one database, or one app on every database that owns it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Design section 2."""
        parser.add_argument(
            "--auto", action="store_true", help="The full lifecycle on every database, unasked."
        )
        parser.add_argument(
            "--app",
            action="append",
            default=[],
            metavar="LABEL",
            dest="apps",
            help="Only this app, on every database that owns it (repeatable).",
        )
        add_run_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run."""
        from django.apps import apps

        try:
            if not (
                options["auto"] or options["repair"] or options["databases"] or options["apps"]
            ):
                raise UsageError(
                    "Nothing was asked for.",
                    hint="Use --auto, --repair, --database ALIAS or --app LABEL.",
                )
            known = {config.label for config in apps.get_app_configs()}
            for label in options["apps"]:
                if label not in known:
                    raise UsageError(
                        f"No installed app has the label {label!r}.",
                        hint="Use the label, not the dotted path of the app.",
                    )
        except UsageError as error:
            fail(error, self.stderr)  # type: ignore[arg-type]
        run_and_exit(
            lambda m: m.migrate_all(),
            MigratorOptions(
                repair=options["repair"],
                interactive=False,
                skip_makemigrations=options["skip_makemigrations"],
                verbosity=options["verbosity"],
                databases=tuple(options["databases"]),
                apps=tuple(options["apps"]),
                wait_lock=options["wait_lock"],
                assume_applied=tuple(options["assume_applied"]),
                assume_not_applied=tuple(options["assume_not_applied"]),
                **safety_options(options),
            ),
            style=options["format"],
            output=options["output"],
            reports=options["reports"],
            stdout=self.stdout,  # type: ignore[arg-type]
            stderr=self.stderr,  # type: ignore[arg-type]
            color=False if options["no_color"] else (True if options["force_color"] else None),
        )
