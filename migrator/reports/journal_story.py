"""The story of a run from the journal alone: the document of `migrator journal show`.

It spans all attempts at the run, and so says more about time than the report of the last one:
what was killed, how long it lay, who took it up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from migrator.core.findings import Finding
from migrator.core.kept import kept_findings, kept_scan
from migrator.core.spelling import spell_bytes, spell_count, spell_seconds, without_alias
from migrator.reports.chronicle import (
    Document,
    Step,
    advice_for,
    detail_of,
    facts_of,
    outcome_of,
    spell_actor,
    spell_targets,
    spell_time,
    spell_took,
    sql_of,
    steps_of,
)
from migrator.reports.report_story import STAGES, drifts_of
from migrator.reports.story import (
    TONES,
    Acceptance,
    Attempt,
    Change,
    Drift,
    Lane,
    MigrationRow,
    Proof,
    RecordRow,
    Story,
    Tally,
    plan_bars,
    stages_of,
)
from migrator.reports.timeline import Span, moment_of, seconds_between

_KINDS = {"transition": "step", "migration": "migration", "repair": "repair", "backup": "backup"}
_WORST = ("failed", "interrupted", "running", "pending", "done", "skipped")


def story_of_run(document: Document, breaks: Sequence[Document] | None = None) -> Story:
    """What the page of a run in the journal shows.

    Args:
        document: Of `migrator journal show`.
        breaks: What verifying its chains found; None where nobody verified them.
    """
    run = document["run"]
    entries: dict[str, list[Document]] = {}
    for entry in document["entries"]:
        entries.setdefault(entry["alias"], []).append(entry)
    lanes = [_lane(target, entries.get(target["alias"], [])) for target in document["targets"]]
    axis, began, bars = plan_bars(lanes)
    lanes = [replace(lane, bars=drawn) for lane, drawn in zip(lanes, bars, strict=True)]
    status = {target["alias"]: target["status"] for target in document["targets"]}
    unfinished = run["status"] != "complete" and not run.get("superseded")
    proof = (
        None
        if breaks is None
        else Proof(tuple((_place(broken), broken["problem"]) for broken in breaks))
    )
    took = spell_took(run)
    return Story(
        name=f"{run['kind']} {run['id']}",
        title=_title(document),
        tone=TONES.get(run["status"], "quiet"),
        subtitle=", ".join(filter(None, [spell_time(run["opened_at"]), took and f"took {took}"])),
        tallies=_tallies(lanes, document["targets"]),
        advice=(advice_for(run),) if unfinished else (),
        axis=axis,
        began=began,
        lanes=tuple(lanes),
        chapters=tuple(sorted(lanes, key=lambda lane: _WORST.index(status[lane.alias]))),
        acceptance=_acceptance(document["entries"]),
        facts=tuple((label.capitalize(), text) for label, text in facts_of(run)),
        proof=proof,
    )


def _title(document: Document) -> str:
    run, targets = document["run"], document["targets"]
    words = {"complete": "Complete", "open": "Still at work, or killed"}
    word = words.get(run["status"], run["status"].capitalize())
    superseded = " (made good since)" if run.get("superseded") else ""
    said = spell_targets(targets).removeprefix(f"{run['status']}: ")
    if targets and all(target["status"] == "done" for target in targets):
        return f"{word}{superseded} on {spell_count(len(targets), 'database')}"
    return f"{word}{superseded}: {said}" if said else f"{word}{superseded}"


def _tallies(lanes: Sequence[Lane], targets: Sequence[Document]) -> tuple[Tally, ...]:
    applied = sum(row.tone == "good" for lane in lanes for row in lane.migrations)
    tallies = [
        Tally(str(len(targets)), "database" if len(targets) == 1 else "databases"),
        Tally(str(applied), "migration applied" if applied == 1 else "migrations applied"),
    ]
    resumed = max((target["epoch"] for target in targets), default=1) - 1
    if resumed > 0:
        tallies.append(Tally(str(resumed), "resumed" if resumed == 1 else "times resumed", "warn"))
    repairs = sum(change.made for lane in lanes for change in lane.repairs)
    if repairs:
        tallies.append(Tally(str(repairs), "repair made" if repairs == 1 else "repairs made"))
    found = sum(len(lane.drifts[-1].blocking) for lane in lanes if lane.drifts)
    if found:
        tallies.append(Tally(str(found), "incident" if found == 1 else "incidents", "bad"))
    again = sum(len(row.attempts) for lane in lanes for row in lane.migrations)
    if again:
        noun = "attempt in vain" if again == 1 else "attempts in vain"
        tallies.append(Tally(str(again), noun, "warn"))
    return tuple(tallies)


def _place(broken: Document) -> str:
    return f"{broken['alias']} #{broken['seq']}" if broken["seq"] else broken["alias"] or "the run"


# -- one alias --------------------------------------------------------------------------------


def _lane(target: Document, entries: Sequence[Document]) -> Lane:
    steps = steps_of(entries)
    ends = _last_signs(entries)
    spans = tuple(span for step in steps if (span := _span(step, ends)))
    migrations = _migrations(steps)
    status, reason = target["status"], target.get("reason") or ""
    word = target["state"] if status == "done" else status
    failed = status in ("failed", "interrupted")
    flags = ["attention"] if status not in ("done", "skipped") or target["epoch"] > 1 else []
    if any(row.attempts for row in migrations):
        flags.append("waited")
    return Lane(
        alias=target["alias"],
        server=target.get("server_version") or target.get("vendor") or "",
        word=word,
        tone=TONES.get(status, "quiet"),
        remark=_remark(target, migrations) if not reason or failed else reason,
        seconds=sum(span.seconds for span in spans if span.kind == "step"),
        spans=spans,
        stages=stages_of(spans, STAGES) if spans else (),
        error=without_alias(reason, target["alias"]) if failed else "",
        drifts=_drifts(target["alias"], steps),
        findings=_findings(steps),
        repairs=_repairs(steps),
        migrations=migrations,
        facts=_facts(target, steps),
        record=tuple(_record_row(step) for step in steps),
        flags=tuple(flags),
    )


def _remark(target: Document, migrations: Sequence[MigrationRow]) -> str:
    applied = sum(row.tone == "good" for row in migrations)
    parts = [f"{spell_count(applied, 'migration')} applied"] if applied else []
    if target["epoch"] > 1:
        parts.append("resumed")
    if target["status"] != "done" and target["state"] != target["status"]:
        parts.append(f"at {target['state']}")
    return ", ".join(parts)


def _last_signs(entries: Iterable[Document]) -> dict[int, str]:
    """When each claim wrote last: a step of it without an outcome lasted until then, at least."""
    return {entry["epoch"]: entry["at"] for entry in entries}


def _span(step: Step, ends: dict[int, str]) -> Span | None:
    if step.kind == "claim":
        return Span("mark", "resumed", step.at) if step.epoch > 1 else None
    if step.kind == "transition" and step.name in ("resume", "fail"):
        return None
    if step.kind == "statement":
        # It has no end of its own, and lies within the bar of its operation.
        return None
    outcome = {"intent": "open", "reconciled": "reconciled"}.get(step.phase, step.phase)
    how = step.payload.get("how")
    if outcome == "done" and how not in (None, "applied"):
        outcome = str(how)
    if outcome == "failed" and step.payload.get("blockers"):
        outcome = "contended"
    end = ends.get(step.epoch, step.until) if outcome == "open" else step.until
    seconds = seconds_between(step.at, end)
    if outcome == "reconciled" or step.kind == "decision":
        seconds = 0.0
    elif step.seconds is not None and step.kind != "transition":
        seconds = min(step.seconds, seconds) if seconds else step.seconds
    kind = "mark" if step.kind == "decision" else _KINDS.get(step.kind, "other")
    if step.kind == "operation":
        kind = "operation"
    return Span(kind, step.name, step.at, seconds, outcome, step.attempt, _first_line(step))


def _first_line(step: Step) -> str:
    error = str(step.payload.get("error") or step.payload.get("description") or "")
    return error.strip().partition("\n")[0]


def _migrations(steps: Iterable[Step]) -> tuple[MigrationRow, ...]:
    by_name: dict[str, list[Step]] = {}
    for step in steps:
        if step.kind == "migration":
            by_name.setdefault(step.name, []).append(step)
    rows = []
    for name, tries in by_name.items():
        last = max(tries, key=lambda step: step.attempt)
        good = last.phase in ("done", "reconciled")
        how = last.payload.get("how") if last.phase == "done" else outcome_of(last)
        rows.append(
            MigrationRow(
                name,
                min((step.at for step in tries), key=moment_of),
                last.seconds if good else None,
                _waited(last),
                str(how or "applied"),
                "good" if good else "bad" if last.phase == "failed" else "warn",
                tuple(
                    Attempt(
                        step.attempt,
                        outcome_of(step) if step.phase != "intent" else "cut short",
                        _blockers(step) or _first_line(step),
                        step.seconds,
                    )
                    for step in tries
                    if step is not last
                ),
                error=str(last.payload.get("error") or "") if last.phase == "failed" else "",
            )
        )
    return tuple(rows)


def _waited(step: Step) -> float:
    waited = step.payload.get("lock_wait_seconds") or step.payload.get("waited") or 0.0
    return float(waited) if isinstance(waited, int | float) else 0.0


def _blockers(step: Step) -> str:
    blockers = step.payload.get("blockers") or ()
    return "; ".join(map(str, blockers)) if isinstance(blockers, list | tuple) else str(blockers)


def _repairs(steps: Iterable[Step]) -> tuple[Change, ...]:
    return tuple(
        Change(
            step.name.partition(":")[2] or step.name,
            tuple(sql_of(step)),
            step.seconds,
            made=step.phase in ("done", "reconciled"),
        )
        for step in steps
        if step.kind == "repair"
    )


def _drifts(alias: str, steps: Iterable[Step]) -> tuple[Drift, ...]:
    found = (
        kept_scan(alias, scan)
        for step in steps
        if step.kind == "transition"
        for scan in step.payload.get("scans") or ()
    )
    return drifts_of(found)


def _findings(steps: Iterable[Step]) -> tuple[Finding, ...]:
    """Those of the last plan."""
    kept = [
        step.payload["findings"]
        for step in steps
        if step.kind == "transition" and step.payload.get("findings")
    ]
    return kept_findings(kept[-1]) if kept else ()


def _facts(target: Document, steps: Iterable[Step]) -> tuple[tuple[str, str], ...]:
    facts = [
        ("Leaves before", ", ".join(target.get("leaves_before") or ())),
        ("Leaves after", ", ".join(target.get("leaves_after") or ())),
    ]
    for step in steps:
        if step.kind == "claim" and step.epoch > 1:
            who = spell_actor(step.payload.get("actor") or {})
            facts.append(("Resumed", ", ".join(filter(None, [spell_time(step.at), who]))))
        elif step.kind == "backup" and step.phase in ("done", "reconciled"):
            facts += _backup_facts(step)
        elif step.kind == "consent":
            facts.append(("Consent", _consent(step)))
        elif step.kind == "decision":
            facts.append(("Decision", f"{step.name}, {detail_of(step)}".rstrip(", ")))
    return tuple((label, text) for label, text in facts if text)


def _consent(step: Step) -> str:
    how, by = str(step.payload.get("how") or ""), str(step.payload.get("by") or "")
    found = step.payload.get("findings") or ()
    names = dict.fromkeys(f"{f.get('app')}.{f.get('migration')}" for f in found)
    who = ", ".join(filter(None, (by, "typed at the terminal" if how == "asked" else how)))
    return f"{who}: {', '.join(names)}" if names else who


def _acceptance(entries: Iterable[Document]) -> Acceptance | None:
    """How the test command ended, the last time that it was run to its end."""
    ended = None
    for entry in entries:
        payload = entry.get("payload") or {}
        if entry["kind"] == "test" and "exit_code" in payload:
            code = int(payload["exit_code"] or 0)
            ended = Acceptance(
                str(payload.get("command") or ""),
                entry["phase"] == "done",
                code,
                entry.get("seconds") or 0.0,
                str(payload.get("output") or ""),
            )
    return ended


def _backup_facts(step: Step) -> list[tuple[str, str]]:
    payload: dict[str, Any] = step.payload
    facts = [("Backup", str(payload.get("path") or step.name))]
    size = payload.get("bytes", payload.get("size"))
    if isinstance(size, int):
        took = f" in {spell_seconds(step.seconds)}" if step.seconds is not None else ""
        facts.append(("", f"{spell_bytes(size)}{took}"))
    if digest := payload.get("digest"):
        facts.append(("", f"SHA-256 {digest}"))
    return facts


def _record_row(step: Step) -> RecordRow:
    word = outcome_of(step)
    return RecordRow(
        numbers=step.numbers,
        at=step.at,
        kind=step.kind,
        name=step.title,
        word=word,
        tone="warn" if word == "no outcome" else TONES.get(word, "good"),
        seconds=step.seconds,
        detail=detail_of(step),
        sql=tuple(sql_of(step)),
        epoch=step.epoch,
    )
