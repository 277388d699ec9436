"""Event streams of plausible runs, for the tests of whatever reads events."""

from __future__ import annotations

from migrator.core import events as ev
from migrator.core.effects import MigrationKey
from migrator.core.incidents import Code, Evidence, Incident, ObjectRef

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
