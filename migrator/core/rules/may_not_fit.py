"""Rules about values that do not fit into a column's new type (MF).

Asked of the live database as in `may_fail`.
"""

from __future__ import annotations

from collections.abc import Iterator

from migrator.core import ddl
from migrator.core.findings import Finding, Severity
from migrator.core.live import Facts, OutOfRange, TooLong, Uncastable
from migrator.core.rules import Family, Moment, StepContext, rule
from migrator.core.rules.may_fail import FIRST, judge, so_far, spell_rows
from migrator.core.rules.types import digits_of, family_of, is_text, length_of, range_of
from migrator.core.schema import split_key


def _type_changes(context: StepContext) -> Iterator[tuple[Moment, ddl.AlterColumnType, str]]:
    """Changes of type with the type before; SQLite does not mind any."""
    if context.vendor == "sqlite":
        return
    for moment, action in context.actions():
        if isinstance(action, ddl.AlterColumnType):
            known = moment.column(action.table, action.column)
            yield moment, action, known.type if known else ""


@rule("MF105", family=Family.MAY_FAIL, title="Text too long for the new type")
def text_too_long(context: StepContext) -> Iterator[Finding]:
    """Longer texts make the change of type fail. (With USING, which Django writes for another
    kind of type, PostgreSQL cuts them off without a word: that is data loss, DL.)
    """
    for moment, action, before in _type_changes(context):
        limit = length_of(action.type)
        if limit is None or action.using or not (before == "" or is_text(before)):
            continue
        old = length_of(before) if before else None
        if old is not None and old <= limit:
            continue
        if context.facts is not None and context.facts.shortens():
            continue  # DL
        question = TooLong(action.table, action.column, limit)
        severity, found = judge(context, moment, action.table, question)
        if severity is None:
            continue
        longer = f"longer than {limit} characters"
        rows = spell_rows(found, f"are {longer}", f"is {longer}", f"be {longer}")
        yield context.finding(
            severity,
            f"{rows} in {action.table}.{action.column}: "
            f"the change to {action.type} fails." + so_far(moment, action.table),
            at=moment,
            table=action.table,
            column=action.column,
            hint=f"{FIRST}, or keep the longer type.",
            rows=found,
        )


@rule("MF106", family=Family.MAY_FAIL, title="Number out of range of the new type")
def out_of_range(context: StepContext) -> Iterator[Finding]:
    """Larger numbers make the change of type fail."""
    for moment, action, before in _type_changes(context):
        bounds = _bounds(action.type)
        old = _bounds(before) if before else None
        if bounds is None or is_text(before) or family_of(before) in ("json", "boolean"):
            continue
        if old is not None and old[0] >= bounds[0] and old[1] <= bounds[1]:
            continue
        if context.facts is not None and context.facts.shortens():
            continue  # DL
        question = OutOfRange(action.table, action.column, *bounds)
        severity, found = judge(context, moment, action.table, question)
        if severity is None:
            continue
        beyond = f"out of range of {action.type}"
        rows = spell_rows(found, f"are {beyond}", f"is {beyond}", f"be {beyond}")
        yield context.finding(
            severity,
            f"{rows} in "
            f"{action.table}.{action.column}: the change fails." + so_far(moment, action.table),
            at=moment,
            table=action.table,
            column=action.column,
            hint=f"{FIRST}, or keep the wider type.",
            rows=found,
        )


def _bounds(kind: str) -> tuple[int, int] | None:
    """What fits, in whole numbers."""
    if found := range_of(kind):
        return found
    digits = digits_of(kind)
    if digits is None:
        return None
    largest = 10 ** (digits[0] - digits[1]) - 1
    return -largest, largest


@rule("MF107", family=Family.MAY_FAIL, title="Value that cannot be cast")
def uncastable(context: StepContext) -> Iterator[Finding]:
    """A text that is no number, date or JSON makes the change of type fail."""
    for moment, action, before in _type_changes(context):
        old, new = family_of(before) if before else "", family_of(action.type)
        parses = old in ("text", "") and new not in ("text", "")
        if not parses and not _never_casts(old, new):
            continue
        if old == "" and not action.using:
            continue
        question = Uncastable(action.table, action.column, action.type)
        severity, found = judge(context, moment, action.table, question)
        if severity is None:
            continue
        shown = "Values" if found is None else f"{found:,} or more values"
        may = "may not be" if found is None else "cannot be"
        yield context.finding(
            severity,
            f"{shown} of {action.table}.{action.column} {may} cast to {action.type}: "
            "the change fails." + so_far(moment, action.table),
            at=moment,
            table=action.table,
            column=action.column,
            hint=f"{FIRST}, or add a second column and convert into that one.",
            rows=found,
        )


@rule("MF109", family=Family.MAY_FAIL, title="Check that the new type does not fit")
def check_does_not_fit(context: StepContext) -> Iterator[Finding]:
    """A check compares the column with values of the type that it had; with the new type there is
    no such comparison, and the change fails. (Text is compared with no number.)
    """
    if context.vendor != "postgresql":
        return
    for moment, action, before in _type_changes(context):
        today = moment.names.table(action.table)
        name = moment.names.column(action.table, action.column)
        live = moment.names.schema.tables.get(today) if today else None
        kinds = {family_of(before), family_of(action.type)} if before else set()
        if live is None or "text" not in kinds or len(kinds) == 1:
            continue
        dropped = {
            each.name
            for _, each in context.actions()
            if isinstance(each, ddl.DropConstraint) and each.table == action.table
        }
        for check in live.checks:
            if name in check.columns and check.name not in dropped:
                yield context.finding(
                    Severity.WARNING,
                    f"The check {check.name} of {action.table} compares {action.column} as "
                    f"{before}; as {action.type} it may not be compared like that, and the change "
                    "fails.",
                    at=moment,
                    table=action.table,
                    column=action.column,
                    hint="Drop the check first, and add one for the new type afterwards.",
                )


@rule("MF110", family=Family.MAY_FAIL, title="Type of a column that a view uses")
def view_uses_column(context: StepContext) -> Iterator[Finding]:
    """PostgreSQL refuses to change the type of a column that a view names, and as well one that a
    rule, a trigger's condition, a policy, a function's SQL or a generated column names.
    """
    if context.vendor != "postgresql" or context.facts is None:
        return
    for moment, action, _ in _type_changes(context):
        table = moment.names.table(action.table)
        column = moment.names.column(action.table, action.column)
        if table is None or column is None:
            continue
        gone = _dropped_before(context, moment)
        found = [
            f"{each.kind} {each.name}"
            for each in context.facts.dependents(table, column)
            if gone is not None and split_key(each.name)[1] not in gone
        ]
        if not found:
            continue
        several = len(found) > 1
        yield context.finding(
            Severity.WARNING if moment.names.moved_any else Severity.ERROR,
            f"The {', the '.join(found)} {'use' if several else 'uses'} "
            f"{action.table}.{action.column}: PostgreSQL refuses to change its type.",
            at=moment,
            table=action.table,
            column=action.column,
            hint=f"Drop {'them' if several else 'it'} first, and make "
            f"{'them' if several else 'it'} anew afterwards, in the same migration.",
        )


def _dropped_before(context: StepContext, moment: Moment) -> set[str] | None:
    """Views, triggers and the like that the plan drops before a statement; None where CASCADE
    may have taken any.
    """
    gone: set[str] = set()
    facts, tables = context.facts, context.plan.schema.tables
    for step in (*context.earlier, context):
        for each in step.moments:
            for action in each.actions:
                if each is moment and isinstance(action, ddl.AlterColumnType):
                    return gone
                match action:
                    case ddl.DropObject(cascade=True):
                        return None
                    case ddl.DropObject(name=name) | ddl.CreateView(name=name):
                        gone.add(split_key(name)[1])  # or it names other columns than it does today
                    case ddl.DropColumn(table=key, column=column):
                        gone.add(column)
                        gone |= _named_by(facts, each.names.table(key), (column,))
                    case ddl.DropTable(table=key):
                        today = each.names.table(key)
                        live = tables.get(today) if today else None
                        columns = tuple(one.name for one in live.columns) if live else ()
                        gone |= _named_by(facts, today, columns)
    return gone


def _named_by(facts: Facts | None, table: str | None, columns: tuple[str, ...]) -> set[str]:
    """What CASCADE takes with columns: Django always says it."""
    if facts is None or table is None:
        return set()
    found = (each for column in columns for each in facts.dependents(table, column))
    return {split_key(each.name)[1] for each in found}


def _never_casts(old: str, new: str) -> bool:
    """Kinds of types between which PostgreSQL has no cast at all, but for some."""
    pairs = {
        ("integer", "timestamp"),
        ("integer", "date"),
        ("integer", "uuid"),
        ("integer", "json"),
        ("numeric", "boolean"),
        ("float", "boolean"),
        ("timestamp", "integer"),
        ("boolean", "numeric"),
        ("json", "integer"),
        ("uuid", "integer"),
    }
    return (old, new) in pairs
