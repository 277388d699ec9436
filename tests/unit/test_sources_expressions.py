"""Stated expressions held against live ones: the plain comparisons that need no parser."""

from __future__ import annotations

import pytest

from migrator.core.effects import Expression
from migrator.core.schema import Check, Column, Schema, Table
from migrator.sources import find_differing


def differs(vendor: str, expected: str, live: str) -> bool:
    columns = (Column("amount", "numeric(9,2)"), Column("other", "integer"))
    table = Table("t", columns, checks=(Check("c", live, ("amount",)),))
    schema = Schema(vendor, tables={"t": table})
    return bool(list(find_differing([Expression("t", "check", "c", expected)], schema)))


@pytest.mark.parametrize(
    ("vendor", "live"),
    [
        ("postgresql", "(amount >= (0)::numeric)"),
        ("postgresql", "amount >= 0"),
        ("mysql", "`amount` >= 0"),
        ("sqlite", '"amount" >= 0'),
    ],
)
def test_a_number_is_compared_as_the_server_spells_it(vendor: str, live: str) -> None:
    assert not differs(vendor, '"amount" >= 0', live)


@pytest.mark.parametrize(
    "live",
    [
        "(amount > (0)::numeric)",
        "(amount >= (10)::numeric)",
        "(amount >= 0.5)",
        "(other >= 0)",
        "((amount >= (0)::numeric) AND (other > 1))",
        "(NOT (amount >= (0)::numeric))",
    ],
)
def test_another_operator_number_or_column_differs(live: str) -> None:
    assert differs("postgresql", '"amount" >= 0', live)
