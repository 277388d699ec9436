"""The page of a run: everything is in it, nothing gets out of it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from migrator.core.kept import keep_findings, keep_scan, kept_scan
from migrator.reports import FORMATS, render
from migrator.reports.document import ErrorReport, refused
from migrator.reports.folding import fold
from migrator.reports.html import HtmlJournalFormatter
from tests.unit.report_events import (
    ERROR,
    HOSTILE,
    MISSING,
    QUIET,
    UNCONFIRMED,
    WARNING,
    eventful_report,
    healthy_run,
    hostile_report,
    large_report,
    scan,
    troubled_run,
)
from tests.unit.test_reports_journal import ENTRIES, STEPWISE, entry, run, target

VOID = {"meta", "link", "input", "br"}


class Outline(HTMLParser):
    """The elements of a page, with their attributes; insists that they are closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.elements if found == tag]


def test_the_page_says_what_the_report_knows() -> None:
    text = Outline(render(eventful_report(), "html")).text
    for said in (
        "2 of 6 databases failed, 1 not begun",
        "numeric(10, 2) NOT NULL",
        "DELETE FROM django_migrations",
        "duplicate key value",
        "A read-only standby of default.",
        "/backups/shop_db/20260131.dump",
        "12.3 MB in 0.40 s by pg_dump 18.0, read back whole",
        "deploy, by --allow-destructive: shop.0003_drop_total",
        "ACCESS EXCLUSIVE on shop_order",
        "Switched off: The table is small.",
        "no lock within 3.0 s, again after 0.50 s",
        "pid 4711 (app web-1, idle in transaction for 12 s)",
        "failed with exit code 1 after 2.5 s",
        "1 failed, 11 passed",
        "migrator rollback",
        "python manage.py migrate_all --resume",
        "The data of shop_order.total is gone.",
    ):
        assert said in text


def test_drift_is_shown_as_it_was_met_and_as_it_was_left() -> None:
    text = " ".join(Outline(render(eventful_report(), "html")).text.split())
    assert "Before 41 tables, 7 recorded 1 incident" in text
    assert "After 41 tables, 7 recorded no drift" in text


@pytest.mark.parametrize("events", [healthy_run(), troubled_run(), []], ids=["a", "b", "none"])
def test_every_prefix_of_a_run_is_a_page(events: list[object]) -> None:
    for length in range(0, len(events) + 1, 5):
        Outline(render(fold(events[:length]), "html"))  # type: ignore[arg-type]


def test_a_run_that_never_began_says_why() -> None:
    error = ErrorReport("UnknownAlias", "DATABASES has no alias 'x'.", "Known: default.", 2)
    text = Outline(render(refused("check", "scanned", error), "html")).text
    assert "The run never began" in text
    assert "DATABASES has no alias 'x'." in text


def test_text_from_elsewhere_stays_text() -> None:
    page = render(hostile_report(), "html")
    outline = Outline(page)
    assert len(outline.all("script")) == 1
    assert "\u202e" not in page
    assert HOSTILE.replace("\u202e", "\\u202e") in outline.text
    allowed = {"class", "style", "href", "id", "title", "open", "tabindex", "role", "hidden"}
    for _, attributes in outline.elements:
        odd = {name for name in attributes if name.startswith("on") or name == "src"}
        assert not odd
        assert "x" * 100 not in "".join(set(attributes) - allowed)


def test_the_page_may_load_nothing_and_runs_its_own_script_alone() -> None:
    outline = Outline(render(eventful_report(), "html"))
    policy = next(
        str(meta["content"])
        for meta in outline.all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy
    assert re.search(r"script-src 'sha256-[\w+/=]+'", policy)
    hrefs = [str(a["href"]) for a in (*outline.all("a"), *outline.all("link"))]
    assert all(href.startswith("#") or href == "data:," for href in hrefs)


def test_each_alias_has_its_line_and_its_chapter_and_the_links_lead_there() -> None:
    outline = Outline(render(eventful_report(), "html"))
    ids = {attributes["id"] for _, attributes in outline.elements if "id" in attributes}
    lanes = [a for a in outline.all("a") if a.get("class") == "who"]
    assert len(lanes) == 6
    assert {str(lane["href"])[1:] for lane in lanes} <= ids
    assert len([d for d in outline.all("details") if "database" in str(d.get("class"))]) == 6


def test_a_hundred_aliases_of_fifty_migrations_stay_a_few_megabytes() -> None:
    page = render(large_report(), "html")
    assert page.count('<b class="migration done"') == 5000 + 1  # one is in the legend
    assert len(page.encode()) < 4_000_000


def test_no_format_is_left_out() -> None:
    for style in FORMATS:
        assert render(eventful_report(), style).endswith("\n")


# -- from the journal -------------------------------------------------------------------------


def shown(*entries: dict[str, object], **more: object) -> str:
    document = {
        "format": 1,
        "run": run(**more),
        "targets": [target("default", "failed", epoch=2, reason="A lock timeout.")],
        "entries": list(entries),
        "breaks": [],
    }
    return HtmlJournalFormatter().render_show(document)


def test_a_run_of_the_journal_is_the_same_page_with_its_record() -> None:
    claimed = entry(8, "claim", "claim", "done", epoch=2, attempt=2)
    outline = Outline(shown(*ENTRIES, claimed))
    assert "A lock timeout." in outline.text
    assert "The journal holds together" in outline.text
    assert "a.0001_x" in outline.text
    assert "no outcome" in outline.text
    bars = [b for b in outline.all("b") if b.get("title")]
    names = [(str(b["class"]), str(b["title"]).partition(":")[0]) for b in bars]
    assert ("migration failed", "a.0001_x") in names
    assert ("migration done", "a.0001_x (attempt 2)") in names
    assert ("migration open", "a.0002_z") in names
    assert ("mark done", "resumed") in names


def test_a_run_of_the_journal_shows_the_drift_that_it_met_and_left() -> None:
    met = keep_scan(scan("default", MISSING, UNCONFIRMED))
    left = keep_scan(scan("default", phase="verify"))
    page = Outline(
        shown(
            entry(1, "transition", "scan", "done", payload={"dest": "scanned", "scans": [met]}),
            entry(2, "transition", "verify", "done", payload={"dest": "verified", "scans": [left]}),
        )
    ).text
    for said in ("Before", "After", MISSING.code.value, MISSING.message, "1 note", "no drift"):
        assert said in page


def test_a_run_of_the_journal_shows_what_the_lint_said() -> None:
    kept = keep_findings((WARNING, ERROR, QUIET))
    assert [found["code"] for found in kept][:1] == [ERROR.code]
    payload = {"error": "No.", "findings": kept}
    page = Outline(shown(entry(1, "transition", "migrate", "failed", payload=payload))).text
    assert ERROR.code in page
    assert ERROR.message in page


def test_what_another_version_kept_is_left_out_and_not_stumbled_over() -> None:
    payload = {"scans": [{"incidents": [{"code": "DR999"}, 7]}], "findings": [{"code": "X"}, None]}
    assert "scan" in Outline(shown(entry(1, "transition", "scan", "done", payload=payload))).text


def test_what_is_kept_of_a_scan_is_read_back() -> None:
    told = scan("default", MISSING, UNCONFIRMED)
    assert kept_scan("default", keep_scan(told)).incidents == tuple(
        replace(incident, objects=()) for incident in told.incidents
    )


def test_a_journal_that_was_altered_says_where() -> None:
    broken = {"run_id": "1m7x", "alias": "default", "seq": 3, "problem": "It was edited."}
    document = {"format": 1, "run": run(), "targets": [], "entries": [], "breaks": [broken]}
    text = Outline(HtmlJournalFormatter().render_show(document)).text
    assert "The journal was altered" in text
    assert "default #3" in text


def test_a_statement_of_an_operation_is_no_bar_of_its_own() -> None:
    page = shown(*STEPWISE, status="complete")
    assert 'class="operation done"' in page
    assert 'class="operation open"' not in page
    assert 'class="other open"' not in page
