"""What journal documents say, for every rendering of them: spelled times, steps, advice.

Works on the JSON documents of `migrator journal …` (plain data), not on the journal's records:
a report never needs a journal, and a document that was exported can be rendered again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from shlex import quote
from typing import Any

from migrator.core.spelling import spell_count, spell_seconds
from migrator.reports.advice import MANAGE, Advice

Document = Mapping[str, Any]


@dataclass(slots=True)
class Step:
    """One step of a chain: an intent and its outcome, read as one line.

    Attributes:
        first, last: Sequence numbers of its entries.
        kind, name, attempt: Its key.
        epoch: The claim under which it began.
        at: When it began.
        phase: Its outcome; "intent" while there is none.
        seconds: How long it took, where the outcome says.
        payload: Of all its entries, the later winning.
        until: When its last entry was written.
    """

    first: int
    last: int
    kind: str
    name: str
    attempt: int
    epoch: int
    at: str
    phase: str
    seconds: float | None = None
    payload: dict[str, Any] = field(default_factory=dict)
    until: str = ""

    @property
    def title(self) -> str:
        """What it is about: its name, or for a claim the epoch that it began."""
        return f"epoch {self.epoch}" if self.kind == "claim" else self.name

    @property
    def numbers(self) -> str:
        """Its sequence numbers: "3" or "3-4"."""
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def steps_of(entries: Iterable[Document]) -> list[Step]:
    """The entries of one chain as steps, in the order in which they began.

    Args:
        entries: `entries` of a show document, of one alias.
    """
    steps: dict[tuple[str, str, int], Step] = {}
    for entry in entries:
        key = (entry["kind"], entry["name"], entry.get("attempt", 1))
        step = steps.get(key)
        if step is None:
            steps[key] = Step(
                entry["seq"],
                entry["seq"],
                *key,
                epoch=entry["epoch"],
                at=entry["at"],
                phase=entry["phase"],
                seconds=entry.get("seconds"),
                payload=dict(entry.get("payload") or {}),
                until=entry["at"],
            )
            continue
        step.last, step.phase, step.until = entry["seq"], entry["phase"], entry["at"]
        step.seconds = entry["seconds"] if entry.get("seconds") is not None else step.seconds
        step.payload.update(entry.get("payload") or {})
    return list(steps.values())


def outcome_of(step: Step) -> str:
    """The outcome of a step in words; one that has none says so, since a crash leaves that.

    A statement never has one: it is written down before it is sent, and its operation says how it
    ended.
    """
    if step.kind == "statement":
        return "begun"
    return "no outcome" if step.phase == "intent" else step.phase


def detail_of(step: Step) -> str:
    """What the payload of a step says that fits on a line and is out of the ordinary."""
    payload = step.payload
    parts: list[str] = []
    if step.kind == "transition" and payload.get("source") and payload.get("dest"):
        parts.append(f"{payload['source']} → {payload['dest']}")
    if step.kind == "statement":
        parts.append(f"statement {step.attempt}")
    elif step.attempt > 1 and step.kind not in {"transition", "claim"}:
        parts.append(f"attempt {step.attempt}")
    if step.kind == "claim" and (who := spell_actor(payload.get("actor") or {})):
        parts.append(f"by {who}")
    if step.kind == "transition":
        parts += _found_in(payload)
    if error := payload.get("error") or payload.get("message"):
        parts.append(" ".join(str(error).split()))
    for key, value in payload.items():
        if (
            key in _SAID
            or (step.kind == "transition" and key in _FOUND)
            or value in (None, "", [], {}, (), _ORDINARY.get(key))
        ):
            continue
        if isinstance(value, Mapping | list | tuple):
            parts.append(_counted(key, value))
        elif len(str(value)) <= 60:
            parts.append(f"{key.replace('_', ' ')} {value}")
    return ", ".join(parts)


def sql_of(step: Step) -> list[str]:
    """The statements that a step ran, where the journal holds them (repairs, operations)."""
    sql = step.payload.get("sql") or ()
    return [sql] if isinstance(sql, str) else [str(statement) for statement in sql]


# Said elsewhere on the line, or of use to a program alone; all of it is in the JSON document.
_SAID = {
    "source",
    "dest",
    "error",
    "message",
    "checksum",
    "code",
    "operations",
    "sql",
    "transaction",
    "actor",
    "lookups",
}
_FOUND = {"scans", "findings"}
_ORDINARY = {"how": "applied", "direction": "forwards", "atomic": True}


def _found_in(payload: Mapping[str, Any]) -> list[str]:
    """What the last scan and the lint have found during a transition, counted."""
    parts = []
    if scans := payload.get("scans"):
        last = scans[-1]
        for name, noun in (("blocking", "incident"), ("notes", "note")):
            if last.get(name):
                parts.append(spell_count(int(last[name]), noun))
    if findings := payload.get("findings"):
        parts.append(spell_count(len(findings), "finding"))
    return parts


def _counted(key: str, value: Mapping[str, Any] | Sequence[Any]) -> str:
    """A collection by its size: "migration files (36)"."""
    return f"{key.replace('_', ' ')} ({len(value)})"


def spell_time(moment: str | None, *, zone: bool = True) -> str:
    """An ISO 8601 time for people: "2026-01-31 10:00:00 UTC"; "" for none."""
    if not moment:
        return ""
    parsed = _parsed(moment)
    if parsed is None:
        return moment
    return f"{parsed:%Y-%m-%d %H:%M:%S}" + (" UTC" if zone else "")


def spell_clock(moment: str) -> str:
    """The time of day of an ISO 8601 time, with milliseconds: "10:00:00.123"."""
    parsed = _parsed(moment)
    return moment if parsed is None else f"{parsed:%H:%M:%S}.{parsed.microsecond // 1000:03d}"


def spell_took(run: Document) -> str:
    """How long a run took; "" while nobody has closed it."""
    begin, end = _parsed(run.get("opened_at") or ""), _parsed(run.get("closed_at") or "")
    return spell_seconds((end - begin).total_seconds()) if begin and end else ""


def spell_actor(actor: Document) -> str:
    """Who ran it and where: "deploy@web-1, pid 4711"."""
    user, host, pid = (actor.get(key) or "" for key in ("user", "host", "pid"))
    who = "@".join(str(part) for part in (user, host) if part)
    return ", ".join(part for part in (who, f"pid {pid}" if pid else "") if part)


def facts_of(run: Document) -> list[tuple[str, str]]:
    """What there is to say about a run: (label, text), without what is empty."""
    actor: Document = run.get("actor") or {}
    versions: Document = actor.get("versions") or {}
    software = [f"Python {actor['python']}"] if actor.get("python") else []
    software += [f"{name} {version}" for name, version in versions.items()]
    took = spell_took(run)
    closed = spell_time(run.get("closed_at"))
    options = [
        _option(name, value)
        for name, value in (run.get("options") or {}).items()
        if value not in (None, False, "", [], {}, ()) and (name, value) != ("verbosity", 1)
    ]
    facts = [
        ("opened", spell_time(run.get("opened_at"))),
        ("closed", f"{closed} ({took})" if closed else "not closed"),
        ("by", spell_actor(actor)),
        ("command", " ".join(str(word) for word in actor.get("argv") or ())),
        ("options", ", ".join(options)),
        ("commit", str(actor.get("git_commit") or "")),
        ("build", str(actor.get("ci_url") or "")),
        ("software", ", ".join(software)),
        ("answers", str(run.get("parent") or "")),
        ("seal", str(run.get("seal") or "")),
    ]
    return [(label, text) for label, text in facts if text]


def spell_targets(targets: Sequence[Document]) -> str:
    """Many targets in few words: "3 done, 1 skipped, failed: shop_db"."""
    fine = ("done", "skipped")
    parts = [
        f"{count} {status}"
        for status in fine
        if (count := sum(target["status"] == status for target in targets))
    ]
    for status in dict.fromkeys(target["status"] for target in targets):
        if status not in fine:
            names = [target["alias"] for target in targets if target["status"] == status]
            shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if names[4:] else "")
            parts.append(f"{status}: {shown}")
    return ", ".join(parts)


def advice_for(run: Document) -> Advice:
    """What to do about a run that is incomplete."""
    actor: Document = run.get("actor") or {}
    command = _command_for(run)
    again = run.get("kind") in ("backup", "restore")  # which nobody continues
    if run.get("status") == "open":
        who = spell_actor(actor)
        return Advice(f"Still at work, or killed. If {who or 'its process'} is gone:", command)
    if run.get("goal") == "scanned":
        return Advice("It found something, or could not look. Mend it, then look again:", command)
    if run.get("status") == "interrupted":
        return Advice("Start it again:" if again else "Continue where it stopped:", command)
    return Advice(f"Once the cause is gone, {'start it again' if again else 'continue'}:", command)


def _command_for(run: Document) -> str:
    options: Document = run.get("options") or {}
    if run.get("kind") == "backup":
        chosen = [f" --database {quote(str(alias))}" for alias in options.get("databases") or ()]
        return "migrator backup" + "".join(chosen)
    if run.get("kind") == "restore":
        return f"migrator restore {quote(str(options.get('run') or run.get('parent') or 'RUN'))}"
    if run.get("goal") == "scanned":
        return f"{MANAGE} --{'dry-run' if run.get('kind') == 'dry-run' else 'check'}"
    return f"{MANAGE} --resume {run['id']}"


def _parsed(moment: str) -> datetime | None:
    try:
        return datetime.fromisoformat(moment).astimezone(UTC)
    except ValueError:
        return None


def _option(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return _counted(name, value)
    if isinstance(value, list | tuple):
        value = " ".join(map(str, value))
    name = name.replace("_", "-")
    return name if value is True else f"{name} {value}"
