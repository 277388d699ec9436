"""pending → guarded: is it safe to look at this database, and to write to it?

`survey_alias` is the first look, before the run is opened: it connects and says which physical
database an alias is. `run` is the phase itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connections, router

from migrator.backends import backend_for
from migrator.conf import Settings
from migrator.core.events import GuardPassed, Warned
from migrator.exceptions import (
    DatabaseReadOnly,
    DatabaseUnreachable,
    LockHeld,
    MigratorError,
    MirrorLeak,
    PoolerInBetween,
)
from migrator.phases.context import Context, SkipTarget, Survey
from migrator.scanner import owns_anything
from migrator.sources import check_conflicts, load_graph

WAIT = "Wait for it to end (--wait-lock SECONDS does)."


def survey_alias(alias: str, settings: Settings) -> Survey:
    """Connect to an alias and say what it is. Never raises for a database that is broken.

    Args:
        alias: One of DATABASES.
        settings: For the time limit.
    """
    connection = connections[alias]
    try:
        backend = backend_for(connection.vendor)
    except MigratorError as error:
        return Survey(alias, connection, error=error)
    try:
        backend.configure(
            connection, application="migrator", connect_timeout=settings.connect_timeout
        )
        server = backend.connect(connection)
        identity = backend.identity(connection)
    except MigratorError as error:
        return Survey(alias, connection, backend, error=error)
    return Survey(alias, connection, backend, server, identity)


def mark_duplicates(surveys: Iterable[Survey]) -> tuple[Survey, ...]:
    """Mark aliases that an earlier alias already covers, as skipped.

    Args:
        surveys: In the order of the run.
    """
    seen: dict[str, str] = {}
    marked = []
    for survey in surveys:
        first = seen.setdefault(survey.identity, survey.alias) if survey.identity else survey.alias
        if first != survey.alias:
            mirror = (survey.connection.settings_dict.get("TEST") or {}).get("MIRROR")
            reason = (
                f"an active test mirror of {first}"
                if mirror
                else f"another name of the database that {first} covers"
            )
            survey = Survey(
                survey.alias,
                survey.connection,
                survey.backend,
                survey.server,
                survey.identity,
                skip=reason,
            )
        marked.append(survey)
    return tuple(marked)


def run(context: Context) -> None:
    """Every guard, cheapest first.

    Raises:
        GuardError: The first guard that refused.
        SkipTarget: The alias needs nothing.
    """
    _connection_live(context)
    _not_pooled(context)
    _writable(context)
    if not owns_anything(context.connection):
        raise SkipTarget("no app is routed to it")
    _mirror_isolated(context)
    _history_consistent(context)
    _nobody_else_migrates(context)


def _connection_live(context: Context) -> None:
    if context.survey.error is not None:
        raise context.survey.error
    if context.survey.server is None:
        raise DatabaseUnreachable(f"{context.alias} does not answer.")
    context.emit(GuardPassed(context.alias, "connection_live", str(context.survey.server)))


def _not_pooled(context: Context) -> None:
    """A lock on a session means nothing where each statement may get another one."""
    if context.read_only:
        return
    if context.backend.pooled(context.connection):
        raise PoolerInBetween(
            f"{context.alias} is behind a proxy that pools by transaction: "
            "a lock could not be held, and two runs could migrate at once.",
            hint="Point the alias at the server itself, or at a pool in session mode.",
        )
    context.emit(GuardPassed(context.alias, "direct_connection"))


def _writable(context: Context) -> None:
    found = context.backend.writability(context.connection)
    if found.standby:
        raise SkipTarget("a read-only standby; its primary is migrated instead")
    if not found.writable:
        if not context.read_only:
            raise DatabaseReadOnly(
                f"{context.alias} is read-only: {found.reason}.",
                hint="Connect with a role and to a server that may write.",
            )
        context.emit(Warned(context.alias, f"It is read-only: {found.reason}."))
    context.emit(GuardPassed(context.alias, "writable"))


def _mirror_isolated(context: Context) -> None:
    """Outside of tests a mirror is a replica, and no router may send writes to it."""
    mirror = (context.connection.settings_dict.get("TEST") or {}).get("MIRROR")
    if not mirror:
        context.emit(GuardPassed(context.alias, "test_mirror_isolation"))
        return
    from django.apps import apps

    leaks = [
        model._meta.label
        for model in apps.get_models()
        if model._meta.managed and router.db_for_write(model) == context.alias
    ]
    if leaks:
        shown = ", ".join(leaks[:3]) + (f" and {len(leaks) - 3} more" if leaks[3:] else "")
        raise MirrorLeak(
            f"{context.alias} is declared a mirror of {mirror} (TEST.MIRROR), and a router sends "
            f"writes of {shown} to it.",
            hint="Route those writes to the primary, or remove TEST.MIRROR.",
        )
    context.emit(GuardPassed(context.alias, "test_mirror_isolation"))


def _history_consistent(context: Context) -> None:
    """The graph stands and has one leaf node an app.

    A row that is recorded before its dependency is left to the scan, which knows whether the
    dependency's effect is there, and to the repair, which can then record it.
    """
    rows = context.backend.history(context.connection)
    check_conflicts(load_graph(context.connection, rows, check=False))
    context.emit(GuardPassed(context.alias, "history_consistent"))


def _nobody_else_migrates(context: Context) -> None:
    context.patience.until_free(lambda: _somebody_else(context))
    context.emit(GuardPassed(context.alias, "no_concurrent_migration"))


def _somebody_else(context: Context) -> LockHeld | None:
    if context.lock is None:
        holder = context.backend.lock_holder(context.connection)
        if holder is not None:
            return LockHeld(
                f"{context.alias} is being migrated by another run: {holder}.",
                hint=f"{WAIT} Then check again.",
            )
    others = context.backend.other_migrations(context.connection)
    if others:
        return LockHeld(
            f"Somebody else is changing the schema of {context.alias}: {others[0]}.",
            hint=f"{WAIT} Then start again.",
        )
    return None
