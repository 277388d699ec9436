"""Event streams of plausible runs, for the tests of whatever reads events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from migrator.core import events as ev
from migrator.core.effects import MigrationKey
from migrator.core.findings import Finding, Severity
from migrator.core.incidents import Code, Evidence, Incident, ObjectRef
from migrator.reports.document import Report
from migrator.reports.folding import ReportBuilder

RUN = "20260131-k3f9"
AT = "2026-01-31T10:00:00+00:00"
LATER = "2026-01-31T10:00:04.200000+00:00"


def key(name: str) -> MigrationKey:
    app, _, rest = name.partition(".")
    return MigrationKey(app, rest)


MISSING = Incident(
    Code.RECORDED_MISSING,
    True,
    Evidence.STATE,
    ObjectRef("column", "shop_order", "total"),
    "numeric(10, 2) NOT NULL",
    "",
    key("shop.0002_total"),
    0,
    "shop.0002_total is recorded as applied, but the column that it adds is not there.",
    "Repair forgets the row, so that migrate applies it again.",
    ("DELETE FROM django_migrations WHERE app = 'shop' AND name = '0002_total'",),
    mendable=True,
)
PRESENT = Incident(
    Code.UNRECORDED_PRESENT,
    True,
    Evidence.STATE,
    ObjectRef("table", "shop_cart", "shop_cart"),
    migration=key("shop.0003_cart"),
    message="shop.0003_cart is not recorded, but its table is there.",
)
HALF = Incident(
    Code.HALF_APPLIED,
    True,
    Evidence.STATE,
    ObjectRef("migration", "", "shop.0004_tags"),
    migration=key("shop.0004_tags"),
    message="shop.0004_tags is half applied.",
    objects=(
        (ObjectRef("table", "shop_tag", "shop_tag"), True),
        (ObjectRef("column", "shop_order", "tag_id"), False),
    ),
)
WIDER = Incident(
    Code.COLUMN_DIFFERS,
    True,
    Evidence.SNAPSHOT,
    ObjectRef("column", "shop_item", "name"),
    "character varying(200) NOT NULL",
    "character varying(100) NOT NULL",
    message="The column is narrower than the models say.",
    hint="Alter it by hand.",
    sql=('ALTER TABLE "shop_item" ALTER COLUMN "name" TYPE varchar(200)',),
)
UNCONFIRMED = Incident(
    Code.EXTRA,
    False,
    Evidence.UNCONFIRMED,
    ObjectRef("index", "shop_order", "by_hand_idx"),
    live="btree (created)",
    message="An index that no migration made.",
    hint="A snapshot would confirm it.",
)


def opened(
    *aliases: str, kind: str = "migrate", goal: str = "verified", resumed: bool = False
) -> ev.RunOpened:
    return ev.RunOpened(RUN, kind, goal, aliases, AT, resumed)


def closed(outcome: str = "complete", exit_code: int = 0) -> ev.RunClosed:
    return ev.RunClosed(RUN, outcome, exit_code, LATER)


def step(alias: str, trigger: str, source: str, dest: str, *inside: ev.Event) -> list[ev.Event]:
    return [
        ev.TransitionStarted(alias, trigger, source, dest),
        *inside,
        ev.TransitionFinished(alias, trigger, dest, 0.1),
    ]


def scan(
    alias: str, *incidents: Incident, pending: tuple[str, ...] = (), phase: str = "scan"
) -> ev.ScanFinished:
    return ev.ScanFinished(alias, phase, 41, 7, incidents, tuple(map(key, pending)), 0.1)


def migrated(alias: str, *names: str) -> list[ev.Event]:
    """An alias that goes all the way."""
    events: list[ev.Event] = [
        ev.TargetIdentified(alias, "postgresql", "PostgreSQL 18.0", f"pg/{alias}"),
        *step(alias, "guard", "pending", "guarded", ev.GuardPassed(alias, "writable", "yes")),
        *step(alias, "scan", "guarded", "scanned", scan(alias, pending=names)),
        *step(alias, "repair", "scanned", "repaired"),
    ]
    inside: list[ev.Event] = [ev.MigratingStarted(alias, len(names))]
    for position, name in enumerate(names, 1):
        inside += [
            ev.MigrationStarted(alias, key(name), 1, position, len(names)),
            ev.MigrationApplied(alias, key(name), 0.25),
        ]
    events += step(alias, "migrate", "repaired", "migrated", *inside)
    events += step(alias, "verify", "migrated", "verified", scan(alias, phase="verify"))
    return [*events, ev.AliasFinished(alias, "verified", 1.5)]


def drifted(alias: str, *incidents: Incident) -> list[ev.Event]:
    """An alias that stops at its scan."""
    return [
        ev.TargetIdentified(alias, "postgresql", "PostgreSQL 18.0", f"pg/{alias}"),
        *step(alias, "guard", "pending", "guarded"),
        ev.TransitionStarted(alias, "scan", "guarded", "scanned"),
        scan(alias, *incidents, pending=("shop.0009_last",)),
        ev.AliasFailed(alias, "DriftFound", f"{alias} has drifted.", "Mend it.", 1),
    ]


def broken(alias: str) -> list[ev.Event]:
    """An alias whose second migration raises."""
    return [
        ev.TargetIdentified(alias, "sqlite", "SQLite 3.46", "/data/blog.sqlite3"),
        *step(alias, "guard", "pending", "guarded"),
        *step(
            alias, "scan", "guarded", "scanned", scan(alias, pending=("blog.0001_a", "blog.0002_b"))
        ),
        *step(alias, "repair", "scanned", "repaired"),
        ev.TransitionStarted(alias, "migrate", "repaired", "migrated"),
        ev.MigratingStarted(alias, 2),
        ev.MigrationStarted(alias, key("blog.0001_a"), 1, 1, 2),
        ev.MigrationApplied(alias, key("blog.0001_a"), 0.5),
        ev.MigrationStarted(alias, key("blog.0002_b"), 1, 2, 2),
        ev.MigrationFailed(alias, key("blog.0002_b"), 1, "duplicate key value\nDETAIL: (slug)=(x)"),
        ev.AliasFailed(alias, "MigrationFailed", f"blog.0002_b failed on {alias}.", "Mend it.", 1),
    ]


def healthy_run() -> list[ev.Event]:
    return [
        opened("default", "replica"),
        *migrated("default", "auth.0001_initial", "auth.0002_more"),
        ev.TargetSkipped("replica", "A read-only standby of default."),
        closed(),
    ]


def troubled_run() -> list[ev.Event]:
    return [
        opened("default", "blog_db", "shop_db", "late"),
        *migrated("default", "auth.0001_initial"),
        *broken("blog_db"),
        *drifted("shop_db", UNCONFIRMED, WIDER, MISSING, HALF),
        closed("failed", 1),
    ]


# -- with a clock -----------------------------------------------------------------------------

BEGAN = datetime(2026, 1, 31, 10, 0, tzinfo=UTC)
HOSTILE = "\"'><script>alert(1)</script>\u202egpj.exe & Ünïcode \U0001f600 " + "x" * 100

ERROR = Finding(
    "DS101",
    Severity.ERROR,
    key("shop.0003_drop_total"),
    "The column shop_order.total is dropped with what is in it.",
    alias="shop_db",
    operation=0,
    table="shop_order",
    column="total",
    hint="Stop using it first, and drop it one release later.",
    alternative='migrations.RemoveField("order", "total")',
    lock="ACCESS EXCLUSIVE on shop_order",
    destroys=True,
    rows=1204,
    file="shop/migrations/0003_drop_total.py",
    line=12,
)
WARNING = Finding(
    "LK101",
    Severity.WARNING,
    key("shop.0002_total"),
    "The table shop_order is written anew while it is locked.",
    alias="shop_db",
    file="shop/migrations/0002_total.py",
    line=8,
)
QUIET = Finding(
    "IX101",
    Severity.ERROR,
    key("shop.0002_total"),
    "The index is built while writes wait.",
    alias="shop_db",
    suppressed="The table is small.",
)


class Clock:
    """Stamps events as they come in."""

    def __init__(self) -> None:
        self.builder = ReportBuilder()
        self.now = BEGAN

    @property
    def at(self) -> str:
        return self.now.isoformat()

    def add(self, event: ev.Event, after: float = 0.0) -> None:
        self.now += timedelta(seconds=after)
        self.builder.add(event, self.at)

    def add_all(self, events: Iterable[ev.Event], each: float = 0.05) -> None:
        for event in events:
            self.add(event, each)


def eventful_report() -> Report:
    """A run in which everything happens that a report has a place for."""
    clock = Clock()
    aliases = ("default", "shop_db", "blog_db", "drifted_db", "replica", "late")
    clock.add(ev.RunOpened(RUN, "repair", "verified", aliases, clock.at))
    clock.add_all(repaired("default"))
    clock.add_all(contended("shop_db"), each=0.01)
    clock.add_all(broken("blog_db"))
    clock.add_all(drifted("drifted_db", UNCONFIRMED, WIDER, MISSING, HALF))
    clock.add(ev.TargetSkipped("replica", "A read-only standby of default."))
    command = "python -m smoke --url https://example.org"
    clock.add(ev.AcceptanceStarted(command), 0.1)
    output = "FAILED test_checkout\n1 failed, 11 passed"
    clock.add(ev.AcceptanceFinished(command, 1, 2.5, output), 2.5)
    clock.add(ev.RunClosed(RUN, "failed", 1, clock.at))
    return clock.builder.build()


def repaired(alias: str) -> list[ev.Event]:
    """An alias that had drifted, is repaired, and goes all the way."""
    action = ("Forget shop.0002_total, so that migrate applies it again", MISSING.sql)
    return [
        ev.TargetIdentified(alias, "postgresql", "PostgreSQL 18.0", f"pg/{alias}"),
        *step(alias, "guard", "pending", "guarded"),
        *step(alias, "scan", "guarded", "scanned", scan(alias, MISSING)),
        *step(
            alias,
            "repair",
            "scanned",
            "repaired",
            ev.RepairPlanned(alias, (action,), ("The data of shop_order.total is gone.",)),
            ev.RepairApplied(alias, *action, 0.04),
            scan(alias, pending=("shop.0002_total",), phase="repair"),
        ),
        *step(
            alias,
            "migrate",
            "repaired",
            "migrated",
            ev.MigratingStarted(alias, 1),
            ev.MigrationStarted(alias, key("shop.0002_total"), 1, 1, 1),
            ev.MigrationApplied(alias, key("shop.0002_total"), 0.05),
        ),
        *step(alias, "verify", "migrated", "verified", scan(alias, phase="verify")),
        ev.AliasFinished(alias, "verified", 0.9),
    ]


def contended(alias: str) -> list[ev.Event]:
    """An alias with findings, a consent, a backup, and a lock that was not to be had at once."""
    slow, drop = key("shop.0002_total"), key("shop.0003_drop_total")
    who = ("pid 4711 (app web-1, idle in transaction for 12 s)",)
    return [
        ev.TargetIdentified(alias, "postgresql", "PostgreSQL 18.0", f"pg/{alias}"),
        *step(alias, "guard", "pending", "guarded"),
        *step(alias, "scan", "guarded", "scanned", scan(alias, pending=(str(slow), str(drop)))),
        *step(alias, "repair", "scanned", "repaired"),
        *step(
            alias,
            "migrate",
            "repaired",
            "migrated",
            ev.FindingsMade(alias, (ERROR, WARNING, QUIET)),
            ev.ConsentGiven(alias, "--allow-destructive", "deploy", (ERROR,)),
            ev.BackupStarted(alias, "/backups/shop_db/20260131.dump", 40_000_000),
            ev.BackupMade(
                alias, "/backups/shop_db/20260131.dump", 12_300_000, "ab" * 32, 0.4, "pg_dump 18.0"
            ),
            ev.MigratingStarted(alias, 2),
            ev.MigrationStarted(alias, slow, 1, 1, 2),
            ev.LockWaiting(alias, slow, 1.0, who),
            ev.LockContended(alias, slow, 1, 3.0, 0.5, who),
            ev.MigrationStarted(alias, slow, 2, 1, 2),
            ev.MigrationApplied(alias, slow, 0.25, 2, 3.5),
            ev.MigrationStarted(alias, drop, 1, 2, 2),
            ev.MigrationApplied(alias, drop, 0.05),
        ),
        *step(alias, "verify", "migrated", "verified", scan(alias, phase="verify")),
        ev.AliasFinished(alias, "verified", 4.9),
    ]


def hostile_report() -> Report:
    """Text that tries to be something else, wherever a report holds text."""
    clock = Clock()
    clock.add(ev.RunOpened(RUN, "migrate", "verified", (HOSTILE,), clock.at))
    incident = replace(
        MISSING,
        object=ObjectRef("column", HOSTILE, HOSTILE),
        expected=HOSTILE,
        live=HOSTILE,
        message=HOSTILE,
        hint=HOSTILE,
        sql=(HOSTILE,),
    )
    finding = replace(
        ERROR, message=HOSTILE, hint=HOSTILE, alternative=HOSTILE, file=HOSTILE, table=HOSTILE
    )
    name = MigrationKey(HOSTILE, HOSTILE)
    clock.add_all(
        [
            ev.RunNotice(HOSTILE, HOSTILE),
            ev.TargetIdentified(HOSTILE, "postgresql", HOSTILE, HOSTILE),
            ev.TransitionStarted(HOSTILE, "scan", "guarded", "scanned"),
            scan(HOSTILE, incident),
            ev.FindingsMade(HOSTILE, (finding,)),
            ev.Warned(HOSTILE, HOSTILE, HOSTILE),
            ev.MigrationStarted(HOSTILE, name, 1, 1, 1),
            ev.LockContended(HOSTILE, name, 1, 1.0, 1.0, (HOSTILE,)),
            ev.MigrationFailed(HOSTILE, name, 2, HOSTILE),
            ev.AliasFailed(HOSTILE, "MigrationFailed", HOSTILE, HOSTILE, 1),
            ev.AcceptanceFinished(HOSTILE, 1, 0.1, HOSTILE),
        ]
    )
    clock.add(ev.RunClosed(RUN, "failed", 1, clock.at))
    return clock.builder.build()


def large_report(aliases: int = 100, migrations: int = 50) -> Report:
    """A fleet that is migrated from nothing."""
    clock = Clock()
    names = tuple(f"tenant_{number:03d}" for number in range(aliases))
    clock.add(ev.RunOpened(RUN, "migrate", "verified", names, clock.at))
    keys = [f"app{n % 7}.{n:04d}_change_the_{'field' * (1 + n % 5)}" for n in range(migrations)]
    for number, alias in enumerate(names):
        for event in migrated(alias, *keys):
            clock.add(event, 0.002 * (1 + (number + len(keys)) % 11))
    clock.add(ev.RunClosed(RUN, "complete", 0, clock.at))
    return clock.builder.build()
