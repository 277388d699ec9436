"""pending → guarded: is it safe to look at this database, and to write to it?

`survey_alias` is the first look, before the run is opened: it connects and says which physical
database an alias is. `run` is the phase itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.dummy.base import DatabaseWrapper

from migrator.backends import backend_for
from migrator.backends.catalog import unreachable
from migrator.conf import Settings
from migrator.core.events import GuardPassed, Warned
from migrator.exceptions import (
    ConfigurationError,
    DatabaseReadOnly,
    DatabaseUnreachable,
    LockHeld,
    MigratorError,
    MirrorLeak,
    PoolerInBetween,
)
from migrator.phases.context import Context, SkipTarget, Survey
from migrator.scanner import owns_anything, routed_models
from migrator.sources import check_conflicts, load_graph

WAIT = "Wait for it to end (--wait-lock SECONDS does)."

NO_ENGINE = "django.db.backends.dummy"


def survey_alias(alias: str, settings: Settings) -> Survey:
    """Connect to an alias and say what it is. Never raises for a database that is broken.

    Args:
        alias: One of DATABASES.
        settings: For the time limit.
    """
    try:
        connection = connections[alias]
    except ImproperlyConfigured as error:  # no such ENGINE, or its driver is not installed
        return _unloadable(alias, error)
    if connection.settings_dict["ENGINE"] == NO_ENGINE:
        return _without_engine(alias, connection)
    return survey_connection(alias, connection, settings)


def survey_connection(alias: str, connection: BaseDatabaseWrapper, settings: Settings) -> Survey:
    """As `survey_alias`, of a wrapper that need not be an alias's own.

    Args:
        alias: What to call it.
        connection: The wrapper.
        settings: For the time limit.
    """
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
    except Error as error:
        return Survey(alias, connection, backend, error=lost_contact(connection, error))
    return Survey(alias, connection, backend, server, identity)


def lost_contact(connection: BaseDatabaseWrapper, error: Error) -> DatabaseUnreachable:
    """What to say of a server that went away while it was looked at, before anything was begun.

    Args:
        connection: The wrapper.
        error: What Django raised.
    """
    names = {"postgresql": "PostgreSQL", "mysql": "MySQL", "sqlite": "SQLite"}
    return unreachable(connection, error, (), product=names.get(connection.vendor, "server"))


def _without_engine(alias: str, connection: BaseDatabaseWrapper) -> Survey:
    """`"default": {}` is Django's way to have no default; an alias that owns models needs one."""
    try:
        owned = [model._meta.label for model in routed_models(connection)]
    except MigratorError as error:
        return Survey(alias, connection, error=error)
    if not owned and not connection.settings_dict["NAME"]:
        return Survey(alias, connection, skip="it has no ENGINE, and no app is routed to it")
    missing = ConfigurationError(
        f"DATABASES[{alias!r}] has no ENGINE"
        + (f", and the routers put {_some(owned)} there." if owned else "."),
        hint="Give it an ENGINE, or route those models to another alias.",
    )
    return Survey(alias, connection, error=missing)


def _unloadable(alias: str, error: Exception) -> Survey:
    refused = ConfigurationError(
        f"The ENGINE of {alias} cannot be loaded: {str(error).partition(chr(10))[0]}",
        hint="Install its driver, or correct DATABASES.",
    )
    return Survey(alias, DatabaseWrapper(connections.settings[alias], alias), error=refused)


def mark_duplicates(surveys: Iterable[Survey]) -> tuple[Survey, ...]:
    """Mark aliases that an earlier alias already covers, as skipped.

    One that owns models which the earlier alias does not own is not covered: both share one
    history, so what is recorded for the one would be missing for the other. Both are refused.

    Args:
        surveys: In the order of the run.
    """
    marked: dict[str, Survey] = {}
    first: dict[str, str] = {}
    for survey in surveys:
        marked[survey.alias] = survey
        earlier = first.setdefault(survey.identity, survey.alias)
        if not survey.identity or earlier == survey.alias:
            continue
        covering = marked[earlier]
        if _mirrored(survey):
            marked[survey.alias] = replace(survey, skip=f"an active test mirror of {earlier}")
        elif apart := _owned_apart(survey, covering):
            error = MirrorLeak(
                f"{earlier} and {survey.alias} are one database, and the routers put "
                f"{_some(apart)} on {survey.alias} alone: its tables would never be made.",
                hint=f"Give {survey.alias} a database of its own, or route those models to "
                f"{earlier} as well.",
            )
            marked[survey.alias] = replace(survey, error=error)
            marked[earlier] = replace(covering, error=covering.error or error)
        else:
            marked[survey.alias] = replace(
                survey, skip=f"another name of the database that {earlier} covers"
            )
    return tuple(marked.values())


def _mirrored(survey: Survey) -> str | None:
    return (survey.connection.settings_dict.get("TEST") or {}).get("MIRROR")


def _owned_apart(survey: Survey, covering: Survey) -> list[str]:
    """Models that belong on an alias and not on the other name of its database."""
    try:
        covered = set(routed_models(covering.connection))
        owned = routed_models(survey.connection)
    except MigratorError:  # a broken migration module or router: each alias's guards say which
        return []
    return [model._meta.label for model in owned if model not in covered]


def _some(labels: list[str]) -> str:
    return ", ".join(labels[:3]) + (f" and {len(labels) - 3} more" if labels[3:] else "")


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
    _nobody_else_migrates(context)
    _history_consistent(context)


def refuse_pooler(survey: Survey) -> None:
    """Refuse a proxy that pools by transaction. Before the lock is asked for: it would be taken
    on a session of the server that is somebody else's a moment later, and stay there.

    Raises:
        PoolerInBetween
    """
    if survey.backend is not None and survey.backend.pooled(survey.connection):
        raise PoolerInBetween(
            f"{survey.alias} is behind a proxy that pools by transaction: "
            "a lock could not be held, and two runs could migrate at once.",
            hint="Point the alias at the server itself, or at a pool in session mode.",
        )


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
    if context.lock is None:  # else it was looked at before the lock was taken
        refuse_pooler(context.survey)
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
    mirror = _mirrored(context.survey)
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
        raise MirrorLeak(
            f"{context.alias} is declared a mirror of {mirror} (TEST.MIRROR), and a router sends "
            f"writes of {_some(leaks)} to it.",
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
