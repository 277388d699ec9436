"""What a file of `migrator schema snapshot` says that a database should be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from migrator.core.incidents import Evidence
from migrator.core.reference import Held, Record
from migrator.exceptions import ExpectedRefused

FORMAT = 1


def read_expected(path: Path, alias: str, *, vendor: str) -> tuple[Held, str]:
    """The record that a file holds of one alias.

    Args:
        path: The file.
        alias: Which.
        vendor: Of the database that it is to be compared with.

    Returns:
        The record, and the server that it was read from.

    Raises:
        ExpectedRefused: The file cannot be read, is none of ours, or does not hold the alias
            or another vendor's.
    """
    entry = _entry(_document(path), path, alias)
    if entry.get("vendor") != vendor:
        raise ExpectedRefused(
            f"{path} holds {alias!r} as it is on {entry.get('vendor')}; here it is on {vendor}.",
            hint="Make the snapshot on a server of the same kind.",
        )
    try:
        record = Record.from_dict(entry)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _malformed(path, f"of {alias!r} it has no schema that can be read") from error
    origin = f"not what {path.name} has"
    return Held(record, Evidence.REPLAY, origin, binding=True), str(entry.get("server", ""))


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExpectedRefused(
            f"{path} cannot be read: {error.strerror or error}.",
            hint="Make it with `migrator schema snapshot --output FILE`.",
        ) from error
    except ValueError as error:
        raise _malformed(path, "it is not JSON") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _malformed(path, f'it has no "format": {FORMAT}')
    return document


def _entry(document: dict[str, Any], path: Path, alias: str) -> dict[str, Any]:
    entries = document.get("databases")
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise _malformed(path, "it lists no databases")
    for entry in entries:
        if entry.get("alias") == alias:
            return dict(entry)
    held = ", ".join(str(entry.get("alias")) for entry in entries) or "none"
    raise ExpectedRefused(
        f"{path} does not hold the alias {alias!r} (it holds {held}).",
        hint=f"Check what it holds with --database, or make it with {alias} in it.",
    )


def _malformed(path: Path, why: str) -> ExpectedRefused:
    return ExpectedRefused(
        f"{path} is no schema snapshot: {why}.",
        hint="Make it with `migrator schema snapshot --output FILE`.",
    )
