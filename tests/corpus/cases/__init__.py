"""The migrations: each way to do harm beside the way that does none.

They were written from what DDL does and from Django's operations, not from the lint's rules, and
nothing here says which is which: that is measured (see `labels`).
"""

from __future__ import annotations

from tests.corpus.cases import assorted, columns, constraints, data, indexes, tables, types

CASES = [
    *tables.TABLES,
    *columns.ADDED_COLUMNS,
    *columns.REMOVED_COLUMNS,
    *columns.RENAMED_COLUMNS,
    *types.TYPES,
    *types.NULLS_AND_DEFAULTS,
    *indexes.INDEXES,
    *constraints.CONSTRAINTS,
    *data.DATA,
    *data.OBJECTS,
    *assorted.ASSORTED,
]
