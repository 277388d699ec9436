"""The documents of `migrator journal list | show | check | verify` as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from migrator.core.spelling import spell_count, spell_seconds
from migrator.reports.chronicle import (
    Document,
    advice_for,
    detail_of,
    facts_of,
    outcome_of,
    spell_targets,
    spell_time,
    spell_took,
    sql_of,
    steps_of,
)
from migrator.reports.markdown import code, fence, prose, table


class MarkdownJournalFormatter:
    """Renders journal documents as GitHub-flavoured Markdown."""

    def render_list(self, document: Document) -> str:
        """A list document: a table, the newest run first."""
        return _joined(_list_lines(document))

    def render_show(self, document: Document) -> str:
        """A show document: the run, its targets, and what was done on each, step by step."""
        return _joined(_show_lines(document))

    def render_check(self, document: Document) -> str:
        """A check document: the incomplete runs, and what to do about each."""
        return _joined(_check_lines(document))

    def render_verify(self, document: Document) -> str:
        """A verify document: that all chains hold, or where each breaks."""
        return _joined(_verify_lines(document))


def _list_lines(document: Document) -> Iterator[str]:
    yield "# Runs\n"
    if not document["runs"]:
        yield "The journal is empty: no run has been recorded."
        return
    yield from table(
        ("Run", "Kind", "Status", "Opened", "Took", "Targets"),
        [
            (
                code(run["id"]),
                prose(run["kind"]),
                run["status"],
                spell_time(run["opened_at"]),
                spell_took(run),
                prose(spell_targets(run["targets"])),
            )
            for run in document["runs"]
        ],
    )
    if older := document.get("older"):
        yield f"\n{spell_count(older, 'older run')}: `--limit 0` shows all."


def _show_lines(document: Document) -> Iterator[str]:
    run = document["run"]
    yield f"# {prose(run['kind'])} {code(run['id'])}: {run['status']}\n"
    for label, text in facts_of(run):
        yield f"- {label}: {code(text)}"
    if document["targets"]:
        yield ""
        yield from _target_lines(document["targets"])
    for alias in dict.fromkeys(entry["alias"] for entry in document["entries"]):
        yield f"\n## {code(alias)}\n"
        yield from table(
            ("Entries", "At", "Kind", "Name", "Outcome", "Took", "Detail"),
            [
                (
                    step.numbers,
                    spell_time(step.at),
                    prose(step.kind),
                    code(step.title),
                    f"**{outcome_of(step)}**"
                    if step.phase in ("intent", "failed")
                    else outcome_of(step),
                    "" if step.seconds is None else spell_seconds(step.seconds),
                    "<br>".join((prose(detail_of(step)), *map(code, sql_of(step)))),
                )
                for step in steps_of(e for e in document["entries"] if e["alias"] == alias)
            ],
        )
    if run["status"] != "complete" and not run.get("superseded"):
        yield "\n## Next"
        yield from _advice_lines(run)


def _check_lines(document: Document) -> Iterator[str]:
    runs = document["runs"]
    if not runs:
        yield "No run is incomplete."
        return
    yield f"# {spell_count(len(runs), 'run')} {'is' if len(runs) == 1 else 'are'} incomplete"
    for run in runs:
        yield f"\n## {prose(run['kind'])} {code(run['id'])}: {run['status']}"
        yield f"\nOpened {spell_time(run['opened_at'])}."
        unfinished = [t for t in run["targets"] if t["status"] not in ("done", "skipped")]
        if unfinished:
            yield ""
            yield from _target_lines(unfinished)
        yield from _advice_lines(run)


def _verify_lines(document: Document) -> Iterator[str]:
    breaks, checked = document["breaks"], spell_count(document["checked"], "run")
    if not breaks:
        yield f"The journal holds together: {checked} verified."
        return
    broken = spell_count(len({b["run_id"] for b in breaks}), "run")
    yield f"# The journal was altered: {broken} of {checked} broken\n"
    yield from table(
        ("Run", "Alias", "Entry", "Problem"),
        [
            (code(b["run_id"]), code(b["alias"]), str(b["seq"] or ""), prose(b["problem"]))
            for b in breaks
        ],
    )


def _target_lines(targets: Sequence[Document]) -> Iterator[str]:
    yield from table(
        ("Database", "Status", "State", "Server", "Reason"),
        [
            (
                code(target["alias"]),
                target["status"],
                target["state"],
                prose(target.get("server_version") or target.get("vendor") or ""),
                prose(target.get("reason") or ""),
            )
            for target in targets
        ],
    )


def _advice_lines(run: Document) -> Iterator[str]:
    advice = advice_for(run)
    yield f"\n{prose(advice.why)}"
    yield from fence(advice.command, "sh")


def _joined(lines: Iterator[str]) -> str:
    return "\n".join(lines) + "\n"
