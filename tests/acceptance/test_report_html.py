"""The HTML report in a real browser: no error, no request, readable in every light and size."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from migrator.reports import render
from tests.browser import REQUIRED, Browser, Page, find_browser, open_browser
from tests.projects import Project
from tests.unit.report_events import HOSTILE, eventful_report, hostile_report, large_report

# Where text is drawn, the colours that it is drawn with, and what is behind it.
FAINT_TEXT = """(() => {
  const channel = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.getClientRects().length) continue;
    if (["SCRIPT", "STYLE", "OPTION"].includes(element.tagName)) continue;
    const [one, other] = [light(rgb(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) faint.push(`${node.data.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return [...new Set(faint)];
})()"""
TIP = "document.querySelector('#tip:not([hidden])')?.textContent ?? ''"
SHOWN_LANES = "document.querySelectorAll('.lane:not([hidden])').length"
WIDER = "document.documentElement.scrollWidth > innerWidth"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = find_browser()
    if program is None:
        reason = "no Chromium on this machine"
        if os.environ.get(REQUIRED):
            pytest.fail(f"{reason} ({REQUIRED} is set)")
        pytest.skip(reason)
    with open_browser(program) as started:
        yield started


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Callable[..., Page]:
    """`show(html, width=…, scheme=…, media=…)` → the page, open."""

    def show_page(html: str, **look: Any) -> Page:
        path = tmp_path / "report.html"
        path.write_text(html, encoding="utf-8")
        return browser.open(path, **look)

    return show_page


def silent(page: Page) -> None:
    """Nothing was said on the console, and nothing was asked for but the file."""
    assert page.complaints() == []
    assert len(page.requests()) == 1
    assert page.requests()[0].startswith("file://")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_it_opens_quietly_and_can_be_read(
    show: Callable[..., Page], scheme: str, width: int
) -> None:
    page = show(render(eventful_report(), "html"), width=width, scheme=scheme)
    page.click("#open-all")
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    silent(page)
    assert page.evaluate(FAINT_TEXT) == []
    assert page.evaluate(WIDER) is False
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    dark = sum(map(int, re.findall(r"\d+", paper))) < 3 * 128
    assert dark is (scheme == "dark")


def test_on_paper_everything_is_open_and_dark_on_light(show: Callable[..., Page]) -> None:
    page = show(render(eventful_report(), "html"), width=794, media="print", scheme="dark")
    silent(page)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(FAINT_TEXT) == []
    hidden = "[...document.querySelectorAll('pre')].filter((p) => !p.checkVisibility()).length"
    assert page.evaluate(hidden) == 0
    assert page.evaluate("document.querySelector('.controls').checkVisibility()") is False
    assert page.evaluate(WIDER) is False
    assert page.pdf().startswith(b"%PDF")


def test_without_scripts_it_is_all_there(show: Callable[..., Page], browser: Browser) -> None:
    page = show(render(eventful_report(), "html"), scripts=False)
    assert page.complaints() == [] or all("script" in said for said in page.complaints())
    assert page.evaluate("document.querySelector('.controls').checkVisibility()") is False
    bar = "document.querySelector('.track b.contended').title"
    assert "no lock" in page.evaluate(bar)
    assert page.evaluate("document.querySelectorAll('details.database').length") == 6


def test_a_bar_tells_about_itself_by_mouse_and_by_keyboard(show: Callable[..., Page]) -> None:
    page = show(render(eventful_report(), "html"))
    page.click(".lane:nth-child(2) .track b.contended")
    assert "shop.0002_total" in page.evaluate(TIP)
    assert "pid 4711" in page.evaluate(TIP)

    page.evaluate("document.querySelector('.lane:nth-child(1) .track').focus()")
    said = []
    for _ in range(3):
        page.key("ArrowRight")
        page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        said.append(page.evaluate(TIP).partition(":")[0])
    assert said == ["guard", "scan", "repair"]
    page.key("Escape")
    assert page.evaluate(TIP) == ""
    page.key("ArrowDown")
    label = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert label.startswith("shop_db: verified")
    page.key("Enter")
    assert page.evaluate("document.querySelector('details[data-lane=\"2\"]').open") is True
    silent(page)


def test_lines_can_be_found_narrowed_and_magnified(show: Callable[..., Page]) -> None:
    page = show(render(eventful_report(), "html"))
    page.evaluate("document.querySelector('#find').value = 'duplicate key'")
    page.evaluate("document.querySelector('#find').dispatchEvent(new Event('input'))")
    page.evaluate("new Promise((done) => setTimeout(done, 300))")
    assert page.evaluate(SHOWN_LANES) == 1
    assert page.evaluate("document.querySelector('#shown').textContent") == "1 of 6"
    page.evaluate("document.querySelector('#find').value = 'nothing like it'")
    page.evaluate("document.querySelector('#find').dispatchEvent(new Event('input'))")
    page.evaluate("new Promise((done) => setTimeout(done, 300))")
    assert page.evaluate("document.querySelector('#none').checkVisibility()") is True
    page.evaluate("document.querySelector('#find').value = ''")
    page.evaluate("document.querySelector('#show').value = 'waited'")
    page.evaluate("document.querySelector('#show').dispatchEvent(new Event('change'))")
    assert page.evaluate(SHOWN_LANES) == 1

    width = "document.querySelector('.canvas').offsetWidth"
    before = page.evaluate(width)
    page.click("#in")
    page.click("#in")
    assert page.evaluate(width) == pytest.approx(4 * before, rel=0.01)
    assert page.evaluate(WIDER) is False
    page.click("#fit")
    assert page.evaluate(width) == pytest.approx(before, rel=0.01)
    page.click("#own")
    left = "document.querySelector('.lane:nth-child(2) .track b').getBoundingClientRect().left"
    track = "document.querySelector('.lane:nth-child(2) .track').getBoundingClientRect().left"
    assert page.evaluate(left) == pytest.approx(page.evaluate(track), abs=1)
    silent(page)


def test_hostile_names_do_nothing_and_fit_on_a_phone(show: Callable[..., Page]) -> None:
    page = show(render(hostile_report(), "html"), width=375)
    silent(page)
    assert page.evaluate("document.querySelectorAll('script').length") == 1
    assert page.evaluate(WIDER) is False
    alias = page.evaluate("document.querySelector('.alias').textContent")
    assert alias == HOSTILE.replace("\u202e", "\\u202e")


def test_a_hundred_aliases_of_fifty_migrations_are_no_trouble(show: Callable[..., Page]) -> None:
    page = show(render(large_report(), "html"))
    silent(page)
    assert page.evaluate(SHOWN_LANES) == 100
    assert page.evaluate("document.querySelectorAll('.track b.migration').length") == 5000
    page.click("#in")
    page.click("#open-all")
    assert page.evaluate("document.querySelectorAll('details.database[open]').length") == 100
    assert page.evaluate("document.querySelectorAll('tbody tr').length") == 5000
    assert page.evaluate(WIDER) is False


def test_bars_that_are_too_narrow_to_be_told_apart_are_not_painted_over(
    show: Callable[..., Page],
) -> None:
    """What separates one bar from the next would be all that is seen of fifty in ten pixels."""
    page = show(render(large_report(aliases=60, migrations=50), "html"))
    bar = "getComputedStyle(document.querySelectorAll('.track b.migration')[7]).boxShadow"
    assert " 0px 0px 0px 0px" in page.evaluate(bar)
    page = show(render(large_report(aliases=1, migrations=3), "html"))
    assert " 1px 0px 0px 0px" in page.evaluate(bar.replace("[7]", "[1]"))


# -- of a real run ----------------------------------------------------------------------------


@pytest.fixture
def project(make_project: Callable[..., Project], tmp_path: Path) -> Project:
    databases = {
        alias: {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / f"{alias}.sqlite3")}
        for alias in ("default", "other")
    }
    return make_project(databases=databases)


def test_a_run_and_its_journal_are_the_same_page(project: Project, browser: Browser) -> None:
    done = project.manage(
        "migrate_all", "--non-interactive", "--format", "html", "--output", "report.html"
    )
    assert done.returncode == 0, done.output
    page = browser.open(project.root / "report.html")
    silent(page)
    assert page.evaluate("document.querySelector('h1').textContent").strip() == (
        "All 2 databases verified"
    )
    bars = "document.querySelectorAll('.track b.migration').length"
    applied = page.evaluate(bars)
    assert 'CREATE TABLE "auth_user"' in page.evaluate("document.body.textContent")
    assert applied == page.evaluate("document.querySelectorAll('tbody tr').length") > 10

    shown = project.migrator("journal", "show", "--format", "html")
    assert shown.returncode == 0, shown.output
    project.write("journal.html", shown.stdout)
    record = browser.open(project.root / "journal.html")
    silent(record)
    assert record.evaluate(bars) == applied
    assert "The journal holds together" in record.evaluate("document.body.textContent")


def test_the_journal_keeps_what_a_scan_has_found(project: Project, tmp_path: Path) -> None:
    assert project.manage("migrate_all", "--non-interactive").returncode == 0
    with sqlite3.connect(tmp_path / "default.sqlite3") as connection:
        connection.execute("ALTER TABLE auth_user DROP COLUMN email")
    connection.close()
    assert project.manage("migrate_all", "--check").returncode == 1
    document = json.loads(project.migrator("journal", "show", "--format", "json").stdout)
    kept = {
        entry["alias"]: entry["payload"]["scans"][-1]["blocking"] > 0
        for entry in document["entries"]
        if entry["name"] == "scan" and entry["phase"] == "done"
    }
    assert kept == {"default": True, "other": False}
    assert " incident" in project.migrator("journal", "show").stdout
    page = project.migrator("journal", "show", "--format", "html").stdout
    assert "auth_user.email" in page


def test_standard_output_is_the_page_and_nothing_else(project: Project) -> None:
    done = project.manage("migrate_all", "--check", "--format", "html")
    assert done.returncode == 0, done.output
    assert done.stdout.startswith("<!DOCTYPE html>")
    assert done.stdout.endswith("</html>\n")
    assert str(project.root) not in done.stdout


def test_build_servers_get_their_document_also_of_a_run_that_was_refused(project: Project) -> None:
    for style, said in (("junit", "<error"), ("github", "::error"), ("html", "never began")):
        done = project.manage("migrate_all", "--check", "--database", "none", "--format", style)
        assert done.returncode == 2, done.output
        assert said in done.stdout
        assert "has no alias" in done.stdout


def test_one_run_writes_many_reports(project: Project) -> None:
    done = project.manage(
        "migrate_all",
        *("--non-interactive", "--report", "run.html", "--report", "run.xml"),
        *("--report", "markdown:summary", "--report", "run.txt"),
    )
    assert done.returncode == 0, done.output
    assert "complete in" in done.stdout
    assert (project.root / "run.html").read_text().startswith("<!DOCTYPE html>")
    assert "<testsuites" in (project.root / "run.xml").read_text()
    assert (project.root / "summary").read_text().startswith("# migrate")
    assert "auth.0001_initial" in (project.root / "run.txt").read_text()
