"""A review as text: by migration, the worst first, each with the safe way as code."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from migrator.core.findings import Finding, Severity
from migrator.core.precautions import SEVERITY_WORDS, spell_findings
from migrator.core.review import Review, Shared, share
from migrator.core.spelling import printable, spell_count

WORDS = SEVERITY_WORDS
_COLORS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.INFO: "2"}
_INDENT = "      "


class LintTextFormatter:
    """Renders a review for people."""

    def __init__(self, *, color: bool = False, width: int | None = None) -> None:
        """Prepare.

        Args:
            color: Whether it has colours.
            width: Where sentences wrap; code never does.
        """
        self._color = color
        self._width = max(width or 100, 40)

    def render(self, review: Review) -> str:
        """The whole text, with a line end.

        Args:
            review: Any.
        """
        lines: list[str] = []
        for line in self._lines(review):
            if line or (lines and lines[-1]):
                lines.append(line)
        return "\n".join(lines) + "\n"

    def _lines(self, review: Review) -> Iterator[str]:
        several = len({each.alias for each in review.judged}) > 1
        by_migration: dict[tuple[str, str], list[Shared]] = {}
        for shared in share(review.findings):
            key = (str(shared.finding.migration), shared.finding.file)
            by_migration.setdefault(key, []).append(shared)
        for (migration, file), group in by_migration.items():
            yield f"{self._bold(printable(migration))}  {printable(file)}".rstrip()
            shown: set[str] = set()
            for shared in group:
                yield from self._finding(shared, several, shown)
            yield ""
        for each in review.unjudged:
            yield self._painted(f"{printable(each.alias)}: not judged", "31")
            yield from self._wrapped(each.message)
            yield from self._wrapped(each.hint)
            yield ""
        for unused in review.unused:
            yield f"note: MIGRATOR['LINT']['IGNORE'] names {unused!r}, which matches nothing."
        yield self._summary(review)

    def _finding(self, shared: Shared, several: bool, shown: set[str]) -> Iterator[str]:
        finding = shared.finding
        where = f"line {finding.line}" if finding.line else ""
        aliases = printable(", ".join(filter(None, shared.aliases))) if several else ""
        if finding.suppressed:
            word = f"switched off  {finding.code}"
            yield "  " + "  ".join(filter(None, (word, where, aliases)))
            yield from self._wrapped(finding.message)
            yield from self._labelled("reason", finding.suppressed)
            return
        word = self._painted(f"{WORDS[finding.severity]:<8}", _COLORS[finding.severity])
        yield "  " + "  ".join(filter(None, (word, finding.code, where, aliases)))
        yield from self._wrapped(finding.message)
        if finding.lock:
            yield from self._labelled("lock", finding.lock)
        if finding.hint:
            yield from self._labelled("instead", finding.hint)
        if finding.alternative and finding.alternative not in shown:
            shown.add(finding.alternative)
            yield ""
            for line in printable(finding.alternative).rstrip().splitlines():
                yield f"{_INDENT}    {line}".rstrip()
            yield ""

    def _labelled(self, label: str, text: str) -> Iterator[str]:
        room = self._width - len(_INDENT) - 10
        for index, line in enumerate(
            textwrap.wrap(printable(text), room, break_long_words=False) or [""]
        ):
            yield f"{_INDENT}{label if index == 0 else '':<10}{line}"

    def _wrapped(self, text: str) -> Iterator[str]:
        yield from textwrap.wrap(
            printable(text),
            self._width,
            initial_indent=_INDENT,
            subsequent_indent=_INDENT,
            break_long_words=False,
        )

    def _summary(self, review: Review) -> str:
        aliases = {each.alias for each in review.judged}
        migrations = {each.migration for each in review.judged}
        if not review.judged:
            return f"No {review.subject} to judge."
        judged = spell_count(len(migrations), "migration")
        rest = review.subject.removeprefix("pending ").removeprefix("migrations").strip()
        kind = " pending" if review.subject.startswith("pending") else ""
        judged = judged.replace(" migration", f"{kind} migration")
        places = spell_count(len(aliases), "database")
        off = sum(1 for finding in review.findings if finding.suppressed)
        said = spell_findings(review.findings) or "nothing to say"
        switched = f", {off} switched off" if off else ""
        return f"{judged}{f' {rest}' if rest else ''} on {places}: {said}{switched}."

    def _bold(self, text: str) -> str:
        return self._painted(text, "1")

    def _painted(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color else text


def describe(finding: Finding) -> str:
    """Message and hint as one text, for annotations."""
    parts = [finding.message]
    if finding.lock:
        parts.append(f"Lock: {finding.lock}.")
    if finding.hint:
        parts.append(finding.hint)
    return " ".join(parts)
