"""Which databases a command is about, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connections

from migrator.exceptions import UnknownAlias


def plan_order(wanted: Sequence[str]) -> tuple[str, ...]:
    """The aliases of a run: `default` first, then by name.

    Args:
        wanted: Only these; empty for all.

    Raises:
        UnknownAlias: One of them is not in DATABASES.
    """
    known = sorted(connections, key=lambda alias: (alias != "default", alias))
    for alias in wanted:
        if alias not in known:
            raise UnknownAlias(
                f"DATABASES has no alias {alias!r}.", hint=f"Known: {', '.join(known)}."
            )
    return tuple(alias for alias in known if not wanted or alias in wanted)
