"""Rules about what is going on in the database right now (LV)."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.core import ddl
from migrator.core.findings import Finding, Severity
from migrator.core.rules import Family, StepContext, rule
from migrator.core.spelling import spell_seconds


@rule("LV101", family=Family.LIVE, title="Lock would wait for a long transaction")
def long_transaction(context: StepContext) -> Iterator[Finding]:
    """A lock waits for transactions that use the table, and everybody who comes later waits
    behind it; CREATE INDEX CONCURRENTLY waits for every older transaction.
    """
    open_now = context.long_transactions()
    if not open_now:
        return
    wanted: dict[str, str] = {}
    for moment in context.moments:
        for lock in moment.statement.cost.locks:
            today = moment.names.table(lock.table)
            if today is not None and lock.blocks in ("writes", "reads and writes"):
                wanted.setdefault(today, f"{lock.mode} on {lock.table}")
    for _, action in context.actions():
        concurrently = getattr(action, "concurrently", False)
        table = getattr(action, "table", "")
        if concurrently and isinstance(action, ddl.CreateIndex):
            wanted.setdefault(table, f"CREATE INDEX CONCURRENTLY on {table}")
    for each in open_now:
        concerned = sorted(set(wanted) & each.tables)
        if not concerned:
            continue
        state = f", {each.state}" if each.state else ""
        yield context.finding(
            Severity.WARNING,
            f"{wanted[concerned[0]]} waits for {each.session}, whose transaction has been open "
            f"for {spell_seconds(each.seconds)}{state}.",
            table=concerned[0],
            column=each.session,
            hint="Let it finish first, or end it.",
            lock=wanted[concerned[0]],
        )
