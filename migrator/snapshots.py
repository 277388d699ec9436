"""The live schema of each database as one JSON document: `migrator schema snapshot`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import django

from migrator.aliases import plan_order
from migrator.conf import Settings
from migrator.core.events import Event
from migrator.exceptions import InspectionError
from migrator.expectation import FORMAT
from migrator.phases.guard import survey_alias
from migrator.scanner import owns_anything, scan_target


def snapshot_document(databases: Iterable[str], settings: Settings) -> dict[str, Any]:
    """Read each database. Writes nothing to any.

    Args:
        databases: Only these aliases; empty for all that own anything.
        settings: The project's.

    Returns:
        `{format, taken_at, django, databases: [{alias, vendor, server, recorded, rows,
        expected, schema}]}`; `migrate_all --check --expected` reads it back.

    Raises:
        UnknownAlias: DATABASES has no such alias.
        MigratorError: A database does not answer, or cannot be read.
    """
    wanted = tuple(databases)
    found = [_of_alias(alias, settings, named=bool(wanted)) for alias in plan_order(wanted)]
    return {
        "format": FORMAT,
        "taken_at": datetime.now(UTC).isoformat(),
        "django": django.get_version(),
        "databases": [each for each in found if each is not None],
    }


def _of_alias(alias: str, settings: Settings, *, named: bool) -> dict[str, Any] | None:
    survey = survey_alias(alias, settings)
    try:
        if survey.error is not None:
            raise survey.error
        if survey.backend is None:
            raise InspectionError(f"{alias} cannot be read.")
        if not named and not owns_anything(survey.connection):
            return None
        with survey.backend.read_only(survey.connection):
            scan = scan_target(
                survey.connection, survey.backend, alias=alias, phase="scan", emit=_unheard
            )
    finally:
        survey.connection.close()
    return {
        "alias": alias,
        "vendor": survey.connection.vendor,
        "server": str(survey.server),
        **scan.record().to_dict(),
    }


def _unheard(event: Event) -> None:
    """Nobody watches."""
