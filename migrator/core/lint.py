"""The lint: every rule on every step of a plan, and what was switched off, with its reason.

Pure; `migrator.linting` brings the plan, the live facts and the settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from migrator.core.findings import Finding, Severity
from migrator.core.live import Facts
from migrator.core.plan import Plan
from migrator.core.rules import Policy, Rule, StepContext, all_rules
from migrator.core.rules.moments import Sources, contexts_of

UNUSED = "SU101"
"""A suppression that matches nothing."""

_KEY = re.compile(r"[A-Z]{2}(\d{3})?(:\d+)?")
_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


@dataclass(frozen=True, slots=True)
class LintPolicy:
    """What a project has decided about the lint.

    Attributes:
        ignore: Key → reason. A key is a code, "app:CODE" or "app.name:CODE"; a code may be a
            whole family ("LK") and may carry the number of an operation ("LK101:2").
        weights: What counts as tiny and as large.
        third_party: Whether migrations of packages are judged as well.
        report_unused: Whether suppressions in migration files that match nothing are told.
    """

    ignore: Mapping[str, str] = field(default_factory=dict)
    weights: Policy = field(default_factory=Policy)
    third_party: bool = True
    report_unused: bool = True


def lint(
    plan: Plan,
    facts: Facts | None = None,
    policy: LintPolicy | None = None,
    *,
    sources: Sources | None = None,
    rules: Iterable[Rule] | None = None,
) -> tuple[Finding, ...]:
    """Judge a plan.

    Args:
        plan: What would be done to one database.
        facts: That database, live; None without one.
        policy: What the project has decided.
        sources: The source of the operations, for alternatives as code.
        rules: Other rules than all.

    Returns:
        Findings in the order of the plan, worst first within a migration; those that were
        switched off carry the reason.
    """
    policy = policy or LintPolicy()
    chosen = tuple(rules) if rules is not None else all_rules()
    found: list[Finding] = []
    for context in contexts_of(plan, facts, policy.weights, sources):
        if context.step.own or policy.third_party:
            found.extend(_of_step(context, chosen, policy))
    return tuple(found)


def _of_step(
    context: StepContext, rules: tuple[Rule, ...], policy: LintPolicy
) -> Iterator[Finding]:
    made = (replace(finding, code=rule.code) for rule in rules for finding in rule.find(context))
    findings = sorted(dict.fromkeys(made), key=_rank)
    used: set[str] = set()
    for finding in findings:
        reason = _reason(finding, context.step.ignored, used) or _reason_in_settings(
            finding, policy.ignore
        )
        yield replace(finding, suppressed=reason) if reason else finding
    if policy.report_unused:
        for key, _ in context.step.ignored:
            if key not in used:
                yield replace(
                    context.finding(
                        Severity.INFO,
                        f"migrator_ignore names {key}, and nothing of that code was found.",
                        hint="Take it out, so that it cannot hide something later.",
                    ),
                    code=UNUSED,
                )


def _rank(finding: Finding) -> tuple[int, int, str]:
    operation = -1 if finding.operation is None else finding.operation
    return _ORDER[finding.severity], operation, finding.code


def _reason(finding: Finding, ignored: Iterable[tuple[str, str]], used: set[str]) -> str:
    found = ""
    for key, reason in ignored:
        if _names(key, finding):
            used.add(key)
            found = found or reason
    return found


def _reason_in_settings(finding: Finding, ignore: Mapping[str, str]) -> str:
    for key, reason in ignore.items():
        where, _, code = key.rpartition(":") if not _KEY.fullmatch(key) else ("", "", key)
        if code.isdigit():  # "app:LK101:2"
            where, _, named = where.rpartition(":")
            code = f"{named}:{code}"
        places = {"", finding.migration.app, str(finding.migration)}
        if where in places and _names(code, finding):
            return reason
    return ""


def _names(key: str, finding: Finding) -> bool:
    """Whether "LK101", "LK" or "LK101:2" means this finding (operations count from 0)."""
    code, _, operation = key.partition(":")
    if operation and operation != str(finding.operation):
        return False
    return code in (finding.code, finding.code[:2])


def unused_settings(ignore: Mapping[str, str], findings: Iterable[Finding]) -> tuple[str, ...]:
    """Keys of the settings' IGNORE that none of these findings answers to.

    Args:
        ignore: As in `LintPolicy`.
        findings: Of every plan that was judged.
    """
    made = tuple(findings)
    return tuple(
        key
        for key, reason in ignore.items()
        if not any(_reason_in_settings(finding, {key: reason}) for finding in made)
    )
