"""A review as JUnit XML: a suite for each database, a case for each migration."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from migrator.core.findings import Finding, Severity
from migrator.core.review import RANKS, Judged, Review
from migrator.core.spelling import printable
from migrator.reports.lint_text import WORDS, describe


class LintJunitFormatter:
    """Renders a review as JUnit XML."""

    def __init__(self, fail_on: Severity = Severity.ERROR) -> None:
        """Prepare.

        Args:
            fail_on: From which severity on a finding makes its case fail.
        """
        self._limit = RANKS.index(fail_on)

    def render(self, review: Review) -> str:
        """The document, with a line end.

        Args:
            review: Any.
        """
        root = Element("testsuites", {"name": "migrator lint"})
        aliases = dict.fromkeys(
            [each.alias for each in review.judged] + [each.alias for each in review.unjudged]
        )
        tests = failures = errors = 0
        for alias in aliases:
            cases = [each for each in review.judged if each.alias == alias]
            found = [finding for finding in review.findings if finding.alias == alias]
            broken = [each for each in review.unjudged if each.alias == alias]
            suite = SubElement(root, "testsuite", {"name": _text(alias)})
            failed = sum(self._case(suite, each, found) for each in cases)
            for each in broken:
                case = SubElement(
                    suite, "testcase", {"name": "lint", "classname": _text(alias), "time": "0"}
                )
                error = SubElement(case, "error", {"message": _text(each.message)})
                error.text = _text(each.hint)
            _count(suite, len(cases) + len(broken), failed, len(broken))
            tests += len(cases) + len(broken)
            failures += failed
            errors += len(broken)
        _count(root, tests, failures, errors)
        indent(root)
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, "unicode") + "\n"

    def _case(self, suite: Element, judged: Judged, findings: list[Finding]) -> bool:
        """One migration; whether it fails."""
        mine = [each for each in findings if each.migration == judged.migration]
        bad = [each for each in mine if self._counts(each)]
        attributes = {
            "name": _text(judged.migration.name),
            "classname": _text(f"{judged.alias}.{judged.migration.app}"),
            "time": "0",
        }
        if judged.file:
            attributes["file"] = _text(judged.file)
        case = SubElement(suite, "testcase", attributes)
        if bad:
            message = f"{bad[0].code}: {bad[0].message}"
            failure = SubElement(case, "failure", {"message": _text(message), "type": bad[0].code})
            failure.text = _text("\n\n".join(map(_whole, bad)))
        rest = [each for each in mine if each not in bad]
        if rest:
            out = SubElement(case, "system-out")
            out.text = _text("\n\n".join(map(_whole, rest)))
        return bool(bad)

    def _counts(self, finding: Finding) -> bool:
        return not finding.suppressed and RANKS.index(finding.severity) >= self._limit


def _whole(finding: Finding) -> str:
    place = f"{finding.file}:{finding.line}: " if finding.file and finding.line else ""
    word = "switched off" if finding.suppressed else WORDS[finding.severity]
    reason = f" Reason: {finding.suppressed}" if finding.suppressed else ""
    text = f"{place}{word} {finding.code}: {describe(finding)}{reason}"
    return f"{text}\n\n{finding.alternative.rstrip()}" if finding.alternative else text


def _count(element: Element, tests: int, failures: int, errors: int) -> None:
    counts = {"tests": tests, "failures": failures, "errors": errors, "skipped": 0}
    for name, count in counts.items():
        element.set(name, str(count))
    element.set("time", "0")


def _text(text: str) -> str:
    """Without characters that XML cannot hold."""
    return "".join(each for each in printable(text) if not "\ud800" <= each <= "\udfff")
