"""`python -m tests.corpus`: judge the lint; `--measure`: make the labels; see `--help`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql

from tests import servers

VENDORS = ("postgresql", "mysql", "sqlite")


def main() -> int:
    """Measure or judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.corpus", description=__doc__)
    parser.add_argument("vendors", nargs="*", help="postgresql, mysql, sqlite; all by default")
    parser.add_argument("--measure", action="store_true", help="apply each, and write the labels")
    parser.add_argument("--only", default="", help="those whose name has these words")
    parser.add_argument("--holdout", action="store_true", help="those that came afterwards")
    parser.add_argument("--second", action="store_true", help="those of the second time")
    parser.add_argument("--verbose", action="store_true", help="every finding")
    options = parser.parse_args()
    prepare()
    from tests.corpus import judging
    from tests.corpus.cases import CASES
    from tests.corpus.holdout import HOLDOUT
    from tests.corpus.holdout_second import SECOND

    cases = SECOND if options.second else HOLDOUT if options.holdout else CASES

    wrong = 0
    for vendor in options.vendors or VENDORS:
        with server_of(vendor) as server:
            if server is None:
                print(f"{vendor}: left out, {servers.MYSQL_URL} is not set")
                continue
            if options.measure:
                judging.label(server, cases, only=options.only)
            else:
                wrong += judging.judge(server, cases, only=options.only, verbose=options.verbose)
    return int(bool(wrong))


def prepare() -> None:
    """Set Django up as the tests have it."""
    import django
    from django.conf import settings

    pymysql.install_as_MySQLdb()
    if not settings.configured:
        settings.configure(
            SECRET_KEY="only for tests",
            USE_TZ=True,
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
            DATABASES={"default": {}},
            INSTALLED_APPS=["django.contrib.contenttypes", "migrator"],
        )
        django.setup()


@contextmanager
def server_of(vendor: str) -> Iterator[Any]:
    """A server of that vendor; None where there is none."""
    if vendor == "sqlite":
        with tempfile.TemporaryDirectory(prefix="migrator-corpus-") as directory:
            yield servers.SQLiteServer(Path(directory))
    elif vendor == "mysql":
        url = os.environ.get(servers.MYSQL_URL)
        address = servers.Address.parse(url, port=3306, maintenance="") if url else None
        yield servers.MySQLServer(address) if address else None
    elif url := os.environ.get(servers.POSTGRES_URL):
        address = servers.Address.parse(url, port=5432, maintenance="postgres")
        yield servers.PostgresServer(address)
    else:
        with servers.embedded_postgres() as server:
            yield server


if __name__ == "__main__":
    sys.exit(main())
