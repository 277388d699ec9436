"""The differences that are there, true and harmless: each one known, with the reason for it.

A healthy project shows notes (nothing that blocks), and each has to be true. One that is not
listed here fails the walk, and so does one that is listed and that nothing shows any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True)
class Known:
    """One difference of a released package, or a family of them.

    `object` is matched against "kind table.name"; `reason` says what the package does;
    `group` is the walk that has to show it.
    """

    code: str
    object: str
    reason: str
    vendors: tuple[str, ...] = ("postgresql", "mysql", "sqlite")
    group: str = "many"


PG, MY, LITE = ("postgresql",), ("mysql",), ("sqlite",)

KNOWN: tuple[Known, ...] = (
    Known(
        "DR105",
        "index django_apscheduler_djangojob*_like",
        "a key that an AlterField turned into text: Django makes no index for LIKE then",
        PG,
    ),
    Known(
        "DR107",
        "column watson_searchentry.search_tsv",
        "watson's RunPython adds it, and a trigger fills it",
        PG,
    ),
    Known("DR108", "table procrastinate_*", "tables of unmanaged models, made by RunSQL", PG),
    Known(
        "DR101",
        "table modelsearch_indexentry_fts",
        "a virtual table of FTS5 where state has a model",
        LITE,
    ),
    Known(
        "DR105",
        "index schedule_*",
        "index_together, lost when SQLite makes the table anew; back in state as Meta.indexes",
        LITE,
    ),
    Known("DR108", "index modelsearch_indexentry.fulltext_*", "made by RunSQL", MY),
    Known(
        "DR108",
        "index cities_light_city.cities_light_city_search_names_*",
        "an AlterField gives a text column an index on MariaDB, a CreateModel gives it none: "
        "two histories with one state",
        MY,
    ),
    Known(
        "DR105",
        "foreign key watson_searchentry.*",
        "watson turns its table into MyISAM, which has no foreign keys",
        MY,
    ),
    Known("DR108", "index watson_searchentry.*", "full-text indexes made by RunPython", MY),
    Known(
        "DR108",
        "index communication_notification.customer_notification_date_sent_*",
        "a model moved between apps: the state half of the move forgets the index",
        group="oscar",
    ),
    Known("DR108", "check hordak_*", "rules of bookkeeping, made by RunSQL", PG, "hordak"),
    Known(
        "DR101",
        "table wagtailsearch_indexentry_fts",
        "a virtual table of FTS5 where state has a model",
        LITE,
        "wagtail",
    ),
)


class Notes:
    """Known differences of one vendor, and which of them were seen."""

    def __init__(self, vendor: str) -> None:
        self._known = [known for known in KNOWN if vendor in known.vendors]
        self._seen: set[Known] = set()

    def know(self, incident: Any) -> bool:
        """Whether an incident is a known one; it counts as seen then."""
        found = [
            known
            for known in self._known
            if known.code == incident.code.value and fnmatchcase(str(incident.object), known.object)
        ]
        self._seen.update(found)
        return bool(found)

    def unused(self, group: str) -> list[str]:
        """Known ones that the walk of a group never showed."""
        missing = [k for k in self._known if k.group == group and k not in self._seen]
        return [f"{k.code} {k.object}" for k in missing]
