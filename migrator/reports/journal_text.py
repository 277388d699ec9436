"""The documents of `migrator journal list | show | check | verify` as text."""

from __future__ import annotations

from collections.abc import Sequence

from migrator.core.spelling import spell_count, spell_seconds, without_alias
from migrator.reports.chronicle import (
    Document,
    Step,
    advice_for,
    detail_of,
    facts_of,
    outcome_of,
    spell_clock,
    spell_targets,
    spell_time,
    spell_took,
    sql_of,
    steps_of,
)
from migrator.reports.page import Cell, Page

STATUS_STYLES = {
    "complete": "green",
    "done": "green",
    "failed": "bold red",
    "interrupted": "yellow",
    "open": "yellow",
    "running": "yellow",
    "pending": "yellow",
    "no outcome": "yellow",
    "skipped": "dim",
}


class TextJournalFormatter:
    """Renders journal documents as text.

    Args:
        color: Whether to put terminal colours in.
        width: Column at which the last column wraps; None for never.
    """

    def __init__(self, *, color: bool = False, width: int | None = None) -> None:
        self.color = color
        self.width = width

    def render_list(self, document: Document) -> str:
        """A list document: one line a run, the newest first."""
        page = Page(self.width)
        runs = document["runs"]
        if not runs:
            page.line("The journal is empty: no run has been recorded.")
            return page.render(color=self.color)
        header = ("RUN", "KIND", "STATUS", "OPENED (UTC)", "TOOK", "TARGETS")
        rows: list[tuple[Cell, ...]] = [tuple((title, "dim") for title in header)]
        rows += [
            (
                run["id"],
                run["kind"],
                (run["status"], STATUS_STYLES.get(run["status"], "")),
                spell_time(run["opened_at"], zone=False),
                spell_took(run),
                spell_targets(run["targets"]),
            )
            for run in runs
        ]
        page.table(rows)
        if older := document.get("older"):
            page.blank()
            page.line((f"{spell_count(older, 'older run')}: --limit 0 shows all.", "dim"))
        return page.render(color=self.color)

    def render_show(self, document: Document) -> str:
        """A show document: the run, its targets, and what was done on each, step by step."""
        run, page = document["run"], Page(self.width)
        page.line(
            (f"{run['kind']} {run['id']}", "bold"),
            "  ",
            (run["status"], STATUS_STYLES.get(run["status"], "")),
        )
        for label, text in facts_of(run):
            page.paragraph(text, indent=2, label=label, hang=10)
        if document["targets"]:
            page.blank()
            page.table([_target_row(target) for target in document["targets"]], indent=2)
        for alias in dict.fromkeys(entry["alias"] for entry in document["entries"]):
            steps = steps_of(e for e in document["entries"] if e["alias"] == alias)
            page.blank()
            page.line((alias, "bold"))
            page.table([_step_row(step) for step in steps], indent=2)
        if run["status"] != "complete" and not run.get("superseded"):
            advice = advice_for(run)
            page.blank()
            page.line(("Next", "bold"))
            page.paragraph(advice.why, indent=2)
            page.code(advice.command, indent=4)
        return page.render(color=self.color)

    def render_check(self, document: Document) -> str:
        """A check document: the incomplete runs, and what to do about each."""
        runs, page = document["runs"], Page(self.width)
        if not runs:
            page.line(("No run is incomplete.", "green"))
            return page.render(color=self.color)
        verb = "is" if len(runs) == 1 else "are"
        page.line((f"{spell_count(len(runs), 'run')} {verb} incomplete.", "bold red"))
        for run in runs:
            page.blank()
            page.line(
                (f"{run['kind']} {run['id']}", "bold"),
                "  ",
                (run["status"], STATUS_STYLES.get(run["status"], "")),
                (f"  opened {spell_time(run['opened_at'])}", "dim"),
            )
            unfinished = [t for t in run["targets"] if t["status"] not in ("done", "skipped")]
            if unfinished:
                page.table([_target_row(target) for target in unfinished], indent=2)
            advice = advice_for(run)
            page.paragraph(advice.why, indent=2)
            page.code(advice.command, indent=4)
        return page.render(color=self.color)

    def render_verify(self, document: Document) -> str:
        """A verify document: that all chains hold, or where each breaks."""
        breaks, page = document["breaks"], Page(self.width)
        checked = spell_count(document["checked"], "run")
        if not breaks:
            page.line((f"The journal holds together: {checked} verified.", "green"))
            return page.render(color=self.color)
        broken = spell_count(len({b["run_id"] for b in breaks}), "run")
        page.line((f"The journal was altered: {broken} of {checked} broken.", "bold red"))
        page.blank()
        page.table([_break_row(broken_at) for broken_at in breaks], indent=2)
        return page.render(color=self.color)


def _target_row(target: Document) -> Sequence[Cell]:
    server = target.get("server_version") or target.get("vendor") or ""
    return (
        (target["alias"], "bold"),
        (target["status"], STATUS_STYLES.get(target["status"], "")),
        "" if target["state"] == target["status"] else target["state"],
        (server, "dim"),
        without_alias(target.get("reason") or "", target["alias"]),
    )


def _step_row(step: Step) -> Sequence[Cell]:
    """Name and detail share the last column, so that one long name does not widen all lines."""
    outcome = outcome_of(step)
    detail = detail_of(step)
    lines = [f"{step.title}  {detail}" if detail else step.title, *sql_of(step)]
    return (
        (step.numbers, "dim"),
        (spell_clock(step.at), "dim"),
        step.kind,
        (outcome, STATUS_STYLES.get(outcome, "")),
        ("" if step.seconds is None else spell_seconds(step.seconds), "dim"),
        ("\n".join(lines), "red" if outcome == "failed" else ""),
    )


def _break_row(broken: Document) -> Sequence[Cell]:
    place = f"{broken['alias']} #{broken['seq']}" if broken["seq"] else broken["alias"]
    return ((broken["run_id"], "bold"), place, broken["problem"])
