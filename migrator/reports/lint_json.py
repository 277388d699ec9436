"""A review as JSON: `{format: 1, findings: […]}`, one finding for each database."""

from __future__ import annotations

import json

from migrator.core.review import Review

FORMAT = 1


class LintJsonFormatter:
    """Renders a review for programs; see docs/reference/lint.md for the fields."""

    def render(self, review: Review) -> str:
        """The document, with a line end.

        Args:
            review: Any.
        """
        document = {
            "format": FORMAT,
            "subject": review.subject,
            "judged": [
                {
                    "alias": each.alias,
                    "vendor": each.vendor,
                    "app": each.migration.app,
                    "migration": each.migration.name,
                    "file": each.file or None,
                }
                for each in review.judged
            ],
            "findings": [finding.to_dict() for finding in review.findings],
            "unjudged": [
                {"alias": each.alias, "message": each.message, "hint": each.hint}
                for each in review.unjudged
            ],
            "unused": list(review.unused),
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
