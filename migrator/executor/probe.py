"""Looking at the live schema to tell whether an operation's effect is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from django.db import router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.state import ProjectState

Probe: TypeAlias = Callable[[Migration, int, ProjectState, ProjectState], bool | None]
"""(migration, operation index, state before, state after) → True: the effect is live; False: it
is not, or not all of it; None: it cannot be observed."""

Fact: TypeAlias = tuple[object, ...]


class SchemaProbe:
    """The default probe: tables, columns, nullability and names of indexes and constraints,
    through Django's own introspection. Names are compared as the server keeps them.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection

    def __call__(
        self,
        migration: Migration,  # noqa: ARG002  (the interface's; this one looks at the states)
        operation_index: int,  # noqa: ARG002
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> bool | None:
        """Compare what the operation adds and removes with what is live."""
        touched = _touched_models(from_state, to_state)
        before = set(map(self._spelled, self._facts(from_state, touched)))
        after = set(map(self._spelled, self._facts(to_state, touched)))
        added = _without_details_of_new_tables(after - before, before)
        removed = {fact for fact in before - after if fact[0] != "null"}
        tables = {str(fact[1]) for fact in added | removed}
        # Django's introspection looks for tables in the search path alone.
        if not tables or any('"."' in table for table in tables):
            return None
        live = self._live(tables)
        return added <= live and not removed & live

    def _facts(self, state: ProjectState, touched: set[tuple[str, str]]) -> Iterator[Fact]:
        for app_label, model_name in touched & state.models.keys():
            model = state.apps.get_model(app_label, model_name)
            options = model._meta
            if not options.managed or options.proxy or options.swapped:
                continue
            if not router.allow_migrate_model(self.connection.alias, model):
                continue
            yield from _table_facts(model)
            for name in self._names(model):
                yield ("name", options.db_table, name)
            for field in options.local_many_to_many:
                through = field.remote_field.through
                if through is not None and through._meta.auto_created:
                    yield from _table_facts(through)

    def _names(self, model: Any) -> Iterator[str]:
        """Of the indexes and constraints that Django makes on this vendor; the others it passes
        over (conditions on MySQL, NULLS NOT DISTINCT before PostgreSQL 15).
        """
        editor: Any = self.connection.schema_editor(collect_sql=True)
        expressions = self.connection.features.supports_expression_indexes
        for index in model._meta.indexes:
            if expressions or not index.contains_expressions:
                yield index.name
        for constraint in model._meta.constraints:
            if constraint.create_sql(model, editor):
                yield constraint.name

    def _live(self, tables: set[str]) -> set[Fact]:
        introspection = self.connection.introspection
        facts: set[Fact] = set()
        with self.connection.cursor() as cursor:
            for existing in introspection.table_names(cursor):
                (_, table) = self._spelled(("table", existing))
                if table not in tables:
                    continue
                facts.add(("table", table))
                for column in introspection.get_table_description(cursor, existing):
                    facts.add(("column", table, column.name))
                    facts.add(("null", table, column.name, bool(column.null_ok)))
                for name in introspection.get_constraints(cursor, existing):
                    facts.add(("name", table, name))
        return facts

    def _spelled(self, fact: Fact) -> Fact:
        """A fact with its names as the server keeps them.

        PostgreSQL cuts every name off at 63 bytes without an error; MySQL, as it was set up
        (`lower_case_table_names`), keeps tables in lower case.
        """
        kind, *names = fact
        if self.connection.vendor == "postgresql":
            limit = self.connection.ops.max_name_length() or 63
            names = [_cut(name, limit) if isinstance(name, str) else name for name in names]
        if self.connection.features.ignores_table_name_case:
            names[0] = str(names[0]).lower()
        return (kind, *names)


def _cut(name: str, limit: int) -> str:
    """At most so many bytes, and no half of a character."""
    if '"."' in name:
        return name  # a schema and a table
    return name.encode()[:limit].decode(errors="ignore")


def _touched_models(before: ProjectState, after: ProjectState) -> set[tuple[str, str]]:
    both = before.models.keys() & after.models.keys()
    changed = {key for key in both if before.models[key] != after.models[key]}
    return changed | (before.models.keys() ^ after.models.keys())


def _table_facts(model: Any) -> Iterator[Fact]:
    table = model._meta.db_table
    yield ("table", table)
    for field in model._meta.local_concrete_fields:
        if field.column is not None:
            yield ("column", table, field.column)
            yield ("null", table, field.column, bool(field.null))


def _without_details_of_new_tables(added: set[Fact], before: set[Fact]) -> set[Fact]:
    """Indexes of a new table are deferred to the end of the migration, and a new column's
    nullability comes with the column: neither tells anything about the operation.
    """
    tables = {fact[1] for fact in added if fact[0] == "table"}
    columns = {fact[1:3] for fact in before if fact[0] == "column"}
    return {
        fact
        for fact in added
        if not (fact[0] == "name" and fact[1] in tables)
        and not (fact[0] == "null" and fact[1:3] not in columns)
    }


_INDEX_STATE = """
SELECT i.indisvalid FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = pg_catalog.to_regclass(%s) AND c.relname = %s
"""


def inspect_index(connection: BaseDatabaseWrapper, table: str, name: str) -> str:
    """Whether an index is there, and whether it can be used.

    A CREATE INDEX CONCURRENTLY that was cut short leaves an INVALID index behind, which
    Django's introspection does not tell from a good one.

    Returns:
        "valid", "invalid" or "absent".
    """
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            found = name in connection.introspection.get_constraints(cursor, table)
            return "valid" if found else "absent"
        cursor.execute(_INDEX_STATE, [connection.ops.quote_name(table), name])
        row = cursor.fetchone()
    return "absent" if row is None else "valid" if row[0] else "invalid"
