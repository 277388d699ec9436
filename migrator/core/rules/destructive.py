"""Rules about steps that destroy data (DS).

Only what is there can be destroyed: never a table that the same plan makes, one without a row,
a column that holds nothing but NULL. What cannot be counted is taken to hold something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from migrator.core import ddl
from migrator.core.ddl import Action
from migrator.core.findings import Finding, Severity
from migrator.core.live import COUNT_LIMIT, NotNulls, TableSize, Violates
from migrator.core.plan import Operation
from migrator.core.rules import Family, Moment, StepContext, rule
from migrator.core.rules import alternatives as code
from migrator.core.rules.moments import differing
from migrator.core.schema import Column, Table, split_key
from migrator.core.spelling import spell_table

_CONSENT = "Nothing of it comes back but from a backup; consent with --allow-destructive."

_EXTENSION_TYPES = {
    "citext": {"citext"},
    "cube": {"cube"},
    "hstore": {"hstore"},
    "isn": {"ean13", "isbn", "isbn13", "ismn", "issn", "upc"},
    "ltree": {"ltree", "lquery", "ltxtquery"},
    "postgis": {"geometry", "geography", "box2d", "box3d"},
    "postgis_raster": {"raster"},
    "seg": {"seg"},
    "vector": {"vector", "halfvec", "sparsevec"},
}
"""The types that go with an extension, and the columns of these types with them."""

_HARMLESS_EXTENSIONS = frozenset(
    {"btree_gin", "btree_gist", "pg_trgm", "pgcrypto", "unaccent", "uuid-ossp", "fuzzystrmatch"}
)
"""Extensions that columns have no types of."""

_DROPPING = re.compile(
    r"\b(truncate|discard\s+tablespace|create\s+or\s+replace\s+table|delete\s+from\b(?![^;]*\bwhere\b)"
    r"|drop\s+(?!(?:aggregate|check|constraint|default|expression|foreign|function|identity|index"
    r"|key|materialized|not|policy|prepare|primary|procedure|role|routine|rule|sequence|server"
    r"|statistics|temporary|text|trigger|user|view)\b)"
    r"(?:table|column|schema|database|owned|partition)?)",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)
_ROUTINE = re.compile(
    r"\bcreate\s+(?:or\s+replace\s+)?(?:definer\s*=\s*\S+\s+)?(?:function|procedure)\s+"
    r"(?:if\s+not\s+exists\s+)?(?:[\w\"`]+\.)?[\"`]?(\w+)",
    re.IGNORECASE,
)

# -- what there is to lose -----------------------------------------------------------------


def effective(context: StepContext) -> Iterator[tuple[Moment, Action]]:
    """Every action of a step. Where the SQL of an operation cannot be shown, or not all of it,
    also what the state says that it comes to.

    A text may hold several statements: names are as they are right before each action.
    """
    told: set[int] = set()
    for moment in context.moments:
        now = moment
        for action in moment.actions:
            yield now, action
            names = now.names.after((action,))
            if names is not now.names:
                now = replace(now, names=names)
        operation = moment.operation
        if operation is not None and not operation.shown and operation.index not in told:
            told.add(operation.index)
            yield from ((moment, action) for action in _stated(operation))


def _stated(operation: Operation) -> Iterator[Action]:
    """What an operation does to tables that are there, by the state before and after it."""
    coming = any(effect.before is None for effect in operation.effect.tables)
    for effect in operation.effect.tables:
        if effect.before is not None and effect.after is not None:
            yield from differing(effect.key, effect.before, effect.after)
        elif effect.before is not None and not coming:
            yield ddl.DropTable(effect.key)  # a table that goes while another comes is renamed


def rows_of(context: StepContext, moment: Moment, table: str) -> TableSize | None:
    """How large a table is that holds something; None for one that is made by this plan, is
    empty or is not there at all.

    Args:
        context: The step.
        moment: Right before which it is asked.
        table: Key of the table.
    """
    today = moment.names.table(table)
    if today is None:
        return None
    size = context.size(moment, table)
    if size is None:
        schema = context.plan.schema
        known = today in schema.tables or today in schema.unreadable or moment.names.astray
        # With a live database, a table of which nobody knows anything is not there.
        return TableSize() if known or context.facts is None else None
    return None if size.empty else size


def values_of(
    context: StepContext, moment: Moment, table: str, column: str
) -> tuple[bool, int | None]:
    """Whether a column holds anything that is not computed, and in how many rows.

    Args:
        context: The step.
        moment: Right before which it is asked.
        table: Key of the table.
        column: Its column.
    """
    if rows_of(context, moment, table) is None or moment.names.column(table, column) is None:
        return False, 0
    known = moment.column(table, column)
    if known is not None and known.generated is not None:
        return False, 0
    if known is None and not _may_exist(moment, table, column):
        return False, 0
    rows = context.count(moment, NotNulls(table, column))
    return rows != 0, rows


def _may_exist(moment: Moment, table: str, column: str) -> bool:
    """Whether the live table may have such a column, in upper or lower case."""
    today = moment.names.table(table)
    live = moment.names.schema.tables.get(today) if today else None
    name = moment.names.column(table, column)
    if live is None or name is None:
        return True
    return any(each.name.casefold() == name.casefold() for each in live.columns)


def spell_rows(rows: int | None, noun: str = "row") -> str:
    """ "1,204 rows", "1 row", "1,000,000 or more rows", "an unknown number of rows"."""
    if rows is None:
        return f"an unknown number of {noun}s"
    more = " or more" if rows >= COUNT_LIMIT else ""
    return f"{rows:,}{more} {noun}{'' if rows == 1 else 's'}"


def severity_of(context: StepContext) -> Severity:
    """An error on a database that holds the rows; a warning where none was asked."""
    return Severity.WARNING if context.facts is None else Severity.ERROR


# -- the rules ---------------------------------------------------------------------------------


@rule("DS101", family=Family.DESTRUCTIVE, title="Table dropped with its rows")
def drops_table(context: StepContext) -> Iterator[Finding]:
    """A table goes with every row in it: DeleteModel, a removed ManyToManyField, DROP TABLE.

    Take the model out of the state first, deploy code that no longer knows the table, and drop it
    in a later release, when it is certain that nobody needs the rows.
    """
    for moment, action in effective(context):
        if not isinstance(action, ddl.DropTable):
            continue
        size = rows_of(context, moment, action.table)
        if size is not None:
            yield context.finding(
                severity_of(context),
                f"Drops table {spell_table(action.table)} with {spell_rows(size.rows)}.",
                at=moment,
                table=action.table,
                hint=f"Keep the table for a release and drop it later. {_CONSENT}",
                alternative=_forget_model(moment),
                destroys=True,
                rows=size.rows,
            )


@rule("DS102", family=Family.DESTRUCTIVE, title="Column dropped with its values")
def drops_column(context: StepContext) -> Iterator[Finding]:
    """A column goes with every value in it: RemoveField, DROP COLUMN.

    Take the field out of the state first, deploy code that no longer knows the column, and drop
    it in a later release. A column that holds nothing but NULL, or that is computed from others,
    is no loss.
    """
    for moment, action in effective(context):
        if not isinstance(action, ddl.DropColumn):
            continue
        holds, rows = values_of(context, moment, action.table, action.column)
        if holds:
            yield context.finding(
                severity_of(context),
                f"Drops column {spell_table(action.table)}.{action.column} with values in "
                f"{spell_rows(rows)}.",
                at=moment,
                table=action.table,
                column=action.column,
                hint=f"Keep the column for a release and drop it later. {_CONSENT}",
                alternative=_forget_field(context, moment, action),
                destroys=True,
                rows=rows,
            )


@rule("DS103", family=Family.DESTRUCTIVE, title="Table truncated")
def truncates(context: StepContext) -> Iterator[Finding]:
    """TRUNCATE removes every row; with CASCADE, those of every table that refers to it as well."""
    for moment, action in effective(context):
        if not isinstance(action, ddl.Truncate):
            continue
        for table in _truncated(context, action):
            size = rows_of(context, moment, table)
            if size is not None:
                how = "" if table in action.tables else " by CASCADE"
                yield context.finding(
                    severity_of(context),
                    f"Truncates table {spell_table(table)}{how}: {spell_rows(size.rows)}.",
                    at=moment,
                    table=table,
                    hint=f"DELETE with a condition removes only what is meant. {_CONSENT}",
                    destroys=True,
                    rows=size.rows,
                )


@rule("DS104", family=Family.DESTRUCTIVE, title="Every row deleted")
def deletes_everything(context: StepContext) -> Iterator[Finding]:
    """A DELETE without a condition removes every row, and those that refer to them by
    ON DELETE CASCADE.
    """
    for moment, action in effective(context):
        if isinstance(action, ddl.Delete) and not action.filtered:
            size = rows_of(context, moment, action.table)
            if size is not None:
                yield context.finding(
                    severity_of(context),
                    f"Deletes every row of {spell_table(action.table)}: {spell_rows(size.rows)}.",
                    at=moment,
                    table=action.table,
                    hint=f"Say which rows are meant with WHERE. {_CONSENT}",
                    destroys=True,
                    rows=size.rows,
                )


@rule("DS107", family=Family.DESTRUCTIVE, title="Rows deleted")
def deletes_rows(context: StepContext) -> Iterator[Finding]:
    """A DELETE with a condition removes the rows for which it is true. They are counted; where
    there are none, nothing is said. Code may delete where only it knows which rows.
    """
    for moment, action in context.actions():
        if isinstance(action, ddl.Delete) and action.filtered:
            rows = picked_rows(context, moment, action)
            unknown = rows is None and context.facts is not None
            if (rows or unknown) and rows_of(context, moment, action.table) is not None:
                yield context.finding(
                    Severity.WARNING,
                    f"May delete rows of {spell_table(action.table)}; which, nobody could count."
                    if unknown
                    else f"{'May delete' if action.doubtful else 'Deletes'} {spell_rows(rows)} "
                    f"of {spell_table(action.table)}.",
                    at=moment,
                    table=action.table,
                    hint="Make sure that nobody needs them: reverse_sql does not bring them back.",
                    rows=rows,
                )


def picked_rows(
    context: StepContext, moment: Moment, action: ddl.Update | ddl.Delete
) -> int | None:
    """How many rows the condition of an UPDATE or DELETE is true of today; None when unknown.

    Args:
        context: The step.
        moment: Right before which it is asked.
        action: With a condition.
    """
    if not action.condition:
        return None
    return context.count(moment, Violates(action.table, f"({action.condition}) IS NOT TRUE"))


@rule("DS105", family=Family.DESTRUCTIVE, title="Dropped with everything in it")
def drops_container(context: StepContext) -> Iterator[Finding]:
    """DROP SCHEMA … CASCADE, DROP DATABASE and DROP OWNED take tables with them; DROP TYPE,
    DROP DOMAIN and DROP EXTENSION … CASCADE take the columns that are of that type.
    """
    for moment, action in effective(context):
        if not isinstance(action, ddl.DropObject):
            continue
        what = f"Drops {action.kind} {action.name}".rstrip()
        # MySQL's schemas are its databases, and go with what is in them.
        full = action.kind == "schema" and (action.cascade or context.vendor == "mysql")
        if action.kind in ("database", "owned") or full:
            yield context.finding(
                severity_of(context),
                f"{what} with every table in it.",
                at=moment,
                hint=f"Drop the tables one by one, so that each can be looked at. {_CONSENT}",
                destroys=True,
            )
        elif action.kind in ("type", "domain", "extension") and action.cascade:
            yield from _typed(context, moment, action, what)


@rule("DS106", family=Family.DESTRUCTIVE, title="Drops something, and cannot be read")
def drops_unreadably(context: StepContext) -> Iterator[Finding]:
    """SQL that no parser follows (a DO block, statements about partitions, a call of a routine
    that the same plan makes) and that speaks of dropping, truncating or deleting everything. What
    it drops, and whether that holds anything, cannot be told.
    """
    for moment, action in effective(context):
        if isinstance(action, ddl.Opaque) and (found := _dropping(context, action.text)):
            words = " ".join(found[0].upper().split())
            yield context.finding(
                Severity.WARNING,
                f"SQL that cannot be read says {words}: what is lost by it cannot be told.",
                at=moment,
                hint=f"Write the statement plainly, so that its rows can be counted. {_CONSENT}",
                destroys=True,
            )


def _dropping(context: StepContext, text: str) -> re.Match[str] | None:
    """Where a text speaks of losing something, or a routine of this plan that it calls."""
    if found := _DROPPING.search(_COMMENT.sub(" ", text)):
        return found
    for each in (*context.earlier, context):
        for moment in each.moments:
            body = moment.statement.sql
            for routine in _ROUTINE.finditer(body):
                if re.search(rf"\b{routine[1]}\b", text, re.IGNORECASE) and (
                    found := _DROPPING.search(_COMMENT.sub(" ", body))
                ):
                    return found
    return None


def _typed(
    context: StepContext, moment: Moment, action: ddl.DropObject, what: str
) -> Iterator[Finding]:
    name = split_key(action.name)[1].lower()
    if action.kind == "extension" and name in _HARMLESS_EXTENSIONS:
        return
    gone = _EXTENSION_TYPES.get(name, set()) if action.kind == "extension" else {name}
    if not gone:
        yield context.finding(
            Severity.WARNING,
            f"{what} with CASCADE: columns of its types go with it, if there are any.",
            at=moment,
            hint="Leave CASCADE out: then the server refuses and names what would go.",
            destroys=True,
        )
    for table, column in _columns_of_types(context, gone):
        holds, rows = values_of(context, moment, table.key, column.name)
        if holds:
            yield context.finding(
                severity_of(context),
                f"{what}, and by CASCADE column {spell_table(table.key)}.{column.name} "
                f"with values in {spell_rows(rows)}.",
                at=moment,
                table=table.key,
                column=column.name,
                hint=f"Change the column to another type first. {_CONSENT}",
                destroys=True,
                rows=rows,
            )


def _columns_of_types(context: StepContext, types: set[str]) -> Iterator[tuple[Table, Column]]:
    for table in context.plan.schema.tables.values():
        for column in table.columns:
            bare = column.type.partition("(")[0].removesuffix("[]").strip('" ').lower()
            if bare.rpartition(".")[2].strip('"') in types:
                yield table, column


def _truncated(context: StepContext, action: ddl.Truncate) -> tuple[str, ...]:
    """The tables of a TRUNCATE; with CASCADE, all that refer to them at any distance too."""
    found = dict.fromkeys(action.tables)
    waiting = list(found) if action.cascade else []
    while waiting:
        key = waiting.pop()
        for table in context.plan.schema.tables.values():
            if table.key not in found and any(k.to_table == key for k in table.foreign_keys):
                found[table.key] = None
                waiting.append(table.key)
    return tuple(found)


# -- the safe way ------------------------------------------------------------------------------


def _forget_model(moment: Moment) -> str:
    operation = moment.operation
    if operation is None or operation.kind != "DeleteModel":
        return ""
    forget = code.separate([], [f"migrations.DeleteModel({operation.model!r})"])
    return code.together(
        code.migration(
            forget, note="now: the state forgets the model; drop the table in a later release"
        )
    )


def _forget_field(context: StepContext, moment: Moment, action: ddl.DropColumn) -> str:
    operation = moment.operation
    if operation is None or operation.kind != "RemoveField":
        return ""
    column = moment.column(action.table, action.column)
    database: list[str] = []
    if column is not None and not column.nullable and column.default is None:
        if context.vendor != "postgresql":
            return ""  # it would have to name the whole column again
        table, name = code.quoted(action.table), code.quoted(action.column)
        # Code that no longer knows the column could not insert a row otherwise.
        database = [code.run_sql(f"ALTER TABLE {table} ALTER COLUMN {name} DROP NOT NULL")]
    state = [f"migrations.RemoveField({operation.model!r}, {operation.field!r})"]
    return code.together(
        code.migration(
            code.separate(database, state),
            note="now: the state forgets the field; drop the column in a later release",
        )
    )
