"""Measure what DDL costs, and compare it with what `migrator.core.costs` says.

`python -m tests.ddl` goes through every vendor at hand; `python -m tests.ddl postgresql` through
one; `--measure` prints what was measured of each statement, `--markdown` as the tables of
docs/reference/ddl-costs.md; `--only WORDS` takes the statements that have the words in them.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from contextlib import AbstractContextManager, nullcontext

import django
import pymysql
from django.conf import settings

from tests import servers

VENDORS = ("postgresql", "mysql", "sqlite")


def main(arguments: list[str]) -> int:
    """Go through the vendors named, or all of them.

    Returns:
        0 when nothing is said otherwise than it was measured.
    """
    parser = argparse.ArgumentParser(prog="tests.ddl", description=__doc__)
    parser.add_argument("vendors", nargs="*", choices=[*VENDORS, []])
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--only", default="")
    options = parser.parse_args(arguments)
    pymysql.install_as_MySQLdb()
    settings.configure(DATABASES={"default": {}}, USE_TZ=True, INSTALLED_APPS=[])
    django.setup()
    wrong = 0
    for vendor in options.vendors or VENDORS:
        wrong += _GO[vendor](options)
    return int(bool(wrong))


def _postgresql(options: argparse.Namespace) -> int:
    from tests.ddl.postgresql import Arena
    from tests.ddl.postgresql_cases import CASES
    from tests.ddl.postgresql_types import go_through_types

    url = os.environ.get(servers.POSTGRES_URL)
    if url:
        address = servers.Address.parse(url, port=5432, maintenance="postgres")
        opened: AbstractContextManager[servers.PostgresServer] = nullcontext(
            servers.PostgresServer(address)
        )
    else:
        opened = servers.embedded_postgres()
    with opened as server:
        wrong = _through(Arena(server), CASES, options)
        if not (options.markdown or options.only):
            wrong += go_through_types(server)
    return wrong


def _mysql(options: argparse.Namespace) -> int:
    from tests.ddl.mysql import Arena
    from tests.ddl.mysql_cases import CASES

    url = os.environ.get(servers.MYSQL_URL)
    if not url:
        print(f"MySQL, MariaDB: left out, {servers.MYSQL_URL} is not set")
        return int(servers.servers_required())
    address = servers.Address.parse(url, port=3306, maintenance="")
    return _through(Arena(servers.MySQLServer(address)), CASES, options)


def _sqlite(options: argparse.Namespace) -> int:
    from tests.ddl.sqlite import Arena
    from tests.ddl.sqlite_cases import CASES

    return _through(Arena(), CASES, options)


def _through(arena: object, cases: tuple[object, ...], options: argparse.Namespace) -> int:
    from tests.ddl.report import go_through

    return go_through(
        arena, cases, measure=options.measure, only=options.only, markdown=options.markdown
    )


_GO = {"postgresql": _postgresql, "mysql": _mysql, "sqlite": _sqlite}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main(sys.argv[1:]))
