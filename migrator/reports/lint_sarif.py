"""A review as SARIF 2.1.0, which code hosts read (GitHub code scanning, Azure, GitLab).

The schema: https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import quote

from migrator.core.findings import Finding, Severity
from migrator.core.review import Review, Shared, share
from migrator.core.rules import Rule, all_rules
from migrator.reports.lint_text import describe

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


class LintSarifFormatter:
    """Renders a review as a SARIF log of one run."""

    def __init__(self, version: str = "") -> None:
        """Prepare.

        Args:
            version: Of this tool.
        """
        self._version = version

    def render(self, review: Review) -> str:
        """The document, with a line end.

        Args:
            review: Any.
        """
        rules = all_rules()
        order = {rule.code: index for index, rule in enumerate(rules)}
        driver: dict[str, Any] = {
            "name": "django-migrator-journal",
            "rules": [_rule(rule) for rule in rules],
        }
        if self._version:
            driver["semanticVersion"] = self._version
        notices = [
            {"level": "error", "message": {"text": f"{each.alias}: {each.message}"}}
            for each in review.unjudged
        ]
        run: dict[str, Any] = {
            "tool": {"driver": driver},
            "columnKind": "unicodeCodePoints",
            "invocations": [
                {
                    "executionSuccessful": not review.unjudged,
                    "toolExecutionNotifications": notices,
                }
            ],
            "results": [_result(shared, order) for shared in share(review.findings)],
        }
        document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    text = " ".join(rule.help.split())
    return {
        "id": rule.code,
        "name": _pascal(rule.title),
        "shortDescription": {"text": f"{rule.title}."},
        "fullDescription": {"text": text},
        "help": {"text": text, "markdown": f"**{rule.title}**\n\n{text}"},
        "properties": {"tags": ["migrations", rule.family.headline.lower()]},
    }


def _pascal(title: str) -> str:
    words = "".join(each if each.isalnum() else " " for each in title).split()
    return "".join(word[:1].upper() + word[1:] for word in words)


def _result(shared: Shared, order: dict[str, int]) -> dict[str, Any]:
    finding = shared.finding
    aliases = [alias for alias in shared.aliases if alias]
    text = describe(finding)
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "level": _LEVELS[finding.severity],
        "message": {
            "text": text,
            "markdown": text
            + (
                f"\n\n```python\n{finding.alternative.rstrip()}\n```" if finding.alternative else ""
            ),
        },
        "locations": [_location(finding)],
        "partialFingerprints": {"migratorFinding/v1": _fingerprint(finding)},
        "properties": {
            "migration": str(finding.migration),
            "operation": finding.operation,
            "databases": aliases,
            "table": finding.table,
            "column": finding.column,
            "lock": finding.lock,
        },
    }
    if finding.code in order:
        result["ruleIndex"] = order[finding.code]
    if finding.suppressed:
        result["suppressions"] = [{"kind": "inSource", "justification": finding.suppressed}]
    return result


def _location(finding: Finding) -> dict[str, Any]:
    logical = [{"fullyQualifiedName": str(finding.migration), "kind": "module"}]
    if not finding.file:
        return {"logicalLocations": logical}
    relative = not finding.file.startswith("/")
    artifact: dict[str, Any] = {"uri": quote(finding.file)}
    if relative:
        artifact["uriBaseId"] = "%SRCROOT%"
    physical: dict[str, Any] = {"artifactLocation": artifact}
    if finding.line:
        physical["region"] = {"startLine": finding.line}
    return {"physicalLocation": physical, "logicalLocations": logical}


def _fingerprint(finding: Finding) -> str:
    """The same finding in the next run, whatever line it has moved to."""
    parts = (finding.code, str(finding.migration), finding.table, finding.column)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
