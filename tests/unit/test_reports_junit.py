"""The report as JUnit XML: what a build server makes of it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from migrator.reports import render
from migrator.reports.document import ErrorReport, Report, refused
from migrator.reports.folding import fold
from tests.unit.report_events import (
    MISSING,
    closed,
    drifted,
    eventful_report,
    healthy_run,
    hostile_report,
    opened,
    scan,
    step,
    troubled_run,
)

# junit-10.xsd of Jenkins, the one that the others follow: attributes (required ones first), and
# the elements that may be within.
SCHEMA = {
    "testsuites": ((), ("name", "time", "tests", "failures", "disabled", "errors"), ("testsuite",)),
    "testsuite": (
        ("name", "tests"),
        ("failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id"),
        ("testcase", "properties", "system-out", "system-err"),
    ),
    "testcase": (
        ("name",),
        ("classname", "time", "status", "assertions", "file", "line"),
        ("skipped", "error", "failure", "system-out", "system-err"),
    ),
    "failure": ((), ("message", "type"), ()),
    "error": ((), ("message", "type"), ()),
    "skipped": ((), ("message", "type"), ()),
    "system-out": ((), (), ()),
}


def parsed(report: Report) -> ET.Element:
    """The document, checked against the schema and its own counts."""
    root = ET.fromstring(render(report, "junit"))
    check(root)
    for suite in root:
        cases = suite.findall("testcase")
        assert int(suite.get("tests", "")) == len(cases)
        for count, verdict in (("failures", "failure"), ("errors", "error"), ("skipped",) * 2):
            found = sum(case.find(verdict) is not None for case in cases)
            assert int(suite.get(count, "")) == found
    for count in ("tests", "failures", "errors"):
        assert int(root.get(count, "")) == sum(int(suite.get(count, "")) for suite in root)
    return root


def check(element: ET.Element) -> None:
    required, optional, children = SCHEMA[element.tag]
    assert set(required) <= set(element.attrib) <= {*required, *optional}, element.attrib
    for child in element:
        assert child.tag in children
        check(child)


def verdicts(root: ET.Element, suite: str) -> dict[str, str]:
    found = next(element for element in root if element.get("name") == suite)
    return {
        str(case.get("name")): next(
            (child.tag for child in case if child.tag != "system-out"), "passed"
        )
        for case in found
    }


def test_a_suite_for_each_alias_a_case_for_each_step_and_migration() -> None:
    root = parsed(fold(healthy_run()))
    assert [suite.get("name") for suite in root] == ["default", "replica"]
    assert verdicts(root, "default") == {
        "step guarded": "passed",
        "step scanned": "passed",
        "step repaired": "passed",
        "step migrated": "passed",
        "step verified": "passed",
        "migration auth.0001_initial": "passed",
        "migration auth.0002_more": "passed",
    }
    assert verdicts(root, "replica") == {"database": "skipped"}


def test_what_failed_fails_and_what_never_began_is_skipped() -> None:
    root = parsed(eventful_report())
    assert verdicts(root, "blog_db") == {
        "step guarded": "passed",
        "step scanned": "passed",
        "step repaired": "passed",
        "step migrated": "failure",
        "step verified": "skipped",
        "migration blog.0001_a": "passed",
        "migration blog.0002_b": "failure",
    }
    assert verdicts(root, "drifted_db")["step scanned"] == "failure"
    assert set(verdicts(root, "late").values()) == {"skipped"}
    assert verdicts(root, "run") == {"test command": "failure"}


def test_a_failure_says_why_and_what_to_do() -> None:
    text = render(eventful_report(), "junit")
    for said in ("duplicate key value", "Mend it.", "DR101", "1 failed, 11 passed", "DS101 error"):
        assert said in text


def test_drift_that_a_check_found_is_a_failure_of_the_scan() -> None:
    events = [
        opened("shop_db", kind="check", goal="scanned"),
        *step("shop_db", "guard", "pending", "guarded"),
        *step("shop_db", "scan", "guarded", "scanned", scan("shop_db", MISSING)),
        closed("failed", 1),
    ]
    assert verdicts(parsed(fold(events)), "shop_db") == {
        "step guarded": "passed",
        "step scanned": "failure",
    }


def test_a_run_that_never_began_is_an_error() -> None:
    error = ErrorReport("UnknownAlias", "DATABASES has no alias 'x'.", "Known: default.", 2)
    root = parsed(refused("check", "scanned", error))
    assert verdicts(root, "run") == {"run": "error"}


def test_no_red_run_is_green() -> None:
    for report in (
        fold([opened("a"), *drifted("a", MISSING), closed("failed", 1)]),
        fold(troubled_run()),
        fold(healthy_run()[:9]),
        fold(troubled_run()[:20]),
        fold([]),
    ):
        root = parsed(report)
        assert int(root.get("failures", "")) + int(root.get("errors", "")) > 0


@pytest.mark.parametrize("length", range(0, 40, 3))
def test_every_prefix_of_a_run_is_valid(length: int) -> None:
    parsed(fold(troubled_run()[:length]))


def test_text_that_xml_cannot_hold_is_spelled_out() -> None:
    root = parsed(hostile_report())
    failures = [str(f.get("message")) for f in root.iter("failure")]
    assert any("<script>alert(1)</script>\\u202e" in message for message in failures)
    error = ErrorReport("X", "null \0, escape \x1b[31m, lone \ud800, last \uffff")
    parsed(refused("check", "scanned", error))
