"""migrated → verified: nothing pending, the same scan clean, every model can be selected."""

from __future__ import annotations

from django.db import DatabaseError, transaction

from migrator.core.events import Warned
from migrator.exceptions import VerificationFailed
from migrator.phases.context import Context
from migrator.scanner import routed_models, scan_target


def run(context: Context) -> None:
    """Prove that the database is what the code expects, then store its schema.

    Raises:
        VerificationFailed
    """
    scan = scan_target(
        context.connection,
        context.backend,
        alias=context.alias,
        phase="verify",
        emit=context.emit,
        held=context.held,
        labels=context.options.apps,
        before=context.scan,
    )
    context.scan = scan
    if scan.pending:
        raise VerificationFailed(
            f"{context.alias} still has {len(scan.pending)} pending migration(s) after migrating, "
            f"the first is {scan.pending[0]}.",
            hint="Run --check to see why.",
        )
    if scan.blocked:
        first = scan.blocking[0]
        raise VerificationFailed(
            f"{context.alias} is not what the recorded migrations make of it: {first.message}",
            hint=first.hint or "Look at it with --check, mend it with --repair.",
        )
    _select_every_model(context)
    context.ledger.save_verified(context.survey.identity, scan.record())
    context.ledger.update(leaves_after=list(scan.leaves), fingerprint_after=scan.live.fingerprint())


def _select_every_model(context: Context) -> None:
    """`SELECT every column … LIMIT 0` of each model that is routed here.

    A table that the role may not read is reported, not failed: it is there, and what the
    application may do with it is not for a migration to say.
    """
    connection = context.connection
    quote = connection.ops.quote_name
    for model in routed_models(connection, context.options.apps):
        columns = ", ".join(quote(str(field.column)) for field in model._meta.local_concrete_fields)
        table = model._meta.db_table
        if not columns:
            continue
        if table in context.scan.live.unreadable if context.scan else False:
            context.emit(Warned(context.alias, f"{table} cannot be read by this role."))
            continue
        try:
            with transaction.atomic(using=context.alias), connection.cursor() as cursor:
                cursor.execute(f"SELECT {columns} FROM {quote(table)} LIMIT 0")
        except DatabaseError as error:
            raise VerificationFailed(
                f"{model._meta.label} cannot be read from {context.alias}: "
                f"{str(error).partition(chr(10))[0]}",
                hint="Its model and its table disagree: a change without a migration "
                "(manage.py makemigrations), or drift (migrate_all --check).",
            ) from error
