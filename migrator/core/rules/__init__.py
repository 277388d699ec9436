"""The rules of the lint: what each is called, what it is for, and how it is found.

A rule is a short pure generator over one step of a plan:

    @rule("LK101", family=Family.LOCKS, title="Table rewritten under a lock")
    def table_rewrite(context: StepContext) -> Iterator[Finding]:
        \"\"\"Why it matters; the first paragraph is its help text.\"\"\"
        for moment in context.moments:
            …
            yield context.finding(Severity.WARNING, "…", at=moment, table="shop_order")

The code is put in by whoever runs it (`core.lint`). One rule, one code; a code is never reused.
A module of rules is named in `_MODULES`, so that `all_rules()` finds it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import import_module

from migrator.core.findings import Finding
from migrator.core.rules.context import Moment, Policy, StepContext, Weight

__all__ = [
    "Family",
    "Moment",
    "Policy",
    "Rule",
    "StepContext",
    "Weight",
    "all_rules",
    "rule",
    "rule_of",
]


class Family(StrEnum):
    """What a rule is about; the letters of its code."""

    DESTRUCTIVE = "DS"
    DATA_LOSS = "DL"
    MAY_FAIL = "MF"
    COMPATIBILITY = "BC"
    LOCKS = "LK"
    INDEXES = "IX"
    IRREVERSIBLE = "IR"
    MIXED = "MX"
    NON_ATOMIC = "NA"
    UNANALYSABLE = "UA"
    LIVE = "LV"
    SUPPRESSION = "SU"

    @property
    def headline(self) -> str:
        """For people."""
        return _TITLES[self]


_TITLES = {
    Family.DESTRUCTIVE: "Destructive",
    Family.DATA_LOSS: "Silent data loss",
    Family.MAY_FAIL: "May fail on existing data",
    Family.COMPATIBILITY: "Breaks the running code",
    Family.LOCKS: "Rewrite or long scan under a lock",
    Family.INDEXES: "Indexes",
    Family.IRREVERSIBLE: "Irreversible",
    Family.MIXED: "Schema and data mixed",
    Family.NON_ATOMIC: "Non-atomic",
    Family.UNANALYSABLE: "Unanalysable",
    Family.LIVE: "What is going on in the database",
    Family.SUPPRESSION: "Suppressions",
}

_MODULES = (
    "destructive",
    "data_loss",
    "may_fail",
    "may_not_fit",
    "compatibility",
    "refusals",
    "conversions",
    "locks",
    "indexes",
    "structure",
    "live",
)

RuleFunction = Callable[[StepContext], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        code: Stable.
        family: What it is about.
        title: A few words.
        help: Why it matters and what to do: the docstring of its function.
        find: The function.
    """

    code: str
    family: Family
    title: str
    help: str
    find: RuleFunction


_rules: dict[str, Rule] = {}


def rule(code: str, *, family: Family, title: str) -> Callable[[RuleFunction], RuleFunction]:
    """Register a rule.

    Args:
        code: Letters of the family and three digits.
        family: What it is about.
        title: A few words, as a headline.

    Raises:
        ValueError: The code is taken, or is not of its family.
    """

    def register(find: RuleFunction) -> RuleFunction:
        if code in _rules or not code.startswith(family.value):
            raise ValueError(f"The code {code} is taken, or is not of the family {family}.")
        _rules[code] = Rule(code, family, title, inspect.cleandoc(find.__doc__ or ""), find)
        return find

    return register


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, by code."""
    for name in _MODULES:
        import_module(f"{__name__}.{name}")
    return tuple(_rules[code] for code in sorted(_rules))


def rule_of(code: str) -> Rule | None:
    """The rule of a code; None for none."""
    return next((known for known in all_rules() if known.code == code), None)
