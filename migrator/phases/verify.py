"""migrated → verified: nothing pending, the same scan clean, every model can be selected."""

from __future__ import annotations

from django.db import DatabaseError, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Model

from migrator.core.amends import tell_apart
from migrator.core.diff import diff
from migrator.core.events import Warned
from migrator.core.reference import Held
from migrator.core.returning import without_history
from migrator.exceptions import VerificationFailed
from migrator.phases.context import Context
from migrator.returning import forgotten, stored_steps
from migrator.scanner import ScanResult, routed_models, scan_target

_SHOWN = 5
_TOGETHER = 50


def run(context: Context) -> None:
    """Prove that the database is what the code expects, then store its schema.

    Raises:
        VerificationFailed
    """
    earlier = _earlier(context)
    scan = scan_target(
        context.connection,
        context.backend,
        alias=context.alias,
        phase="verify",
        emit=context.emit,
        held=context.held if earlier is None else (earlier,),
        labels=context.options.apps,
        before=context.scan,
        advisory=None if earlier is None else not _is_history(context, earlier),
        in_doubt=forgotten(context.ledger) if context.options.rollback else (),
    )
    context.scan = scan
    if context.options.rollback:
        _verify_returned(context, scan)
    elif scan.pending:
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
    if not context.options.rollback:  # the code on disk is ahead of the schema then
        _select_every_model(context)
    context.ledger.save_verified(context.survey.identity, scan.record())
    context.ledger.update(leaves_after=list(scan.leaves), fingerprint_after=scan.live.fingerprint())


# -- the way back ---------------------------------------------------------------------------


def _earlier(context: Context) -> Held | None:
    """Of a rollback: the database as it was verified before the run that is taken back."""
    if not context.options.rollback:
        return None
    return context.ledger.verified_before(context.options.rollback, context.survey.identity)


def _is_history(context: Context, earlier: Held) -> bool:
    """Whether the same is recorded now as then, so that the same schema has to be there."""
    rows = context.backend.history(context.connection) or ()
    return earlier.record.rows == {row.migration for row in rows}


def _verify_returned(context: Context, scan: ScanResult) -> None:
    """Nothing of it is recorded any more, and the schema is the one from before, to the letter
    where that can be told.

    Raises:
        VerificationFailed
    """
    steps = stored_steps(context.ledger.options, context.alias)
    left = [step.migration for step in steps if step.migration in scan.recorded]
    if left:
        raise VerificationFailed(
            f"{context.alias} still has {left[0]} recorded after the rollback.",
            hint="Somebody else has been at work. Run --check to see where it stands.",
        )
    before = context.ledger.target_of(context.options.rollback)
    if before is None or not before.fingerprint_before or scan.blocked:
        return
    then, now = frozenset(before.leaves_before), frozenset(scan.leaves)
    if then != now or before.server_version != str(context.survey.server):
        return  # something else was migrated since, or the server spells things otherwise
    bare = scan.live if now else without_history(scan.live)
    if before.fingerprint_before in (scan.live.fingerprint(), bare.fingerprint()):
        return
    run = context.options.rollback
    found = context.ledger.found_by(run, context.survey.identity)
    told = () if found is None else tell_apart(found.schema, bare)
    more = f" and {len(told) - _SHOWN} more" if told[_SHOWN:] else ""
    what = f": {', '.join(told[:_SHOWN])}{more}" if told else ""
    if found is not None and any(not x.harmless for x in diff(found.schema, bare, exact=True)):
        context.emit(
            Warned(
                context.alias,
                f"The schema is not the one from before run {run}{what}.",
                "What the reverse operations had lost and could be made again without a doubt has "
                "been; the rest is for a person: correct it by hand, or by a new migration.",
            )
        )
        return
    context.emit(
        Warned(
            context.alias,
            f"The schema means what it did before run {run}, "
            f"and is not the same to the letter{what}.",
            "A column that had been removed comes back as the last one of its table.",
        )
    )


def _select_every_model(context: Context) -> None:
    """`SELECT every column … LIMIT 0` of each model that is routed here.

    A table that the role may not read is reported, not failed: it is there, and what the
    application may do with it is not for a migration to say.
    """
    connection = context.connection
    unreadable = context.scan.live.unreadable if context.scan else frozenset()
    models = []
    for model in routed_models(connection, context.options.apps):
        if not model._meta.local_concrete_fields:
            continue
        if model._meta.db_table in unreadable:
            table = model._meta.db_table
            context.emit(Warned(context.alias, f"{table} cannot be read by this role."))
            continue
        models.append(model)
    # Some at a time: each is a lock on its table and indexes until the end of the transaction.
    for begin in range(0, len(models), _TOGETHER):
        with transaction.atomic(using=context.alias), connection.cursor() as cursor:
            for model in models[begin : begin + _TOGETHER]:
                _select(context, cursor, model)


def _select(context: Context, cursor: CursorWrapper, model: type[Model]) -> None:
    quote = context.connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in model._meta.local_concrete_fields)
    try:
        cursor.execute(f"SELECT {columns} FROM {quote(model._meta.db_table)} LIMIT 0")
    except DatabaseError as error:
        raise VerificationFailed(
            f"{model._meta.label} cannot be read from {context.alias}: "
            f"{str(error).partition(chr(10))[0]}",
            hint="Its model and its table disagree: a change without a migration "
            "(manage.py makemigrations), or drift (migrate_all --check).",
        ) from error
