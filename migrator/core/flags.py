"""Which options of `manage.py migrate_all` go with which: one table, and what it refuses.

An option that asks for something is refused where nothing would come of it: nobody is to believe
that a backup was made. One that only forbids or limits (`--no-backup`, `--skip-makemigrations`,
`--lock-timeout`) goes with everything, and so a pipeline may keep them for all of its calls.
docs/reference/commands.md shows the same table.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

RUN, CHECK, PREVIEW, RESUME, FORESIGHT = (
    "",
    "--check",
    "--dry-run",
    "--resume",
    "--resume --dry-run",
)
MODES = (RUN, CHECK, PREVIEW, RESUME, FORESIGHT)
"""The kinds of calls: at most one of these, but for the last, which is two."""

_ALL = frozenset(MODES)
_RUNS = _ALL - {CHECK}
"""A preview takes what the run takes that it shows."""

GOES_WITH: Mapping[str, frozenset[str]] = {
    "--repair": _RUNS,
    "--database": frozenset({RUN, CHECK, PREVIEW}),
    "--skip-makemigrations": _ALL,
    "--non-interactive": _ALL,
    "--fake-initial": frozenset({RUN, CHECK, PREVIEW}),
    "--run-syncdb": frozenset({RUN, PREVIEW}),
    "--fail-on-pending": frozenset({CHECK}),
    "--deep": _ALL - {FORESIGHT},
    "--expected": frozenset({CHECK, PREVIEW}),
    "--wait-lock": _ALL,
    "--backup": _RUNS,
    "--no-backup": _ALL,
    "--accept-changed-migrations": frozenset({RESUME, FORESIGHT}),
    "--assume-applied": _RUNS,
    "--assume-not-applied": _RUNS,
    "--allow-destructive": _RUNS,
    "--lock-timeout": _ALL,
    "--lock-retries": _ALL,
    "--test-command": _RUNS,
    "--format": _ALL,
    "--output": _ALL,
    "--report": _ALL,
}
"""With which kinds of calls an option goes."""


def contradiction(given: Collection[str]) -> tuple[str, str] | None:
    """What is wrong with the options of a call.

    Args:
        given: The options that were given, by their first names, without their values.

    Returns:
        What contradicts what, and what to do; None where nothing does.
    """
    chosen = [mode for mode in (CHECK, PREVIEW, RESUME) if mode in given]
    if len(chosen) > 1 and chosen != [PREVIEW, RESUME]:
        return f"{' and '.join(chosen)} exclude one another.", "Use one of them."
    mode = FORESIGHT if len(chosen) > 1 else "".join(chosen)
    for flag, modes in GOES_WITH.items():
        if flag in given and mode not in modes:
            return _refused(flag, mode)
    return None


def _refused(flag: str, mode: str) -> tuple[str, str]:
    if mode == CHECK:
        return f"--check changes nothing, so it takes no {flag}.", "Leave one of them out."
    if mode in (RESUME, FORESIGHT) and RUN in GOES_WITH[flag]:
        said = "continues a run as it was opened" if mode == RESUME else "only shows"
        return f"{mode} {said}, so it takes no {flag}.", f"Leave {flag} out."
    wanted = next(each for each in MODES if each in GOES_WITH[flag])
    if chosen := [each for each in (PREVIEW, RESUME) if each in mode]:
        return f"{flag} goes with {wanted}, not with {chosen[-1]}.", f"Leave {flag} out."
    return f"{flag} goes with {wanted}.", f"Add {wanted}."


def overlap(assumed: Collection[str], denied: Collection[str]) -> str:
    """What both `--assume-applied` and `--assume-not-applied` decide; "" for nothing.

    Args:
        assumed, denied: "app.name" or "app.name:index" each.
    """
    for one in assumed:
        for other in denied:
            if one == other or one.startswith(f"{other}:") or other.startswith(f"{one}:"):
                return max(one, other, key=len)
    return ""
