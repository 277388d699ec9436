"""A small shop with data in it, for the lint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.db import migrations, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.operations.base import Operation

from migrator.backends import backend_for, facts_for
from migrator.conf import Settings
from migrator.core.findings import Finding, Severity
from migrator.linting import lint_plan
from migrator.planning import plan_migrations
from migrator.sources import full_plan, recorded_plan
from tests.history import History

HERE = Path(__file__).parent
ROWS = 12_000
"""More than counts as tiny."""


def shop() -> History:
    """The migrations that are there; models are Category, Item, Empty, Small."""
    return History().add(
        "shop",
        "0001_initial",
        [
            migrations.CreateModel(
                "Category",
                [
                    ("id", models.AutoField(primary_key=True)),
                    ("name", models.CharField(max_length=50)),
                ],
            ),
            migrations.CreateModel(
                "Item",
                [
                    ("id", models.BigAutoField(primary_key=True)),
                    ("name", models.CharField(max_length=50)),
                    ("code", models.CharField(max_length=50)),
                    ("note", models.TextField(default="")),
                    ("filled", models.IntegerField(null=True)),
                    ("holes", models.IntegerField(null=True)),
                    ("same", models.IntegerField(default=1)),
                    ("big", models.BigIntegerField(default=0)),
                    ("huge", models.BigIntegerField(default=0)),
                    ("price", models.DecimalField(max_digits=12, decimal_places=4)),
                    ("ratio", models.FloatField(default=0)),
                    ("moment", models.DateTimeField(null=True)),
                    ("loose_id", models.IntegerField(null=True)),
                    ("tied_id", models.IntegerField(null=True)),
                    ("indexed", models.IntegerField(default=0, db_index=True)),
                    ("stated", models.IntegerField(db_default=7)),
                    (
                        "category",
                        models.ForeignKey("shop.Category", models.CASCADE, null=True),
                    ),
                ],
                options={
                    "indexes": [models.Index(fields=["big"], name="item_big_idx")],
                },
            ),
            migrations.CreateModel(
                "Empty",
                [
                    ("id", models.BigAutoField(primary_key=True)),
                    ("name", models.CharField(max_length=50)),
                ],
            ),
            migrations.CreateModel(
                "Small",
                [
                    ("id", models.BigAutoField(primary_key=True)),
                    ("name", models.CharField(max_length=50)),
                    ("holes", models.IntegerField(null=True)),
                ],
            ),
        ],
        initial=True,
    )


def fill(connection: BaseDatabaseWrapper) -> None:
    """Migrate it, and put rows in."""
    history = shop()
    history.migrate(connection)
    state = history.graph(connection).project_state(("shop", "0001_initial"))
    item, category, small = (
        state.apps.get_model("shop", name) for name in ("Item", "Category", "Small")
    )
    using = connection.alias
    category.objects.using(using).bulk_create([category(name=f"c{n}") for n in range(5)])
    first = category.objects.using(using).order_by("pk").values_list("pk", flat=True)[0]
    item.objects.using(using).bulk_create(
        [
            item(
                name=f"name {n}",
                code=f"code {n}" * (4 if n == 3 else 1),
                note="12" if n % 2 else "x" * 30,
                filled=n,
                holes=None if n < 40 else n,
                same=n % 7,
                big=n,
                huge=2**40 + n,
                price="1.2345",
                ratio=1.5,
                loose_id=900_000 if n < 3 else None,
                tied_id=first,
                category_id=first,
            )
            for n in range(ROWS)
        ],
        batch_size=500,
    )
    small.objects.using(using).bulk_create([small(name=f"s{n}") for n in range(20)])
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    elif connection.vendor == "mysql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE TABLE shop_item, shop_category, shop_small, shop_empty")


def settings(**lint: Any) -> Settings:
    """As a project would have them."""
    return Settings(journal_url="", base_dir=HERE, lint=lint)


def lint_steps(
    connection: BaseDatabaseWrapper,
    *steps: Sequence[Operation] | tuple[list[Operation], bool],
    live: bool = True,
    lint: dict[str, Any] | None = None,
    **attributes: Any,
) -> tuple[Finding, ...]:
    """What the lint says of further migrations of the shop.

    Args:
        connection: A database that `fill` has filled.
        *steps: Operations, a migration each; or with whether it is atomic.
        live: Whether it is asked.
        lint: `MIGRATOR["LINT"]`.
        **attributes: Of the migrations: atomic, migrator_ignore.
    """
    history = shop()
    for number, step in enumerate(steps, 2):
        match step:
            case ([*operations], bool() as atomic):
                history.add("shop", f"{number:04}_step", operations, atomic=atomic)
            case _:
                history.add("shop", f"{number:04}_step", step, **attributes)  # type: ignore[arg-type]
    recorded = [("shop", "0001_initial")]
    loader = history.graph(connection, recorded)
    backend = backend_for(connection.vendor)
    done = recorded_plan(loader)
    keys = [key for key in full_plan(loader) if key not in set(done)]
    with backend.read_only(connection):
        plan = plan_migrations(connection, backend, loader, done, keys, base_dir=HERE)
        facts = facts_for(connection) if live else None
        return lint_plan(plan, facts, settings(**(lint or {})), loader=loader)


def codes(findings: Sequence[Finding], at_least: Severity = Severity.WARNING) -> dict[str, str]:
    """Code → severity of the findings in force that matter."""
    ranks = [Severity.INFO, Severity.WARNING, Severity.ERROR]
    found: dict[str, str] = {}
    for finding in findings:
        if not finding.suppressed and ranks.index(finding.severity) >= ranks.index(at_least):
            worst = found.get(finding.code, finding.severity.value)
            pair = (Severity(worst), finding.severity)
            found[finding.code] = max(pair, key=ranks.index).value
    return found
