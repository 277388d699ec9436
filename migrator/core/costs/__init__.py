"""What statements cost while the application is running: locks, rewrites, scans.

Every fact is measured on real servers by `python -m tests.ddl`, which also compares this
package with them, statement by statement; docs/reference/ddl-costs.md shows the result.
"""

from __future__ import annotations

from collections.abc import Iterable

from migrator.core.costs import mysql, postgresql, sqlite
from migrator.core.costs.charges import Situation
from migrator.core.ddl import Action
from migrator.core.plan import Cost
from migrator.core.schema import Schema

_VENDORS = {"postgresql": postgresql.cost_of, "mysql": mysql.cost_of, "sqlite": sqlite.cost_of}


def cost_of(
    actions: Iterable[Action],
    *,
    vendor: str,
    version: tuple[int, ...] = (),
    product: str = "",
    schema: Schema,
    created: frozenset[str] = frozenset(),
    timezone: str = "",
) -> Cost:
    """What one statement locks, rewrites and reads.

    Args:
        actions: All actions of the statement, as `sources.read_ddl` gives them.
        vendor: Django's vendor name.
        version: Of the server, as numbers; empty counts as the oldest that is supported.
        product: "MariaDB" and "MySQL" differ.
        schema: What is live before the statement, as far as is known: types before the change,
            indexes, foreign keys. What is not in it is taken for the worse case.
        created: Tables that the same plan creates. A lock on them concerns nobody and is left
            out.
        timezone: Of the session (`connection.timezone_name`). PostgreSQL turns a timestamp
            into one with time zone without a rewrite when it is UTC.

    Returns:
        The cost; `known` is False where an action is opaque or nothing is known about it.
    """
    situation = Situation(schema, version, product, timezone)
    price = _VENDORS.get(vendor)
    return price(tuple(actions), situation, created) if price else Cost(known=False)


__all__ = ["cost_of"]
