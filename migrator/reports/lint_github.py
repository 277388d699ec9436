"""A review as annotations of GitHub Actions, beside the lines of the migrations."""

from __future__ import annotations

from migrator.core.review import Review, share
from migrator.core.rules import rule_of
from migrator.reports.github import LEVELS, annotation
from migrator.reports.lint_text import describe


class LintGithubFormatter:
    """Renders a review as workflow commands."""

    def render(self, review: Review) -> str:
        """A line for each finding in force; findings that several databases share are one.

        Args:
            review: Any.
        """
        lines = []
        for shared in share(review.in_force()):
            finding = shared.finding
            rule = rule_of(finding.code)
            title = f"{finding.code} {rule.title}" if rule else finding.code
            aliases = ", ".join(alias for alias in shared.aliases if alias)
            text = describe(finding) + (f" ({aliases})" if aliases else "")
            if finding.alternative:
                text += f"\n\n{finding.alternative.rstrip()}"
            level = LEVELS[finding.severity]
            line = annotation(level, text, title=title, file=finding.file, line=finding.line)
            lines.append(line)
        for each in review.unjudged:
            text = f"{each.message} {each.hint}".strip()
            lines.append(annotation("error", text, title=f"{each.alias}: not judged"))
        return "".join(f"{line}\n" for line in lines)
